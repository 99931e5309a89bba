/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has how much of a table, and what goes so that others find room in it.
 *
 * Order: closed flows; then those that peers have opened, from the source that has most until it
 * has no more than the next one, and so on; flows of this host last.  Of one source those that have
 * been idle for longest go first.
 *
 * A table is read twice: shares_add() takes note of all flows, shares_plan() decides, and
 * shares_takes() is asked about each flow again.  In between, 8 bytes are kept for a flow and some
 * 40 for a source.
 */
#ifndef SHRIKE_CONNTRACK_SHARES_H
#define SHRIKE_CONNTRACK_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/error.h"
#include "flow.h"

struct shares_source;
struct shares_flow;

/*
 * struct shares - the flows of one table
 * @now_ns: when the table was begun to be read; idle times count to it
 */
struct shares {
	uint64_t now_ns;

	/* private to shares.c */
	uint64_t seed;
	struct shares_source *sources; /* the first two are none: closed flows, and this host's */
	uint32_t n_sources;
	uint32_t max_sources;
	uint32_t *slots; /* place in sources, by a hash of the address; 0: free */
	uint32_t n_slots;
	struct shares_flow *flows; /* NULL once there is a plan */
	uint32_t n_flows;
	uint32_t max_flows;
};

int shares_begin(struct shares *shares, uint64_t now_ns, uint32_t max_flows, struct error *error);
int shares_add(struct shares *shares, const struct flow *flow, const union addr *source,
	       struct error *error);
uint32_t shares_count(const struct shares *shares);
int shares_plan(struct shares *shares, uint32_t excess, struct error *error);
bool shares_takes(const struct shares *shares, const struct flow *flow, const union addr *source);
void shares_taken(struct shares *shares, const struct flow *flow, const union addr *source);
void shares_end(struct shares *shares);

#endif /* SHRIKE_CONNTRACK_SHARES_H */
