/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow events in words: a line each, or a JSON object.
 */
#ifndef SHRIKE_CONNTRACK_EVENT_PRINT_H
#define SHRIKE_CONNTRACK_EVENT_PRINT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_event.h"

#define FLOW_LINE_MAX 512 /* bytes of a line with its NUL */

uint64_t flow_event_id(const struct flow_event *event);
uint64_t flow_clock_offset_ns(void);
void flow_event_line(const struct flow_event *event, const char *rule_id, uint64_t offset_ns,
		     char line[FLOW_LINE_MAX]);
json_t *flow_event_json(const struct flow_event *event, const char *rule_id, uint64_t offset_ns);

#endif /* SHRIKE_CONNTRACK_EVENT_PRINT_H */
