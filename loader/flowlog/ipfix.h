/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages of IPFIX (RFC 7011): templates, flow events, rules and statistics, without a socket.
 *
 * Information elements are IANA's; those of the answerer's counters are the reverse ones of
 * RFC 5103.  The source of a record is always the end that opened the flow.
 */
#ifndef SHRIKE_FLOWLOG_IPFIX_H
#define SHRIKE_FLOWLOG_IPFIX_H

#include <stddef.h>
#include <stdint.h>

#include "conntrack/event_print.h"
#include "flow_event.h"

#define IPFIX_VERSION	     10
#define IPFIX_HEADER	     16	 /* bytes of a message's header */
#define IPFIX_SET_HEADER     4	 /* bytes of a set's header */
#define IPFIX_MESSAGE_MIN    512 /* RFC 7011 10.3.3: where the path's MTU is not known */
#define IPFIX_MESSAGE_MAX    1400
#define IPFIX_REVERSE_PEN    29305 /* RFC 5103 */
#define IPFIX_TEMPLATE_SET   2
#define IPFIX_OPTIONS_SET    3
#define IPFIX_FIRST_TEMPLATE 256

/* What the exporting process says of itself (RFC 7011, section 4). */
struct ipfix_statistics {
	uint64_t messages;
	uint64_t records;
	uint64_t octets;
	uint64_t unsampled; /* dropped packets that are in no record */
	uint64_t lost;	    /* events that are in no record */
};

/* A message in the buffer; its export time and sequence number are filled when it is sent. */
struct ipfix_message {
	size_t off;
	size_t len;
	uint32_t records; /* of data, as sequence numbers count them */
};

/* All zero but for the first three: empty. */
struct ipfix {
	uint32_t domain;    /* observation domain: the index of the interface */
	uint16_t max;	    /* bytes of a message */
	uint64_t offset_ns; /* as flow_clock_offset_ns() */
	uint8_t *data;
	size_t len;
	size_t size;
	struct ipfix_message *messages;
	size_t n;
	size_t n_size;
	size_t set_off;	 /* of the set that is open */
	uint16_t set_id; /* 0: none is */
};

int ipfix_add_templates(struct ipfix *ipfix);
int ipfix_add_event(struct ipfix *ipfix, const struct flow_event *event,
		    const struct flow_event_names *names);
int ipfix_add_rule(struct ipfix *ipfix, uint32_t number, const char *id);
int ipfix_add_statistics(struct ipfix *ipfix, const struct ipfix_statistics *statistics);
const uint8_t *ipfix_stamp(struct ipfix *ipfix, size_t message, uint32_t seconds,
			   uint32_t sequence);
void ipfix_clear(struct ipfix *ipfix);
void ipfix_free(struct ipfix *ipfix);

#endif /* SHRIKE_FLOWLOG_IPFIX_H */
