/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many flows there are, by table and state.
 */
#ifndef SHRIKE_CONNTRACK_CENSUS_H
#define SHRIKE_CONNTRACK_CENSUS_H

#include <jansson.h>

#include "conntrack/tables.h"

struct census {
	struct conntrack conntrack;
	uint64_t flows[CONNTRACK_TABLES][FLOW_STATE_MAX];
};

int census_take(const struct map_set *maps, const struct flow_clock *clock, struct census *census,
		struct error *error);
json_t *census_tables(const struct census *census);
json_t *census_states(const struct census *census);

#endif /* SHRIKE_CONNTRACK_CENSUS_H */
