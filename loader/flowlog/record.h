/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of a flow log as text: objects, and lines of them.
 */
#ifndef SHRIKE_FLOWLOG_RECORD_H
#define SHRIKE_FLOWLOG_RECORD_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "conntrack/event_print.h"
#include "conntrack/flow_log.h"

/* Text that grows.  All zero: empty. */
struct text {
	char *data;
	size_t len;
	size_t size;
};

json_t *record_of_event(const struct flow_event *event, const struct flow_event_names *names);
json_t *record_of_losses(const struct flow_log_losses *losses, const char *interface,
			 uint64_t time_ns);
int text_append(struct text *text, const void *data, size_t len);
int text_append_json(struct text *text, json_t *json);

#endif /* SHRIKE_FLOWLOG_RECORD_H */
