/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ends of connections that no program reports.
 *
 * The kernel evicts openings from their small tables when many others come, and commands flush
 * tables; no program runs then.  So a listener keeps the connections whose start it has read, and
 * looks them up from time to time: a connection that is in no table, and whose end was not
 * reported, has ended without an event.
 */
#ifndef SHRIKE_CONNTRACK_MISSING_ENDS_H
#define SHRIKE_CONNTRACK_MISSING_ENDS_H

#include <stdint.h>

#include "base/error.h"
#include "conntrack/events.h"
#include "conntrack/tables.h"
#include "flow_event.h"
#include "kernel/map_set.h"

#define MISSING_ENDS_MAX  (1u << 17) /* connections in the list */
#define MISSING_ENDS_STEP 8192	     /* of them are looked up in each scan: some 10 ms */

struct missing_ends;

struct missing_ends *missing_ends_new(void);
void missing_ends_note(struct missing_ends *ends, const struct flow_event *event);
int missing_ends_begin(struct missing_ends *ends, const struct conntrack *conntrack,
		       const struct flow_clock *clock, uint32_t ifindex, struct error *error);
int missing_ends_scan(struct missing_ends *ends, const struct map_set *maps, uint64_t now_ns,
		      flow_on_event on_event, void *arg);
void missing_ends_clear(struct missing_ends *ends);
uint64_t missing_ends_skipped(const struct missing_ends *ends);
void missing_ends_free(struct missing_ends *ends);

#endif /* SHRIKE_CONNTRACK_MISSING_ENDS_H */
