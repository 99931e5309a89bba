/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The id of a connection: the same in lists, events and traces, so that they can be joined.
 */
#ifndef SHRIKE_CONNTRACK_FLOW_ID_H
#define SHRIKE_CONNTRACK_FLOW_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "conntrack/flow_view.h"
#include "flow_event.h"
#include "flow_key.h"
#include "kernel/map_set.h"

#define FLOW_ID_LEN 17 /* 16 hexadecimal digits and a NUL */

uint64_t flow_event_id(const struct flow_event *event);
uint64_t flow_view_id(const struct flow_view *view);
const char *flow_id_text(uint64_t id, char text[FLOW_ID_LEN]);
bool flow_find(const struct map_set *maps, const struct tuple *tuple, uint64_t created_ns,
	       struct flow *flow);
bool flow_find_id(const struct map_set *maps, const struct tuple *tuple, uint64_t time_ns,
		  uint64_t *id);

#endif /* SHRIKE_CONNTRACK_FLOW_ID_H */
