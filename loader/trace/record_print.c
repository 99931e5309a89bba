/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trace records as text and as JSON.
 *
 * Both are made from the same sentences: record_message() is the only place that knows the format
 * letters of trace_stage.h.
 */
#include "trace/record_print.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/names.h"
#include "conntrack/tables.h"
#include "packet/build.h"
#include "reason.h"

static const char *const stage_titles[STAGE_MAX] = {
#define STAGE(id, title) [STAGE_##id] = title,
	STAGES(STAGE)
#undef STAGE
};

static const struct {
	const char *format;
	bool allowed;
} messages[MESSAGE_MAX] = {
#define MESSAGE(id, is_allowed, text) [MESSAGE_##id] = {text, is_allowed},
	MESSAGES(MESSAGE)
#undef MESSAGE
};

/* Addresses and ports of a packet at one stage, translations up to there applied. */
struct tuple {
	union addr saddr;
	union addr daddr;
	uint16_t sport; /* network byte order, as in the record */
	uint16_t dport;
};

/* A string that grows in a buffer of fixed size; what does not fit is cut off. */
struct text {
	char *buf;
	size_t size;
	size_t len;
};

/**
 * record_stage_title() - Title of a stage as traces print it
 * @stage: any stage, "unknown" beyond the last
 */
const char *record_stage_title(enum stage stage)
{
	return stage < STAGE_MAX ? stage_titles[stage] : "unknown";
}

static void __attribute__((format(printf, 2, 3)))
text_add(struct text *text, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text->buf + text->len, text->size - text->len, format, args);
	va_end(args);
	if (len > 0)
		text->len += (size_t)len;
	if (text->len >= text->size)
		text->len = text->size - 1;
}

/**
 * record_is_icmp() - Whether the packet is ICMP of its family
 */
bool record_is_icmp(const struct trace_event *event)
{
	return event->ip_version && event->l4_proto == packet_icmp_proto(event->ip_version);
}

/**
 * record_has_ports() - Whether the packet has ports, and they are known
 */
bool record_has_ports(const struct trace_event *event)
{
	return !event->fragment && l4_has_ports(event->l4_proto);
}

/* Addresses and ports as they were when the packet came to a stage. */
static struct tuple tuple_at(const struct trace_event *event, enum stage stage)
{
	struct tuple tuple = {event->saddr, event->daddr, event->sport, event->dport};

	if (stage >= STAGE_NAT_PORT_IN && event->message[STAGE_NAT_PORT_IN] == MESSAGE_NAT_APPLIED)
		tuple.dport = event->nat_port;
	if (stage >= STAGE_NAT_ONE_IN && event->message[STAGE_NAT_ONE_IN] == MESSAGE_NAT_APPLIED)
		tuple.saddr = event->nat_addr;
	if (stage >= STAGE_NAT_ONE_OUT && event->message[STAGE_NAT_ONE_OUT] == MESSAGE_NAT_APPLIED)
		tuple.daddr = event->nat_addr;
	if (stage >= STAGE_NAT_PORT_OUT &&
	    event->message[STAGE_NAT_PORT_OUT] == MESSAGE_NAT_APPLIED)
		tuple.sport = event->nat_port;
	return tuple;
}

/* Append "A:P", IPv6 as "[A]:P", a name as "NAME:P", without ports the address or name alone. */
static void add_endpoint(struct text *text, const struct trace_event *event,
			 const struct record_names *names, const union addr *addr, uint16_t port)
{
	const char *name = names->names ? names_of(names->names, addr, event->ip_version) : NULL;
	char digits[ADDR_TEXT_MAX];

	if (!name)
		addr_format(addr, event->ip_version, digits, sizeof(digits));
	if (!record_has_ports(event))
		text_add(text, "%s", name ? name : digits);
	else if (name || event->ip_version == IP_VERSION_4)
		text_add(text, "%s:%u", name ? name : digits, ntohs(port));
	else
		text_add(text, "[%s]:%u", digits, ntohs(port));
}

static void add_tuple(struct text *text, const struct trace_event *event,
		      const struct record_names *names, enum stage stage)
{
	struct tuple tuple = tuple_at(event, stage);

	if (!event->ip_version) {
		text_add(text, "no IP addresses");
		return;
	}
	add_endpoint(text, event, names, &tuple.saddr, tuple.sport);
	text_add(text, " -> ");
	add_endpoint(text, event, names, &tuple.daddr, tuple.dport);
}

/* Append the name of the protocol. */
static void add_protocol(struct text *text, const struct trace_event *event)
{
	const char *name = port_protocol_name(event->l4_proto);

	if (!event->ip_version) {
		text_add(text, "non-IP");
	} else if (name) {
		while (*name)
			text_add(text, "%c", toupper(*name++));
	} else if (record_is_icmp(event)) {
		text_add(text, event->ip_version == IP_VERSION_4 ? "ICMP" : "ICMPv6");
	} else {
		text_add(text, "protocol %u", event->l4_proto);
	}
}

static const char *flag_word(const struct trace_event *event, uint8_t flag)
{
	return event->tcp_flags & flag ? "true" : "false";
}

static void add_flow(struct text *text, const struct trace_event *event)
{
	if (event->l4_proto == IPPROTO_TCP)
		text_add(text, "TCP Flags: SYN=%s ACK=%s RST=%s FIN=%s",
			 flag_word(event, PACKET_TCP_SYN), flag_word(event, PACKET_TCP_ACK),
			 flag_word(event, PACKET_TCP_RST), flag_word(event, PACKET_TCP_FIN));
	else if (record_is_icmp(event))
		text_add(text, "ICMP ID=%u, Seq=%u", ntohs(event->sport), ntohs(event->dport));
	else
		add_protocol(text, event);
}

/* "A:P to B:P via DEVICE"; an identifier of ICMP, which NAT changes as well, is named. */
static void add_translation(struct text *text, const struct trace_event *event,
			    const struct record_names *names, const struct tuple *tuple)
{
	add_endpoint(text, event, names, &event->snat_addr, event->snat_port);
	if (record_is_icmp(event))
		text_add(text, " ID=%u", ntohs(event->snat_port));
	text_add(text, " to ");
	add_endpoint(text, event, names, &tuple->daddr, tuple->dport);
	text_add(text, " via %.*s", (int)sizeof(event->uplink), event->uplink);
}

/* Append what a letter behind % stands for in a message. */
static void add_letter(struct text *text, char letter, const struct trace_event *event,
		       const struct record_names *names, enum stage stage)
{
	struct tuple tuple = tuple_at(event, stage);

	switch (letter) {
	case 'P':
		add_protocol(text, event);
		break;
	case 'T':
		add_tuple(text, event, names, stage);
		break;
	case 'F':
		add_flow(text, event);
		break;
	case 'R':
		text_add(text, "%s", names->rule_id ? names->rule_id : "<no id>");
		break;
	case 'D':
		add_endpoint(text, event, names, &tuple.daddr, tuple.dport);
		break;
	case 'N':
		add_translation(text, event, names, &tuple);
		break;
	case 'H':
		text_add(text, "%s", reason_help(event->reason));
		break;
	}
}

/**
 * record_message() - What a trace says about one stage
 * @event: the record
 * @names: what it refers to
 * @stage: which stage
 * @buf: where the sentence goes; RECORD_MESSAGE_MAX bytes hold each of them
 * @size: bytes of @buf, at least 1
 *
 * Return: true; false where the packet did not come by this stage, outputs untouched.
 */
bool record_message(const struct trace_event *event, const struct record_names *names,
		    enum stage stage, char *buf, size_t size)
{
	struct text text = {buf, size, 0};
	const char *format;
	unsigned int id;

	id = stage < STAGE_MAX ? event->message[stage] : MESSAGE_NONE;
	if (id == MESSAGE_NONE || id >= MESSAGE_MAX)
		return false;
	buf[0] = '\0';
	for (format = messages[id].format; *format; format++) {
		if (format[0] == '%' && format[1])
			add_letter(&text, *++format, event, names, stage);
		else
			text_add(&text, "%c", *format);
	}
	return true;
}

/**
 * record_allowed() - Whether a packet was fine as far as a stage goes
 * @event: the record
 * @stage: one for which record_message() has returned true
 */
bool record_allowed(const struct trace_event *event, enum stage stage)
{
	return messages[event->message[stage]].allowed;
}

/**
 * record_way_name() - "in" or "out", as scenarios say it
 */
const char *record_way_name(const struct trace_event *event)
{
	return event->direction == DIR_EGRESS ? "out" : "in";
}

/**
 * record_disposition() - ALLOWED or DENIED
 */
const char *record_disposition(const struct trace_event *event)
{
	return event->verdict == VERDICT_PASS || event->verdict == VERDICT_FORWARD ? "ALLOWED"
										   : "DENIED";
}

/* "A:P -> B:P" of the packet as it was received, and the name of its protocol. */
static void describe(const struct trace_event *event, const struct record_names *names,
		     char tuple[RECORD_MESSAGE_MAX], char protocol[RECORD_MESSAGE_MAX])
{
	struct text tuple_text = {tuple, RECORD_MESSAGE_MAX, 0};
	struct text protocol_text = {protocol, RECORD_MESSAGE_MAX, 0};

	add_tuple(&tuple_text, event, names, STAGE_RECEIVED);
	add_protocol(&protocol_text, event);
}

/**
 * record_write_stages() - What a trace says about each stage, a line each
 * @event: the record
 * @names: what it refers to
 * @indent: begins each line
 * @out: where to
 */
void record_write_stages(const struct trace_event *event, const struct record_names *names,
			 const char *indent, FILE *out)
{
	char message[RECORD_MESSAGE_MAX];

	for (enum stage stage = 0; stage < STAGE_MAX; stage++)
		if (record_message(event, names, stage, message, sizeof(message)))
			fprintf(out, "%s%s: %s\n", indent, record_stage_title(stage), message);
}

/**
 * record_text() - A whole trace as `shrike trace` prints it
 * @event: the record
 * @names: what it refers to
 *
 * Begins with an empty line, so that traces follow each other; the words are those of NetBird's
 * `debug trace`.
 *
 * Return: the text with its last newline, to be freed; NULL if memory is out.
 */
char *record_text(const struct trace_event *event, const struct record_names *names)
{
	char tuple[RECORD_MESSAGE_MAX], protocol[RECORD_MESSAGE_MAX];
	char *text = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	describe(event, names, tuple, protocol);
	fprintf(out, "\nPacket trace %s (%s)\n\n", tuple, protocol);
	record_write_stages(event, names, "", out);
	fprintf(out, "\n" RECORD_END "%s\n", record_disposition(event));
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/**
 * record_write_line() - A packet and what became of it, in short
 * @event: the record
 * @names: what it refers to
 * @out: where to; without a newline
 */
void record_write_line(const struct trace_event *event, const struct record_names *names, FILE *out)
{
	char tuple[RECORD_MESSAGE_MAX], protocol[RECORD_MESSAGE_MAX];

	describe(event, names, tuple, protocol);
	fprintf(out, "%s %s %s: %s %s", record_way_name(event), protocol, tuple,
		verdict_name(event->verdict), reason_name(event->reason));
	if (names->rule_id)
		fprintf(out, " rule %s", names->rule_id);
	if (event->flow_state)
		fprintf(out, " state %s", flow_state_name(event->flow_state));
	if (event->direction == DIR_UPLINK && event->uplink[0])
		fprintf(out, " by %.*s", (int)sizeof(event->uplink), event->uplink);
}

/**
 * record_write_details() - What of a packet the line of record_write_line() leaves out
 * @event: the record
 * @out: where to, with a blank before it; nothing of what is no IP packet
 */
void record_write_details(const struct trace_event *event, FILE *out)
{
	const char *separator = " flags ";

	if (!event->ip_version)
		return;
	if (event->l4_proto == IPPROTO_TCP && !event->fragment)
		for (int bit = 0; bit < PACKET_TCP_FLAGS; bit++)
			if (event->tcp_flags & 1 << bit) {
				fprintf(out, "%s%s", separator, packet_tcp_flag_names[bit]);
				separator = ",";
			}
	if (record_is_icmp(event) && !event->fragment)
		fprintf(out, " type %u code %u", event->icmp_type, event->icmp_code);
	fprintf(out, " length %u", event->ip_len);
}

/**
 * record_result_line() - A packet of a scenario as `shrike simulate` prints it
 * @result: the packet and what became of it
 *
 * Return: one line without its newline, to be freed; NULL if memory is out.
 */
char *record_result_line(const struct record_result *result)
{
	const struct record_names names = {.rule_id = result->rule_id};
	char *line = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&line, &len);
	if (!out)
		return NULL;
	fprintf(out, "%zu: %" PRIu64 ".%03" PRIu64 "s ", result->n, result->at_ns / NS_PER_S,
		result->at_ns % NS_PER_S / NS_PER_MS);
	record_write_line(result->event, &names, out);
	if (fclose(out)) {
		free(line);
		return NULL;
	}
	return line;
}
