/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A template is a row of kinds[]; its fields are those rows of fields[] that name its kind, in
 * their order.  Templates are written from these rows, and records too, so that the two agree.
 */
#include "flowlog/ipfix.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "conntrack/flow_id.h"
#include "protocol.h"

#define VARIABLE_LENGTH	  0xffff /* of a field whose length stands before it */
#define ENTERPRISE_BIT	  0x8000
#define RECORD_MAX	  256 /* bytes of the longest record, and of the longest template */
#define TEMPLATE_HEADER	  4
#define RULES_TEMPLATE	  (IPFIX_FIRST_TEMPLATE + 2 * KIND_MAX)
#define METERING_TEMPLATE (RULES_TEMPLATE + 1)
#define INITIATOR	  1 /* biflowDirection: the source opened it (RFC 5103, 6.3) */

/* Values of firewallEvent. */
enum { FLOW_CREATED = 1, FLOW_DELETED = 2, FLOW_DENIED = 3 };

/* Values of flowEndReason. */
enum { IDLE_TIMEOUT = 1, END_OF_FLOW = 3, FORCED_END = 4, LACK_OF_RESOURCES = 5 };

enum kind {
	KIND_START,
	KIND_START_NAT,
	KIND_END,
	KIND_END_NAT,
	KIND_DROP,
	KIND_DROP_FRAME, /* not an IP packet */
	KIND_MAX,
};

#define START  (1 << KIND_START | 1 << KIND_START_NAT)
#define END    (1 << KIND_END | 1 << KIND_END_NAT)
#define NAT    (1 << KIND_START_NAT | 1 << KIND_END_NAT)
#define DROP   (1 << KIND_DROP)
#define PACKET (START | END | DROP)
#define ALL    (PACKET | 1 << KIND_DROP_FRAME)

/* What goes into a field. */
enum content {
	STARTED,
	ENDED,
	SRC,
	DST,
	SPORT,
	DPORT,
	PROTOCOL,
	ICMP_TYPE_CODE,
	INGRESS_INTERFACE,
	EGRESS_INTERFACE,
	DIRECTION,
	OPENER,
	OPENER_PACKETS,
	OPENER_BYTES,
	ANSWERER_PACKETS,
	ANSWERER_BYTES,
	EVENT,
	END_REASON,
	FLOW_ID,
	RULE,
	NAT_SRC,
	NAT_SPORT,
};

/* An information element: its number and length over IPv4 and over IPv6, and who has it. */
static const struct field {
	uint16_t id[2];
	uint8_t len[2];
	uint8_t kinds;
	uint8_t content;
	bool is_reverse;
} fields[] = {
	{{152, 152}, {8, 8}, ALL, STARTED, false},	    /* flowStartMilliseconds */
	{{153, 153}, {8, 8}, ALL, ENDED, false},	    /* flowEndMilliseconds */
	{{8, 27}, {4, 16}, PACKET, SRC, false},		    /* sourceIPv?Address */
	{{12, 28}, {4, 16}, PACKET, DST, false},	    /* destinationIPv?Address */
	{{7, 7}, {2, 2}, PACKET, SPORT, false},		    /* sourceTransportPort */
	{{11, 11}, {2, 2}, PACKET, DPORT, false},	    /* destinationTransportPort */
	{{4, 4}, {1, 1}, PACKET, PROTOCOL, false},	    /* protocolIdentifier */
	{{32, 139}, {2, 2}, PACKET, ICMP_TYPE_CODE, false}, /* icmpTypeCodeIPv? */
	{{10, 10}, {4, 4}, ALL, INGRESS_INTERFACE, false},  /* ingressInterface */
	{{14, 14}, {4, 4}, ALL, EGRESS_INTERFACE, false},   /* egressInterface */
	{{61, 61}, {1, 1}, ALL, DIRECTION, false},	    /* flowDirection */
	{{239, 239}, {1, 1}, START | END, OPENER, false},   /* biflowDirection */
	{{2, 2}, {8, 8}, END, OPENER_PACKETS, false},	    /* packetDeltaCount */
	{{1, 1}, {8, 8}, END, OPENER_BYTES, false},	    /* octetDeltaCount */
	{{2, 2}, {8, 8}, END, ANSWERER_PACKETS, true},	    /* its reverse */
	{{1, 1}, {8, 8}, END, ANSWERER_BYTES, true},	    /* its reverse */
	{{133, 133},
	 {8, 8},
	 ALL & ~(START | END),
	 OPENER_PACKETS,
	 false},							 /* droppedPacketDelta.. */
	{{132, 132}, {8, 8}, ALL & ~(START | END), OPENER_BYTES, false}, /* droppedOctetDelta.. */
	{{233, 233}, {1, 1}, ALL, EVENT, false},			 /* firewallEvent */
	{{136, 136}, {1, 1}, END, END_REASON, false},			 /* flowEndReason */
	{{148, 148}, {8, 8}, START | END, FLOW_ID, false},		 /* flowId */
	{{302, 302}, {8, 8}, ALL, RULE, false},				 /* selectorId */
	{{225, 281}, {4, 16}, NAT, NAT_SRC, false},  /* postNATSourceIPv?Address */
	{{227, 227}, {2, 2}, NAT, NAT_SPORT, false}, /* postNAPTSourceTransportPort */
};

#define N_FIELDS (sizeof(fields) / sizeof(*fields))

/* Options templates: the first field is the scope. */
static const uint16_t rule_fields[][2] = {{302, 8}, {335, VARIABLE_LENGTH}};
static const uint16_t metering_fields[][2] = {
	{149, 4}, /* observationDomainId */
	{41, 8},  /* exportedMessageTotalCount */
	{42, 8},  /* exportedFlowRecordTotalCount */
	{40, 8},  /* exportedOctetTotalCount */
	{164, 8}, /* ignoredPacketTotalCount */
	{166, 8}, /* notSentFlowTotalCount */
};

/* A record that is being written. */
struct record {
	uint8_t data[RECORD_MAX];
	size_t len;
};

/* Append the last @len bytes of a number, most significant first. */
static void put(struct record *record, uint64_t value, size_t len)
{
	uint64_t big_endian = htobe64(value);

	memcpy(record->data + record->len, (const uint8_t *)&big_endian + sizeof(value) - len, len);
	record->len += len;
}

static void put_text(struct record *record, const char *text, size_t len)
{
	memcpy(record->data + record->len, text, len);
	record->len += len;
}

static void store16(uint8_t *to, uint16_t value)
{
	value = htobe16(value);
	memcpy(to, &value, sizeof(value));
}

static void store32(uint8_t *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
}

/* Begin a message behind the others. */
static int begin_message(struct ipfix *ipfix)
{
	struct ipfix_message *messages = ipfix->messages;
	uint8_t *head;

	if (ipfix->len + ipfix->max > ipfix->size) {
		size_t size = 2 * ipfix->size + ipfix->max;
		uint8_t *data = realloc(ipfix->data, size);

		if (!data)
			return -ENOMEM;
		ipfix->data = data;
		ipfix->size = size;
	}
	if (ipfix->n == ipfix->n_size) {
		size_t n = 2 * ipfix->n_size + 8;

		messages = realloc(messages, n * sizeof(*messages));
		if (!messages)
			return -ENOMEM;
		ipfix->messages = messages;
		ipfix->n_size = n;
	}
	head = ipfix->data + ipfix->len;
	memset(head, 0, IPFIX_HEADER);
	store16(head, IPFIX_VERSION);
	store32(head + 12, ipfix->domain);
	messages[ipfix->n++] = (struct ipfix_message){.off = ipfix->len, .len = IPFIX_HEADER};
	ipfix->len += IPFIX_HEADER;
	ipfix->set_id = 0;
	return 0;
}

/* Append a record to the last message, or to a new one where it has no room. */
static int append(struct ipfix *ipfix, uint16_t set_id, const struct record *record)
{
	struct ipfix_message *message = ipfix->n ? &ipfix->messages[ipfix->n - 1] : NULL;

	if (!message || message->len + IPFIX_SET_HEADER + record->len > ipfix->max) {
		int err = begin_message(ipfix);

		if (err)
			return err;
		message = &ipfix->messages[ipfix->n - 1];
	}
	if (ipfix->set_id != set_id) {
		ipfix->set_id = set_id;
		ipfix->set_off = ipfix->len;
		store16(ipfix->data + ipfix->len, set_id);
		ipfix->len += IPFIX_SET_HEADER;
	}
	memcpy(ipfix->data + ipfix->len, record->data, record->len);
	ipfix->len += record->len;
	store16(ipfix->data + ipfix->set_off + 2, ipfix->len - ipfix->set_off);
	message->len = ipfix->len - message->off;
	store16(ipfix->data + message->off + 2, message->len);
	message->records += set_id >= IPFIX_FIRST_TEMPLATE;
	return 0;
}

static uint16_t template_id(enum kind kind, unsigned int v6)
{
	return IPFIX_FIRST_TEMPLATE + 2 * kind + v6;
}

/* Append the template of a kind of records. */
static int add_template(struct ipfix *ipfix, enum kind kind, unsigned int v6)
{
	struct record record = {.len = TEMPLATE_HEADER};
	uint16_t n = 0;

	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct field *field = &fields[i];

		if (!(field->kinds & 1 << kind))
			continue;
		put(&record, field->id[v6] | (field->is_reverse ? ENTERPRISE_BIT : 0), 2);
		put(&record, field->len[v6], 2);
		if (field->is_reverse)
			put(&record, IPFIX_REVERSE_PEN, 4);
		n++;
	}
	store16(record.data, template_id(kind, v6));
	store16(record.data + 2, n);
	return append(ipfix, IPFIX_TEMPLATE_SET, &record);
}

/* Append an options template with one scope field. */
static int add_options_template(struct ipfix *ipfix, uint16_t id, const uint16_t (*list)[2],
				size_t n)
{
	struct record record = {};

	put(&record, id, 2);
	put(&record, n, 2);
	put(&record, 1, 2);
	for (size_t i = 0; i < n; i++) {
		put(&record, list[i][0], 2);
		put(&record, list[i][1], 2);
	}
	return append(ipfix, IPFIX_OPTIONS_SET, &record);
}

/**
 * ipfix_add_templates() - Append all templates
 *
 * Return: 0 or -ENOMEM.
 */
int ipfix_add_templates(struct ipfix *ipfix)
{
	int err = 0;

	for (enum kind kind = 0; kind < KIND_MAX && !err; kind++)
		for (unsigned int v6 = 0; v6 < (kind == KIND_DROP_FRAME ? 1 : 2) && !err; v6++)
			err = add_template(ipfix, kind, v6);
	if (!err)
		err = add_options_template(ipfix, RULES_TEMPLATE, rule_fields,
					   sizeof(rule_fields) / sizeof(*rule_fields));
	if (!err)
		err = add_options_template(ipfix, METERING_TEMPLATE, metering_fields,
					   sizeof(metering_fields) / sizeof(*metering_fields));
	return err;
}

static enum kind kind_of(const struct flow_event *event, const struct uplink *uplink)
{
	switch (event->type) {
	case FLOW_EVENT_START:
		return uplink ? KIND_START_NAT : KIND_START;
	case FLOW_EVENT_END:
		return uplink ? KIND_END_NAT : KIND_END;
	default:
		return event->ip_version ? KIND_DROP : KIND_DROP_FRAME;
	}
}

static uint8_t end_reason(const struct flow_event *event)
{
	switch (event->cause) {
	case FLOW_CAUSE_TIMEOUT:
		return IDLE_TIMEOUT;
	case FLOW_CAUSE_EVICTED:
		return LACK_OF_RESOURCES;
	case FLOW_CAUSE_REVOKED:
		return FORCED_END;
	default:
		return END_OF_FLOW;
	}
}

static void put_addr(struct record *record, const union addr *addr, uint8_t len)
{
	put_text(record, (const char *)addr + sizeof(*addr) - len, len);
}

/* When the event's first packet came, in ms since the epoch. */
static uint64_t started_ms(const struct ipfix *ipfix, const struct flow_event *event)
{
	uint64_t ns = event->created_ns ? event->created_ns : event->time_ns;

	return (ns + ipfix->offset_ns) / (uint64_t)NS_PER_MS;
}

/* The interface by which packets of the opener come or go. */
static uint32_t interface_of(const struct flow_event *event, const struct uplink *uplink,
			     enum direction direction)
{
	if (event->direction == direction)
		return event->ifindex;
	return direction == DIR_EGRESS && uplink ? uplink->ifindex : 0;
}

/* The number that a field holds, addresses apart. */
static uint64_t number_of(const struct ipfix *ipfix, const struct field *field,
			  const struct flow_event *event, const struct uplink *uplink)
{
	bool has_ports = l4_has_ports(event->l4_proto);

	switch ((enum content)field->content) {
	case STARTED:
		return started_ms(ipfix, event);
	case ENDED:
		return (event->time_ns + ipfix->offset_ns) / (uint64_t)NS_PER_MS;
	case SPORT:
		return has_ports ? ntohs(event->port[0]) : 0;
	case DPORT:
		return has_ports ? ntohs(event->port[1]) : 0;
	case PROTOCOL:
		return event->l4_proto;
	case ICMP_TYPE_CODE:
		return event->icmp_type << 8 | event->icmp_code;
	case INGRESS_INTERFACE:
		return interface_of(event, uplink, DIR_INGRESS);
	case EGRESS_INTERFACE:
		return interface_of(event, uplink, DIR_EGRESS);
	case DIRECTION:
		return event->direction == DIR_EGRESS;
	case OPENER:
		return INITIATOR;
	case OPENER_PACKETS:
	case ANSWERER_PACKETS:
		return event->packets[field->content == ANSWERER_PACKETS];
	case OPENER_BYTES:
	case ANSWERER_BYTES:
		return event->bytes[field->content == ANSWERER_BYTES];
	case EVENT:
		return event->type == FLOW_EVENT_START ? FLOW_CREATED
		       : event->type == FLOW_EVENT_END ? FLOW_DELETED
						       : FLOW_DENIED;
	case END_REASON:
		return end_reason(event);
	case FLOW_ID:
		return flow_event_id(event);
	case RULE:
		return event->rule;
	case NAT_SPORT:
		return ntohs(event->snat_port);
	default:
		return 0;
	}
}

/**
 * ipfix_add_event() - Append a flow event
 * @ipfix: where to
 * @event: start, end, or drops that are summed up
 * @names: what it refers to
 *
 * Return: 0 or -ENOMEM.
 */
int ipfix_add_event(struct ipfix *ipfix, const struct flow_event *event,
		    const struct flow_event_names *names)
{
	const struct uplink *uplink = flow_event_uplink(event, names);
	unsigned int v6 = event->ip_version == IP_VERSION_6;
	enum kind kind = kind_of(event, uplink);
	struct record record = {};

	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct field *field = &fields[i];
		uint8_t len = field->len[v6];

		if (!(field->kinds & 1 << kind))
			continue;
		if (field->content == SRC || field->content == DST)
			put_addr(&record, &event->addr[field->content == DST], len);
		else if (field->content == NAT_SRC)
			put_addr(&record, uplink_addr(uplink, event->ip_version), len);
		else
			put(&record, number_of(ipfix, field, event, uplink), len);
	}
	return append(ipfix, template_id(kind, v6), &record);
}

/**
 * ipfix_add_rule() - Append which rule a number is
 * @ipfix: where to
 * @number: of the rule
 * @id: of the rule, as the policy has it
 *
 * Return: 0 or -ENOMEM.
 */
int ipfix_add_rule(struct ipfix *ipfix, uint32_t number, const char *id)
{
	size_t len = strnlen(id, UINT8_MAX - 1 - sizeof(uint64_t));
	struct record record = {};

	put(&record, number, 8);
	put(&record, len, 1); /* less than 255 (RFC 7011, section 7) */
	put_text(&record, id, len);
	return append(ipfix, RULES_TEMPLATE, &record);
}

/**
 * ipfix_add_statistics() - Append what the exporting process says of itself
 *
 * Return: 0 or -ENOMEM.
 */
int ipfix_add_statistics(struct ipfix *ipfix, const struct ipfix_statistics *statistics)
{
	struct record record = {};

	put(&record, ipfix->domain, 4);
	put(&record, statistics->messages, 8);
	put(&record, statistics->records, 8);
	put(&record, statistics->octets, 8);
	put(&record, statistics->unsampled, 8);
	put(&record, statistics->lost, 8);
	return append(ipfix, METERING_TEMPLATE, &record);
}

/**
 * ipfix_stamp() - Give a message what is only known when it is sent
 * @ipfix: where it is
 * @message: its index
 * @seconds: since the epoch
 * @sequence: data records that were sent before it in this session
 *
 * Return: the message.
 */
const uint8_t *ipfix_stamp(struct ipfix *ipfix, size_t message, uint32_t seconds, uint32_t sequence)
{
	uint8_t *head = ipfix->data + ipfix->messages[message].off;

	store32(head + 4, seconds);
	store32(head + 8, sequence);
	return head;
}

/**
 * ipfix_clear() - Forget all messages
 */
void ipfix_clear(struct ipfix *ipfix)
{
	ipfix->len = ipfix->n = 0;
	ipfix->set_id = 0;
}

/**
 * ipfix_free() - Free the buffers
 */
void ipfix_free(struct ipfix *ipfix)
{
	free(ipfix->data);
	free(ipfix->messages);
}
