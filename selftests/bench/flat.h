/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules without lists: what the ways of judging that shrike is compared to are fed with.
 */
#ifndef SHRIKE_BENCH_FLAT_H
#define SHRIKE_BENCH_FLAT_H

#include <stdbool.h>

#include "model/rulesets.h"

/* A rule, or a part of one that names lists. */
struct flat_rule {
	const struct prefix *source; /* NULL: any */
	const struct prefix *destination;
	struct port_range sport; /* compared for TCP and UDP only */
	struct port_range dport;
	uint16_t protocol; /* 0-255 or PROTOCOL_ALL */
	enum acl acl;
	bool allow;
	uint32_t rule; /* what classify() returns for it */
};

size_t flat_rules(const struct ruleset *set, struct flat_rule **rules);

#endif /* SHRIKE_BENCH_FLAT_H */
