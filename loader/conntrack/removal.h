/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the sweep (sweep.h) and making room (relief.h) have in common as they remove flows.
 */
#ifndef SHRIKE_CONNTRACK_REMOVAL_H
#define SHRIKE_CONNTRACK_REMOVAL_H

#include "conntrack/flow_view.h"

#define REMOVAL_STEP_ENTRIES 4096     /* a good step: 2 ms, 15 ms if all of them go */
#define REMOVAL_GRACE_NS     NS_PER_S /* past the timeout; then the dataplane is sure to agree */

enum removal_reason {
	REMOVAL_EXPIRED,
	REMOVAL_EVICTED, /* to make room */
};

/* Called for each flow that was removed. */
typedef void (*removal_fn)(void *arg, const struct flow_view *view, enum removal_reason reason);

#endif /* SHRIKE_CONNTRACK_REMOVAL_H */
