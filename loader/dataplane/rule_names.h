/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ids of rule numbers for commands that follow an interface over changes of its policy: an id
 * once known stays known, as events may still speak of a rule that is gone.
 */
#ifndef SHRIKE_DATAPLANE_RULE_NAMES_H
#define SHRIKE_DATAPLANE_RULE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/map_set.h"
#include "rule.h"

struct rule_name {
	uint32_t number;
	char id[RULE_ID_MAX];
};

/* All zero: no names yet. */
struct rule_names {
	struct rule_name *names; /* sorted by number */
	size_t n;
};

int rule_names_read(struct rule_names *names, const struct map_set *maps, struct error *error);
void rule_names_seal(struct rule_names *names);
const char *rule_names_find(const struct rule_names *names, uint32_t number);
uint32_t rule_names_number(const struct rule_names *names, const char *id);
void rule_names_free(struct rule_names *names);

#endif /* SHRIKE_DATAPLANE_RULE_NAMES_H */
