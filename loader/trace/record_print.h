/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a trace record says, in words: `trace` and `simulate` print nothing else.
 *
 * The words are the lists of trace_stage.h, reason.h and flow.h.  Records come from the kernel and
 * may be of any content: ids out of range are named "unknown" or left out, never followed.
 */
#ifndef SHRIKE_TRACE_RECORD_PRINT_H
#define SHRIKE_TRACE_RECORD_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/map_set.h"
#include "policy/names.h"
#include "trace_event.h"

#define RECORD_MESSAGE_MAX 256 /* bytes of any stage's message with its NUL */

/*
 * struct record_names - what a record refers to
 * @rule_id: of the rule with the number event->rule, NULL: no rule or a built-in one
 * @names: of addresses, NULL: they stay numbers
 * @interface: its name, for JSON only
 * @maps: of the generation, whose tables know the packet's connection, for JSON only
 */
struct record_names {
	const char *rule_id;
	const struct names *names;
	const char *interface;
	const struct map_set *maps;
};

/*
 * struct record_result - one packet of a scenario and what became of it
 * @event: its trace record
 * @rule_id: id of the rule with the number event->rule, NULL: no rule or a built-in one
 * @packet: the packet as it left, from the IP header on; may be NULL where @packet_len is 0
 * @n: which packet, from 0
 * @at_ns: virtual time
 */
struct record_result {
	const struct trace_event *event;
	const char *rule_id;
	const void *packet;
	size_t packet_len;
	size_t n;
	uint64_t at_ns;
};

#define RECORD_END "Final disposition: " /* before the last word of record_text() */

const char *record_disposition(const struct trace_event *event);
const char *record_stage_title(enum stage stage);

bool record_is_icmp(const struct trace_event *event);
bool record_has_ports(const struct trace_event *event);
const char *record_way_name(const struct trace_event *event);
bool record_message(const struct trace_event *event, const struct record_names *names,
		    enum stage stage, char *buf, size_t size);
bool record_allowed(const struct trace_event *event, enum stage stage);
void record_write_stages(const struct trace_event *event, const struct record_names *names,
			 const char *indent, FILE *out);
char *record_text(const struct trace_event *event, const struct record_names *names);
void record_write_line(const struct trace_event *event, const struct record_names *names,
		       FILE *out);
void record_write_details(const struct trace_event *event, FILE *out);
char *record_result_line(const struct record_result *result);

#endif /* SHRIKE_TRACE_RECORD_PRINT_H */
