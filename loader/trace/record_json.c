/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/record_json.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/names.h"
#include "base/output.h"
#include "conntrack/flow_id.h"
#include "conntrack/tables.h"
#include "packet/build.h"
#include "reason.h"

/* The stages that the packet has come by. */
static json_t *stages_json(const struct trace_event *event, const char *rule_id)
{
	const struct record_names names = {.rule_id = rule_id}; /* scripts read the addresses */
	json_t *stages = json_array();
	char message[RECORD_MESSAGE_MAX];
	int stage;

	for (stage = 0; stages && stage < STAGE_MAX; stage++) {
		json_t *entry;

		if (!record_message(event, &names, stage, message, sizeof(message)))
			continue;
		entry = json_pack("{s:s, s:s, s:b}", "stage", record_stage_title(stage), "message",
				  message, "allowed", record_allowed(event, stage));
		if (json_array_append_new(stages, entry)) {
			json_decref(stages);
			return NULL;
		}
	}
	return stages;
}

/* The names of the TCP flags that are set. */
static json_t *flags_json(uint8_t tcp_flags)
{
	json_t *flags = json_array();
	int bit;

	for (bit = 0; flags && bit < PACKET_TCP_FLAGS; bit++) {
		if (!(tcp_flags & 1 << bit))
			continue;
		if (json_array_append_new(flags, json_string(packet_tcp_flag_names[bit]))) {
			json_decref(flags);
			return NULL;
		}
	}
	return flags;
}

static json_t *protocol_json(const struct trace_event *event)
{
	const char *name = port_protocol_name(event->l4_proto);

	if (!name && record_is_icmp(event))
		name = "icmp";
	return name ? json_string(name) : json_integer(event->l4_proto);
}

/* What only some protocols have; nonzero if memory is out. */
static int add_l4_json(json_t *packet, const struct trace_event *event)
{
	int err = 0;

	if (record_has_ports(event)) {
		err |= json_object_set_new(packet, "sport", json_integer(ntohs(event->sport)));
		err |= json_object_set_new(packet, "dport", json_integer(ntohs(event->dport)));
	}
	if (event->l4_proto == IPPROTO_TCP && !event->fragment)
		err |= json_object_set_new(packet, "flags", flags_json(event->tcp_flags));
	if (record_is_icmp(event) && !event->fragment)
		err |= json_object_set_new(packet, "icmp",
					   json_pack("{s:i, s:i, s:i, s:i}", "type",
						     event->icmp_type, "code", event->icmp_code,
						     "id", ntohs(event->sport), "seq",
						     ntohs(event->dport)));
	return err;
}

/* The packet in the words of a scenario file. */
static json_t *packet_json(const struct trace_event *event, const struct names *names)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];
	const char *src_name, *dst_name;
	json_t *packet;

	if (!event->ip_version)
		return json_pack("{s:s}", "direction", record_way_name(event));
	addr_format(&event->saddr, event->ip_version, src, sizeof(src));
	addr_format(&event->daddr, event->ip_version, dst, sizeof(dst));
	src_name = names ? names_of(names, &event->saddr, event->ip_version) : NULL;
	dst_name = names ? names_of(names, &event->daddr, event->ip_version) : NULL;
	packet = json_pack("{s:s, s:s, s:s*, s:s, s:s*, s:o, s:I}", "direction",
			   record_way_name(event), "src", src, "src_name", src_name, "dst", dst,
			   "dst_name", dst_name, "protocol", protocol_json(event), "length",
			   (json_int_t)event->ip_len);
	if (packet && add_l4_json(packet, event)) {
		json_decref(packet);
		return NULL;
	}
	return packet;
}

/* Who forwards a packet, NULL: nobody. */
static const char *forwarded_by(const struct trace_event *event)
{
	if (event->verdict != VERDICT_FORWARD)
		return NULL;
	if (event->message[STAGE_FORWARDING] == MESSAGE_FORWARD_BACK)
		return "nat";
	return event->uplink[0] ? "nat" : "forwarder";
}

/* What a packet that is forwarded by NAT becomes, or whom one from an uplink was for there; NULL: neither. */
static json_t *translation_json(const struct trace_event *event)
{
	char digits[ADDR_TEXT_MAX], uplink[sizeof(event->uplink) + 1] = "";

	if (!event->uplink[0] ||
	    (event->verdict != VERDICT_FORWARD && event->direction != DIR_UPLINK))
		return NULL;
	addr_format(&event->snat_addr, event->ip_version, digits, sizeof(digits));
	memcpy(uplink, event->uplink, sizeof(event->uplink));
	if (!record_is_icmp(event) && !l4_has_ports(event->l4_proto))
		return json_pack("{s:s, s:s}", "src", digits, "uplink", uplink);
	if (record_is_icmp(event))
		return json_pack("{s:s, s:i, s:i, s:s}", "src", digits, "icmp_id",
				 ntohs(event->snat_port), "id", ntohs(event->snat_port), "uplink",
				 uplink);
	return json_pack("{s:s, s:i, s:s}", "src", digits, "sport", ntohs(event->snat_port),
			 "uplink", uplink);
}

static bool is_echo_request(const struct trace_event *event)
{
	return event->icmp_type ==
	       (event->ip_version == IP_VERSION_4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST);
}

/*
 * The id of the packet's connection, NULL: it has none, or none any more.  The tables have what
 * comes in as it is translated, and what leaves as it was before.
 */
static const char *flow_of(const struct trace_event *event, const struct map_set *maps,
			   char text[FLOW_ID_LEN])
{
	bool is_inbound = event->direction != DIR_EGRESS;
	const struct tuple tuple = {
		.saddr = is_inbound ? event->nat_addr : event->saddr,
		.daddr = event->daddr,
		.sport = event->sport,
		.dport = is_inbound ? event->nat_port : event->dport,
		.ip_version = event->ip_version,
		.l4_proto = event->l4_proto,
		.is_echo_reply = record_is_icmp(event) && !is_echo_request(event),
	};
	uint64_t id;

	if (!maps || !event->flow_state || event->fragment ||
	    !flow_find_id(maps, &tuple, event->time_ns, &id))
		return NULL;
	return flow_id_text(id, text);
}

static const char *family_name(const struct trace_event *event)
{
	return !event->ip_version ? NULL : event->ip_version == IP_VERSION_4 ? "ipv4" : "ipv6";
}

/**
 * record_json() - A whole trace as `shrike trace --json` prints it
 * @event: the record
 * @names: what it refers to
 *
 * Return: a new object for output_json_line(); NULL if memory is out.
 */
json_t *record_json(const struct trace_event *event, const struct record_names *names)
{
	char flow[FLOW_ID_LEN];

	return json_pack("{s:o*, s:s?, s:s, s:s*, s:o, s:o, s:s, s:s*, s:o*, s:s, s:s?, s:s}",
			 "interface", names->interface ? output_json_text(names->interface) : NULL,
			 "flow", flow_of(event, names->maps, flow), "direction",
			 direction_name(event->direction), "family", family_name(event), "packet",
			 packet_json(event, names->names), "stages",
			 stages_json(event, names->rule_id), "verdict",
			 verdict_name(event->verdict), "by", forwarded_by(event), "nat",
			 translation_json(event), "reason", reason_name(event->reason), "rule",
			 names->rule_id, "disposition", record_disposition(event));
}

/* Bytes in hexadecimal, to be freed; NULL if memory is out. */
static char *hex_of(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * len + 1);
	const uint8_t *byte = data;
	size_t i;

	if (!hex)
		return NULL;
	for (i = 0; i < len; i++) {
		hex[2 * i] = digits[byte[i] >> 4];
		hex[2 * i + 1] = digits[byte[i] & 15];
	}
	hex[2 * len] = '\0';
	return hex;
}

/**
 * record_result_json() - A packet of a scenario as `shrike simulate --json` prints it
 * @result: the packet and what became of it
 *
 * Return: a new object for output_json_line(); NULL if memory is out.
 */
json_t *record_result_json(const struct record_result *result)
{
	const struct trace_event *event = result->event;
	const char *state = event->flow_state ? flow_state_name(event->flow_state) : NULL;
	char *hex = hex_of(result->packet, result->packet_len);
	json_t *json;

	if (!hex)
		return NULL;
	json = json_pack("{s:I, s:o, s:s, s:s*, s:o*, s:s, s:s?, s:s?, s:s, s:o}", "n",
			 (json_int_t)result->n, "at",
			 output_real((double)result->at_ns / (double)NS_PER_S), "verdict",
			 verdict_name(event->verdict), "by", forwarded_by(event), "nat",
			 translation_json(event), "reason", reason_name(event->reason), "rule",
			 result->rule_id, "state", state, "packet", hex, "stages",
			 stages_json(event, result->rule_id));
	free(hex);
	return json;
}
