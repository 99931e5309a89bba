/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules of a generation by their ids: numbers that outlive it, and hit counters.
 */
#ifndef SHRIKE_DATAPLANE_GENERATION_RULES_H
#define SHRIKE_DATAPLANE_GENERATION_RULES_H

#include "dataplane/generation.h"

/* A rule in force, with its hits of this and all earlier generations. */
struct rule_view {
	struct rule rule;
	uint32_t index;
};

int generation_fill_rules(const struct generation_spec *spec, struct generation *generation,
			  struct error *error);
int generation_carry_hits(const struct map_set *from, const struct generation *to,
			  struct error *error);
int generation_read_rules(const struct map_set *maps, struct rule_view **rules, size_t *n,
			  struct error *error);
void generation_sort_rules(struct rule_view *rules, size_t n);
const struct rule_view *generation_rule(const struct rule_view *rules, size_t n, uint32_t number);
const char *generation_rule_id(const struct rule_view *rules, size_t n, uint32_t number);

#endif /* SHRIKE_DATAPLANE_GENERATION_RULES_H */
