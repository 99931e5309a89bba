/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policies that were in force on an interface, by when: the one in force now, and those of its
 * history.
 */
#ifndef SHRIKE_DATAPLANE_PAST_POLICIES_H
#define SHRIKE_DATAPLANE_PAST_POLICIES_H

#include "dataplane/attached.h"
#include "policy/parse.h"

/*
 * struct past_policy - one of them
 * @number: in the history; 0: the one in force now
 * @generation: that it came with
 * @from_ns: CLOCK_REALTIME when it came into force
 * @policy: without NetBird's part, unless it is in force now
 */
struct past_policy {
	uint32_t number;
	uint32_t generation;
	uint64_t from_ns;
	struct policy *policy;
};

/* All zero: none.  The oldest first; the last one is in force now. */
struct past_policies {
	struct past_policy *list;
	size_t n;
};

int past_policies_begin(struct past_policies *past, size_t n, struct error *error);
int past_policies_add(struct past_policies *past, const struct past_policy *policy,
		      const struct policy_text *text, struct error *error);
int past_policies_read(struct past_policies *past, const char *ifname,
		       const struct attached *attached, struct error *error);
const struct past_policy *past_policies_find(const struct past_policies *past, uint32_t generation,
					     uint64_t time_ns);
void past_policies_free(struct past_policies *past);

#endif /* SHRIKE_DATAPLANE_PAST_POLICIES_H */
