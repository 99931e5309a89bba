/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ends that no program tells of.
 *
 * The kernel displaces openings from their small tables when many others come, and commands flush
 * tables, without any program hearing of it.  So a listener remembers whose start it has heard, and
 * looks for those connections from time to time: one that is in no table, and whose end was not
 * heard either, has ended without a word.
 */
#ifndef SHRIKE_CONNTRACK_MISSING_ENDS_H
#define SHRIKE_CONNTRACK_MISSING_ENDS_H

#include <stdint.h>

#include "base/error.h"
#include "conntrack/events.h"
#include "flow_event.h"
#include "kernel/map_set.h"

#define FLOW_FOLLOW_MAX	 (1u << 17) /* connections that are remembered */
#define FLOW_FOLLOW_STEP 8192	    /* of them are looked for each time: some 10 ms */

struct flow_follow;

struct flow_follow *flow_follow_new(void);
void flow_follow_hear(struct flow_follow *follow, const struct flow_event *event);
int flow_follow_look(struct flow_follow *follow, const struct map_set *maps, uint64_t now_ns,
		     flow_on_event on_event, void *arg);
void flow_follow_forget(struct flow_follow *follow);
uint64_t flow_follow_skipped(const struct flow_follow *follow);
void flow_follow_free(struct flow_follow *follow);

#endif /* SHRIKE_CONNTRACK_MISSING_ENDS_H */
