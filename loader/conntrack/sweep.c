/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/sweep.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "conntrack/relief.h"
#include "conntrack/removal.h"
#include "fragment.h"

#define COST_PERCENT	  2  /* of a core, at most */
#define COST_PERCENT_BUSY 20 /* while most entries turn out dead */

_Static_assert(sizeof(struct fragment_key) <= MAP_BATCH_KEY_MAX, "keys fit the walk");
_Static_assert(sizeof(struct fragment) <= MAP_BATCH_VALUE_MAX, "values fit the walk");

/* What an entry is judged by, before and after it is taken out of its table. */
struct judge {
	const struct sweep *sweep;
	const struct flow_clock *clock;
	const struct conntrack_table *table; /* NULL: fragments_v2 */
};

/**
 * sweep_init() - Prepare to sweep
 * @sweep: to fill; the caller sets fragments and callbacks afterwards
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int sweep_init(struct sweep *sweep, struct error *error)
{
	struct map_batch batch;
	int err = map_batch_init(&batch, REMOVAL_STEP_ENTRIES, error);

	if (err)
		return err;
	memset(sweep, 0, sizeof(*sweep));
	sweep->batch = batch;
	sweep->fragments_fd = -1;
	return 0;
}

/**
 * sweep_restart() - Forget the position, because the tables were replaced by others
 * @sweep: the sweep
 */
void sweep_restart(struct sweep *sweep)
{
	sweep->at = 0;
	sweep->in_table = false;
	memset(sweep->fill, 0, sizeof(sweep->fill));
}

/**
 * sweep_free() - Release what a sweep holds
 * @sweep: initialised, or all zero
 */
void sweep_free(struct sweep *sweep)
{
	map_batch_free(&sweep->batch);
}

static bool flow_is_dead(const struct judge *judge, const struct flow *flow)
{
	return flow_overdue_ns(flow, judge->clock) > (int64_t)REMOVAL_GRACE_NS;
}

static bool flow_unwanted(const void *arg, const void *value)
{
	return flow_is_dead(arg, value);
}

static bool fragment_unwanted(const void *arg, const void *value)
{
	const struct judge *judge = arg;
	const struct fragment *fragment = value;

	return (int64_t)(judge->clock->now_ns - fragment->created_ns -
			 judge->sweep->fragment_timeout_ns) > (int64_t)REMOVAL_GRACE_NS;
}

static void flow_deleted(struct sweep *sweep, const struct judge *judge, const void *key,
			 const struct flow *flow)
{
	struct flow_view view;

	sweep->expired++;
	if (!sweep->deleted)
		return;
	conntrack_view(&view, judge->table, key, flow, judge->clock);
	sweep->deleted(sweep->arg, &view, REMOVAL_EXPIRED);
}

/* Remove an entry if it has expired; nobody reports those of fragments_v2. */
static int sweep_entry(struct sweep *sweep, const struct judge *judge, const void *key,
		       const void *value, struct error *error)
{
	const struct conntrack_table *table = judge->table;
	bool (*unwanted)(const void *, const void *) = table ? flow_unwanted : fragment_unwanted;
	uint64_t room[MAP_BATCH_VALUE_MAX / sizeof(uint64_t)];
	int removed = 0;

	if (unwanted(judge, value))
		removed = map_remove_if(sweep->batch.fd, key, room,
					&(struct map_condition){unwanted, judge}, error);
	if (removed < 0)
		return removed;
	sweep->removed += removed;
	if (!removed)
		sweep->seen++;
	else if (table)
		flow_deleted(sweep, judge, key, (const struct flow *)room);
	return 0;
}

static void begin_table(struct sweep *sweep, const struct conntrack_table *table)
{
	if (table)
		map_batch_rewind(&sweep->batch, table->fd, conntrack_key_size(table),
				 sizeof(struct flow));
	else
		map_batch_rewind(&sweep->batch, sweep->fragments_fd, sizeof(struct fragment_key),
				 sizeof(struct fragment));
	sweep->in_table = true;
	sweep->seen = 0;
}

static void end_table(struct sweep *sweep, const struct conntrack_table *table, uint64_t now_ns)
{
	sweep->fill[sweep->at].entries = sweep->seen;
	sweep->fill[sweep->at].known = true;
	sweep->in_table = false;
	if (sweep->relief && table && table->confirmed &&
	    sweep->seen > (uint64_t)table->max_entries * RELIEF_FULL_PERCENT / 100)
		relief_request(sweep->relief, sweep->at, RELIEF_FULL, now_ns);
	sweep->at++;
}

/* One batch of the table the sweep is at. */
static int sweep_batch(struct sweep *sweep, const struct conntrack *conntrack,
		       const struct flow_clock *clock, uint32_t max, struct error *error)
{
	const struct conntrack_table *table = sweep->at < conntrack->n
						      ? &conntrack->tables[sweep->at]
						      : NULL;
	struct map_batch *batch = &sweep->batch;
	struct judge judge = {sweep, clock, table};
	uint32_t i;
	int err;

	if (!sweep->in_table)
		begin_table(sweep, table);
	err = map_batch_next(batch, max, error);
	for (i = 0; !err && i < batch->count; i++)
		err = sweep_entry(sweep, &judge, batch->keys + (size_t)i * batch->key_size,
				  batch->values + (size_t)i * batch->value_size, error);
	if (err) {
		/* The other tables shall not wait for one that cannot be read. */
		sweep->in_table = false;
		sweep->at++;
		return err;
	}
	if (batch->done)
		end_table(sweep, table, clock->now_ns);
	return 0;
}

/* Entries of a whole pass: as the last one found them, else as many as can be. */
static uint64_t expected_entries(const struct sweep *sweep, const struct conntrack *conntrack)
{
	uint64_t total = sweep->fill[conntrack->n].entries;
	size_t t;

	for (t = 0; t < conntrack->n; t++)
		total += sweep->fill[t].known ? sweep->fill[t].entries
					      : conntrack->tables[t].max_entries;
	return total;
}

/* What a step has come to. */
struct step {
	uint32_t entries;
	uint64_t removed;
	uint64_t cost_ns;
	bool pass_done;
};

/*
 * Steps are spread so that a pass takes SWEEP_PASS_NS, or as long as its cost demands.  A table of
 * mostly dead entries is worth more CPU time: the sweeper lags behind.
 */
static uint64_t pause_ns(const struct sweep *sweep, const struct conntrack *conntrack,
			 const struct step *step)
{
	uint64_t entries = step->entries, cost_ns = step->cost_ns;
	bool busy = step->removed > entries / 2;
	uint64_t percent = busy ? COST_PERCENT_BUSY : COST_PERCENT;
	uint64_t for_cost_ns = cost_ns * (100 - percent) / percent;
	uint64_t total = expected_entries(sweep, conntrack);
	uint64_t for_pass_ns = 0;

	if (step->pass_done && entries >= total)
		for_pass_ns = SWEEP_PASS_NS;
	else if (total)
		for_pass_ns = SWEEP_PASS_NS * (entries < total ? entries : total) / total;
	return for_cost_ns > for_pass_ns ? for_cost_ns : for_pass_ns;
}

/**
 * sweep_step() - Sweep a bounded number of entries, from where the last step ended
 * @sweep: the sweep
 * @conntrack: the tables, the same ones as in the last step unless sweep_restart() was called
 * @clock: now and the timeouts
 * @max_entries: 1 or more, REMOVAL_STEP_ENTRIES for instance; a bucket of the hash table is never
 *	split, so that a few more may be looked at
 * @error: set on failure
 *
 * A step ends with the pass over all tables.  After a failure the next step goes on behind the
 * table that failed.
 *
 * Return: 0 or the negative errno of the kernel.
 */
int sweep_step(struct sweep *sweep, const struct conntrack *conntrack,
	       const struct flow_clock *clock, uint32_t max_entries, struct error *error)
{
	size_t end = conntrack->n + (sweep->fragments_fd >= 0);
	uint64_t start_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), removed = sweep->removed;
	struct step step = {};
	int err = 0;

	if (sweep->at >= end) {
		sweep->at = 0;
		sweep->in_table = false;
	}
	while (!err && sweep->at < end && step.entries < max_entries) {
		err = sweep_batch(sweep, conntrack, clock, max_entries - step.entries, error);
		if (!err)
			step.entries += sweep->batch.count;
	}
	step.removed = sweep->removed - removed;
	step.pass_done = sweep->at >= end;
	step.cost_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
	sweep->entries += step.entries;
	sweep->cost_ns += step.cost_ns;
	if (!err)
		sweep->wait_ns = pause_ns(sweep, conntrack, &step);
	return err;
}
