/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow events in words: a line each, or a JSON object.
 */
#ifndef SHRIKE_CONNTRACK_EVENT_PRINT_H
#define SHRIKE_CONNTRACK_EVENT_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_event.h"
#include "masquerade.h"
#include "policy/names.h"

#define FLOW_LINE_MAX 768 /* bytes of a line with its NUL */

/*
 * struct flow_event_names - what an event refers to
 * @interface: its name
 * @rule_id: of the rule with the number event->rule, NULL: none
 * @masquerade: what the programs know of the host's uplinks, NULL: nothing
 * @names: of addresses, NULL: they stay numbers
 * @offset_ns: as flow_clock_offset_ns() returned it
 * @human: lines have counts with units
 */
struct flow_event_names {
	const char *interface;
	const char *rule_id;
	const struct masquerade *masquerade;
	const struct names *names;
	uint64_t offset_ns;
	bool human;
};

uint64_t flow_clock_offset_ns(void);
void flow_event_line(const struct flow_event *event, const struct flow_event_names *names,
		     char line[FLOW_LINE_MAX]);
json_t *flow_event_json(const struct flow_event *event, const struct flow_event_names *names);
const struct uplink *flow_event_uplink(const struct flow_event *event,
				       const struct flow_event_names *names);

#endif /* SHRIKE_CONNTRACK_EVENT_PRINT_H */
