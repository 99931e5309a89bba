/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/event_print.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "conntrack/endpoint.h"
#include "conntrack/flow_id.h"
#include "conntrack/tables.h"

#define CLOCK_READS 8

static const char *const type_names[FLOW_EVENT_MAX] = {
#define TYPE(id, name) [FLOW_EVENT_##id] = name,
	FLOW_EVENTS(TYPE)
#undef TYPE
};

static const char *const cause_names[FLOW_CAUSE_MAX] = {
#define CAUSE(id, name) [FLOW_CAUSE_##id] = name,
	FLOW_CAUSES(CAUSE)
#undef CAUSE
};

/* Name of an enum flow_event_type, "unknown" beyond it. */
static const char *flow_event_type_name(unsigned int type)
{
	return type < FLOW_EVENT_MAX ? type_names[type] : "unknown";
}

/* Name of an enum flow_cause, "unknown" beyond it. */
static const char *flow_cause_name(unsigned int cause)
{
	return cause < FLOW_CAUSE_MAX ? cause_names[cause] : "unknown";
}

/**
 * flow_clock_offset_ns() - What to add to the kernel's CLOCK_MONOTONIC for CLOCK_REALTIME, now
 *
 * One clock is read between two looks at the other, and again, as this process may have to wait in
 * between: the same record is to have the same time in each command that prints it.
 */
uint64_t flow_clock_offset_ns(void)
{
	uint64_t shortest_ns = UINT64_MAX, offset_ns = 0;

	for (int i = 0; i < CLOCK_READS; i++) {
		uint64_t before_ns = clock_kernel_ns(CLOCK_MONOTONIC);
		uint64_t now_ns = clock_ns(CLOCK_REALTIME);
		uint64_t took_ns = clock_kernel_ns(CLOCK_MONOTONIC) - before_ns;

		if (took_ns >= shortest_ns)
			continue;
		shortest_ns = took_ns;
		offset_ns = now_ns - before_ns - took_ns / 2;
	}
	return offset_ns;
}

static bool is_icmp(const struct flow_event *event)
{
	return event->l4_proto ==
	       (event->ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* The name of an address, NULL where it has none. */
static const char *name_of(const struct flow_event *event, const struct flow_event_names *names,
			   const union addr *addr)
{
	return names->names ? names_of(names->names, addr, event->ip_version) : NULL;
}

/* Name or address, and port; "-" where the packet was no IP packet. */
static const char *end_text(const struct flow_event *event, const struct flow_event_names *names,
			    const union addr *addr, __be16 port, char text[ENDPOINT_MAX])
{
	const struct endpoint end = {addr, ntohs(port), event->ip_version, event->l4_proto};

	return event->ip_version ? endpoint_text(&end, names->names, text) : "-";
}

/**
 * flow_event_uplink() - The uplink by which a flow leaves
 * @event: the event
 * @names: what it refers to
 *
 * Return: the uplink; NULL: it leaves by none, or by one that has gone.
 */
const struct uplink *flow_event_uplink(const struct flow_event *event,
				       const struct flow_event_names *names)
{
	if (!names->masquerade || !event->uplink || event->type == FLOW_EVENT_DROP)
		return NULL;
	return masquerade_uplink(names->masquerade, event->uplink - 1);
}

/* What a flow becomes on its uplink; nothing of one that leaves by none. */
static void add_translation(const struct flow_event *event, const struct flow_event_names *names,
			    char *text, size_t size)
{
	const struct uplink *uplink = flow_event_uplink(event, names);
	char from[ENDPOINT_MAX], id[16] = "";

	if (!uplink)
		return;
	if (is_icmp(event))
		snprintf(id, sizeof(id), " nat_id=%u", ntohs(event->snat_port));
	snprintf(text, size, " nat=%s%s uplink=%s",
		 end_text(event, names, uplink_addr(uplink, event->ip_version), event->snat_port,
			  from),
		 id, uplink->name);
}

static const char *protocol_name(const struct flow_event *event, char number[FLOW_PROTOCOL_NUMBER])
{
	if (!event->ip_version)
		return "non-ip";
	return flow_protocol_name(event->l4_proto, event->ip_version, number);
}

/* Which of the two counts is of what arrives on the interface. */
static unsigned int received(const struct flow_event *event)
{
	return event->direction == DIR_INGRESS ? 0 : 1;
}

/* What only some types of event have. */
static void add_outcome(const struct flow_event *event, bool human, char *text, size_t size)
{
	char packets[2][OUTPUT_COUNT_LEN], bytes[2][OUTPUT_COUNT_LEN], sum[40] = "";
	unsigned int rx = received(event);

	for (int end = 0; end < 2; end++) {
		output_count(packets[end], event->packets[end], UNIT_PACKETS, human);
		output_count(bytes[end], event->bytes[end], UNIT_BYTES, human);
	}
	if (event->packets[0] > 1) /* drops that are summed up */
		snprintf(sum, sizeof(sum), " packets=%s", packets[0]);
	if (event->type == FLOW_EVENT_END)
		snprintf(text, size, " rx=%s/%s tx=%s/%s cause=%s", packets[rx], bytes[rx],
			 packets[!rx], bytes[!rx], flow_cause_name(event->cause));
	else if (event->type == FLOW_EVENT_DROP)
		snprintf(text, size, "%s bytes=%s reason=%s", sum, bytes[0],
			 reason_name(event->reason));
}

/**
 * flow_event_line() - An event as `shrike monitor` prints it
 * @event: the event
 * @names: what the event refers to
 * @line: set to the line, without a newline
 */
void flow_event_line(const struct flow_event *event, const struct flow_event_names *names,
		     char line[FLOW_LINE_MAX])
{
	char time[OUTPUT_TIME_LEN], from[ENDPOINT_MAX], to[ENDPOINT_MAX],
		number[FLOW_PROTOCOL_NUMBER];
	char outcome[160] = "", icmp[48] = "", translation[ENDPOINT_MAX + 48] = "";
	const char *rule_id = names->rule_id;

	add_translation(event, names, translation, sizeof(translation));
	if (is_icmp(event) && event->ip_version)
		snprintf(icmp, sizeof(icmp), " type=%u code=%u id=%u", event->icmp_type,
			 event->icmp_code, ntohs(event->port[0]));
	add_outcome(event, names->human, outcome, sizeof(outcome));
	snprintf(line, FLOW_LINE_MAX, "%s %-5s %-7s %-4s %s -> %s%s%s%s%s%s",
		 output_time(time, event->time_ns + names->offset_ns),
		 flow_event_type_name(event->type), direction_name(event->direction),
		 protocol_name(event, number),
		 end_text(event, names, &event->addr[0], event->port[0], from),
		 end_text(event, names, &event->addr[1], event->port[1], to), icmp, translation,
		 outcome, rule_id ? " rule=" : "", rule_id ? rule_id : "");
}

/* Add addresses and ports, or ICMP type and code. */
static void add_ends(json_t *json, const struct flow_event *event,
		     const struct flow_event_names *names)
{
	char addr[ADDR_TEXT_MAX];
	const char *name;

	if (!event->ip_version)
		return;
	for (int end = 0; end < 2; end++) {
		addr_format(&event->addr[end], event->ip_version, addr, sizeof(addr));
		json_object_set_new(json, end ? "dst" : "src", json_string(addr));
		name = name_of(event, names, &event->addr[end]);
		if (name)
			json_object_set_new(json, end ? "dst_name" : "src_name", json_string(name));
	}
	if (l4_has_ports(event->l4_proto)) {
		json_object_set_new(json, "sport", json_integer(ntohs(event->port[0])));
		json_object_set_new(json, "dport", json_integer(ntohs(event->port[1])));
	} else if (is_icmp(event)) {
		json_object_set_new(json, "icmp_type", json_integer(event->icmp_type));
		json_object_set_new(json, "icmp_code", json_integer(event->icmp_code));
		json_object_set_new(json, "icmp_id", json_integer(ntohs(event->port[0])));
	}
}

/* What a flow becomes on its uplink, NULL: it leaves by none. */
static json_t *translation_json(const struct flow_event *event,
				const struct flow_event_names *names)
{
	const struct uplink *uplink = flow_event_uplink(event, names);
	char addr[ADDR_TEXT_MAX];

	if (!uplink)
		return NULL;
	addr_format(uplink_addr(uplink, event->ip_version), event->ip_version, addr, sizeof(addr));
	if (!is_icmp(event) && !l4_has_ports(event->l4_proto))
		return json_pack("{s:o,s:s}", "uplink", output_json_text(uplink->name), "src",
				 addr);
	return json_pack("{s:o,s:s,s:i}", "uplink", output_json_text(uplink->name), "src", addr,
			 l4_has_ports(event->l4_proto) ? "sport" : "icmp_id",
			 ntohs(event->snat_port));
}

/* What one end has sent. */
static json_t *counter_json(const struct flow_event *event, int end)
{
	return json_pack("{s:I,s:I}", "packets", (json_int_t)event->packets[end], "bytes",
			 (json_int_t)event->bytes[end]);
}

/* Add what is counted and since when, of drops that are summed up without what they do not share. */
static void add_sums(json_t *json, const struct flow_event *event, uint64_t offset_ns)
{
	char time[OUTPUT_TIME_LEN];

	if (event->created_ns && event->type != FLOW_EVENT_START)
		json_object_set_new(json, "since",
				    json_string(output_time(time, event->created_ns + offset_ns)));
	if (!event->port[0] && event->type == FLOW_EVENT_DROP) {
		json_object_del(json, "sport");
		json_object_del(json, "icmp_id");
	}
	json_object_set_new(json, "opener", counter_json(event, 0));
	if (event->type != FLOW_EVENT_DROP)
		json_object_set_new(json, "answerer", counter_json(event, 1));
}

/**
 * flow_event_json() - An event as `shrike monitor --json` and `shrike flowlog` print it
 * @event: the event, or drops that are summed up: then created_ns is of the first one
 * @names: what it refers to
 *
 * Return: a new object for output_formed(), NULL if memory is out.
 */
json_t *flow_event_json(const struct flow_event *event, const struct flow_event_names *names)
{
	const char *cause = event->type == FLOW_EVENT_END ? flow_cause_name(event->cause) : NULL;
	const char *reason = event->type == FLOW_EVENT_DROP ? reason_name(event->reason) : NULL;
	char time[OUTPUT_TIME_LEN], id[FLOW_ID_LEN], number[FLOW_PROTOCOL_NUMBER];
	json_t *json;

	json = json_pack(
		"{s:s,s:o,s:s,s:s,s:s,s:s}", "type", flow_event_type_name(event->type), "interface",
		output_json_text(names->interface), "flow", flow_id_text(flow_event_id(event), id),
		"time", output_time(time, event->time_ns + names->offset_ns), "direction",
		direction_name(event->direction), "protocol", protocol_name(event, number));
	if (!json)
		return NULL;
	if (event->ip_version)
		json_object_set_new(
			json, "family",
			json_string(event->ip_version == IP_VERSION_4 ? "ipv4" : "ipv6"));
	add_ends(json, event, names);
	json_object_update_new(json, json_pack("{s:o*,s:s?}", "nat", translation_json(event, names),
					       "rule", names->rule_id));
	if (cause)
		json_object_set_new(json, "cause", json_string(cause));
	if (reason)
		json_object_set_new(json, "reason", json_string(reason));
	add_sums(json, event, names->offset_ns);
	return json;
}
