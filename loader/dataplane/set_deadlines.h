/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When elements of named sets end: map set_deadline_v1 of the generation in force.
 *
 * The policy's text says how long an element stays, the map until when.  A text that is applied anew
 * gives its elements their time anew; one that is built from what is in force does not.  No program
 * reads the map: an element ends as it does by `policy set ... del`.
 */
#ifndef SHRIKE_DATAPLANE_SET_DEADLINES_H
#define SHRIKE_DATAPLANE_SET_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/attached.h"
#include "kernel/map_set.h"
#include "policy/policy.h"
#include "policy/sets.h"

#define SET_DEADLINE_NEVER UINT64_MAX
#define SET_TIMEOUT_CAUSE  "set timeout" /* of the generation without elements that have ended */

/*
 * struct set_expiry - for set_deadlines_expire()
 * @n: how many elements have ended
 * @subject: these, for the history: "friends 10.0.0.1, 2 more"
 */
struct set_expiry {
	size_t n;
	char subject[160];
};

uint64_t set_deadlines_now_ns(void);
size_t set_deadlines_count(const struct policy *policy);
int set_deadlines_plan(struct policy *policy, const struct map_set *previous,
		       const struct sets_change *renewed, struct error *error);
int set_deadlines_fill(const struct map_set *maps, const struct policy *policy,
		       struct error *error);
uint64_t set_deadlines_next(const struct map_set *maps);
int set_deadlines_text(const struct attached *attached, char **text, size_t *len,
		       struct error *error);
int set_deadlines_expire(const struct attached *attached, char **text, size_t *len, void *expiry,
			 struct error *error);

#endif /* SHRIKE_DATAPLANE_SET_DEADLINES_H */
