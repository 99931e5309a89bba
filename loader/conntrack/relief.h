/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Making room in tables of confirmed flows: what is expired goes at once, then flows by the shares
 * that their openers have of the table (shares.h).
 *
 * A table under pressure, which had no room for a flow, gets a little room at once.  When no more
 * pressure has come for RELIEF_SETTLE_NS, or where the sweep finds a table nearly full, that table
 * is relieved for some time to come.  Little at first, since a flood would fill any room again, and
 * with each round flows go that are in use.
 *
 * A step looks at some thousand entries, so that `run` can see to other things in between.  A table
 * is read twice; one pass over it may take all of a core, but then the next one waits for as long.
 */
#ifndef SHRIKE_CONNTRACK_RELIEF_H
#define SHRIKE_CONNTRACK_RELIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/removal.h"
#include "conntrack/shares.h"
#include "conntrack/tables.h"
#include "kernel/map_batch.h"

#define RELIEF_PRESSED_PERCENT 97 /* under pressure a table is relieved down to this */
#define RELIEF_FULL_PERCENT    96 /* otherwise, if it is fuller than this */
#define RELIEF_GOAL_PERCENT    94 /* down to this */
#define RELIEF_SETTLE_NS       800000000ull
#define RELIEF_IDLE	       UINT64_MAX /* nothing to wait for */

enum relief_need {
	RELIEF_PRESSED, /* a flow found no room */
	RELIEF_FULL,	/* nearly full */
};

/* What is to be done about a table, and when. */
struct relief_table {
	bool pressed;
	bool full;
	uint64_t pressed_ns; /* not before; CLOCK_MONOTONIC */
	uint64_t full_ns;
};

/*
 * struct relief - room to be made, and where that has got to
 * @deleted: called for each flow that was deleted, or NULL
 * @arg: for @deleted
 * @expired: flows deleted for their age
 * @evicted: flows deleted for room
 * @wait_ns: when to call relief_step() again, unless a request comes before; RELIEF_IDLE: never
 */
struct relief {
	removal_fn deleted;
	void *arg;
	uint64_t expired;
	uint64_t evicted;
	uint64_t wait_ns;

	/* private to relief.c */
	struct relief_table tables[CONNTRACK_TABLES];
	struct map_batch batch;
	struct shares shares;
	size_t at; /* table that is being relieved */
	bool active;
	bool evicting; /* second reading */
	enum relief_need why;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
};

void relief_init(struct relief *relief);
void relief_restart(struct relief *relief);
void relief_request(struct relief *relief, size_t table, enum relief_need need, uint64_t now_ns);
bool relief_is_wanted(const struct relief *relief);
int relief_step(struct relief *relief, const struct conntrack *conntrack,
		const struct flow_clock *clock, uint32_t max_entries, struct error *error);
void relief_free(struct relief *relief);

#endif /* SHRIKE_CONNTRACK_RELIEF_H */
