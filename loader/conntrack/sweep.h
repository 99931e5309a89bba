/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Removing what has expired from the connection tables and from fragments_v2, a piece at a time.
 *
 * The dataplane does not honour expired entries, so the sweeper is about room, not about
 * correctness: it may be late, or not run at all, and no packet is judged differently.  Relief
 * (relief.h) is asked for where a table of confirmed flows turns out nearly full.
 *
 * Invariant: an entry that was refreshed after it was looked at stays (see map_remove_if()).
 */
#ifndef SHRIKE_CONNTRACK_SWEEP_H
#define SHRIKE_CONNTRACK_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/removal.h"
#include "conntrack/tables.h"
#include "kernel/map_batch.h"

#define SWEEP_PASS_NS 5000000000ull /* a pass over everything, where that is cheap */

struct relief;

/* What a table held at the end of the last full pass over it. */
struct sweep_fill {
	uint32_t entries;
	bool known; /* false before the first pass */
};

/*
 * struct sweep - a sweep over all tables, and where it is
 * @fragments_fd: fragments_v2, -1: none; may be changed between steps like the two below
 * @fragment_timeout_ns: as in struct config
 * @deleted: called for each flow that was deleted, or NULL
 * @arg: for @deleted
 * @relief: asked for room in tables that are nearly full, NULL: nobody is
 * @fill: by index into conntrack.tables; behind the last table, of fragments_v2
 * @entries: looked at since sweep_init()
 * @cost_ns: CPU time spent on them
 * @expired: flows deleted for their age
 * @wait_ns: when to call sweep_step() again: so that a pass takes 5 s, or longer where the sweeper
 *	would use more than 2 % of a core (20 % while it lags behind)
 */
struct sweep {
	int fragments_fd;
	uint64_t fragment_timeout_ns;
	removal_fn deleted;
	void *arg;
	struct relief *relief;
	struct sweep_fill fill[CONNTRACK_TABLES + 1];
	uint64_t entries;
	uint64_t cost_ns;
	uint64_t expired;
	uint64_t wait_ns;

	/* private to sweep.c */
	struct map_batch batch;
	size_t at;	  /* table being swept, conntrack.n: fragments_v2 */
	bool in_table;	  /* batch is a walk over it that is not done */
	uint32_t seen;	  /* entries of this pass over the table that stay */
	uint64_t removed; /* entries of all tables so far */
};

int sweep_init(struct sweep *sweep, struct error *error);
void sweep_restart(struct sweep *sweep);
int sweep_step(struct sweep *sweep, const struct conntrack *conntrack,
	       const struct flow_clock *clock, uint32_t max_entries, struct error *error);
void sweep_free(struct sweep *sweep);

#endif /* SHRIKE_CONNTRACK_SWEEP_H */
