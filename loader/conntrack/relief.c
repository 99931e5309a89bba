/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/relief.h"

#include <string.h>

#include "conntrack/removal.h"

/* What an entry is judged by, before and after it is taken out of its table. */
struct judge {
	const struct relief *relief;
	const struct conntrack_table *table;
	const struct flow_clock *clock;
	const void *key;
};

/**
 * relief_init() - Begin with nothing to do
 * @relief: to fill; the caller sets callbacks afterwards
 */
void relief_init(struct relief *relief)
{
	memset(relief, 0, sizeof(*relief));
}

static void abandon(struct relief *relief)
{
	shares_end(&relief->shares);
	map_batch_free(&relief->batch);
	relief->active = false;
}

/**
 * relief_restart() - Forget what was to be done, because the tables were replaced by others
 * @relief: the relief
 */
void relief_restart(struct relief *relief)
{
	abandon(relief);
	memset(relief->tables, 0, sizeof(relief->tables));
}

/**
 * relief_free() - Release what a relief holds
 * @relief: initialised, or all zero
 */
void relief_free(struct relief *relief)
{
	abandon(relief);
}

/**
 * relief_request() - Ask for room in a table
 * @relief: the relief; relief_step() is to be called at once
 * @table: index into conntrack.tables, of a confirmed one
 * @need: why
 * @now_ns: CLOCK_MONOTONIC
 */
void relief_request(struct relief *relief, size_t table, enum relief_need need, uint64_t now_ns)
{
	struct relief_table *todo = &relief->tables[table];

	if (need == RELIEF_PRESSED) {
		todo->pressed = true;
	} else if (!todo->full) {
		todo->full = true;
		todo->full_ns = now_ns;
	}
}

/**
 * relief_is_wanted() - Whether relief_step() has anything to do, now or later
 */
bool relief_is_wanted(const struct relief *relief)
{
	for (size_t t = 0; t < CONNTRACK_TABLES; t++)
		if (relief->tables[t].pressed || relief->tables[t].full)
			return true;
	return relief->active;
}

static int64_t until(uint64_t due_ns, uint64_t now_ns)
{
	return (int64_t)(due_ns - now_ns);
}

/*
 * Finds the table to begin with; else how long there is none, RELIEF_IDLE: nothing is to be done.
 */
static bool find_due(struct relief *relief, size_t n, uint64_t now_ns)
{
	relief->wait_ns = RELIEF_IDLE;
	for (enum relief_need need = RELIEF_PRESSED; need <= RELIEF_FULL; need++) {
		for (size_t t = 0; t < n; t++) {
			const struct relief_table *todo = &relief->tables[t];
			bool is_wanted = need == RELIEF_PRESSED ? todo->pressed : todo->full;
			int64_t left = until(
				need == RELIEF_PRESSED ? todo->pressed_ns : todo->full_ns, now_ns);

			if (is_wanted && left <= 0) {
				relief->at = t;
				relief->why = need;
				return true;
			}
			if (is_wanted && (uint64_t)left < relief->wait_ns)
				relief->wait_ns = left;
		}
	}
	return false;
}

/* Begin the first reading of the table that is due. */
static int begin(struct relief *relief, const struct conntrack_table *table, uint64_t now_ns,
		 struct error *error)
{
	struct relief_table *todo = &relief->tables[relief->at];
	int err;

	if (relief->why == RELIEF_PRESSED)
		todo->pressed = false;
	else
		todo->full = false;
	err = shares_begin(&relief->shares, now_ns, table->max_entries, error);
	if (!err)
		err = map_batch_init(&relief->batch, REMOVAL_STEP_ENTRIES, error);
	if (!err)
		map_batch_rewind(&relief->batch, table->fd, conntrack_key_size(table),
				 sizeof(struct flow));
	relief->active = true;
	relief->evicting = false;
	relief->start_ns = now_ns;
	return err;
}

static bool is_dead(const struct judge *judge, const struct flow *flow)
{
	return flow_overdue_ns(flow, judge->clock) > (int64_t)REMOVAL_GRACE_NS;
}

static bool is_unwanted(const void *arg, const void *value)
{
	const struct judge *judge = arg;
	union addr source;

	if (is_dead(judge, value))
		return true;
	if (!judge->relief->evicting)
		return false;
	conntrack_opener(judge->table, judge->key, value, &source);
	return shares_takes(&judge->relief->shares, value, &source);
}

/* Count a removed flow, and report it. */
static void report_removal(struct relief *relief, const struct judge *judge,
			   const struct flow *flow)
{
	bool dead = is_dead(judge, flow);
	struct flow_view view;

	if (dead)
		relief->expired++;
	else
		relief->evicted++;
	if (!relief->deleted)
		return;
	conntrack_view(&view, judge->table, judge->key, flow, judge->clock);
	relief->deleted(relief->arg, &view, dead ? REMOVAL_EXPIRED : REMOVAL_EVICTED);
}

/* Remove a flow if it has to go; otherwise the first reading counts it. */
static int look_at(struct relief *relief, const struct judge *judge, const void *value,
		   struct error *error)
{
	struct flow flow;
	union addr source;
	int removed = 0;

	memcpy(&flow, value, sizeof(flow));
	if (is_unwanted(judge, &flow))
		removed = map_remove_if(judge->table->fd, judge->key, &flow,
					&(struct map_condition){is_unwanted, judge}, error);
	if (removed < 0)
		return removed;
	conntrack_opener(judge->table, judge->key, &flow, &source);
	if (removed && relief->evicting && !is_dead(judge, &flow))
		shares_taken(&relief->shares, &flow, &source);
	if (removed)
		report_removal(relief, judge, &flow);
	else if (!relief->evicting)
		return shares_add(&relief->shares, &flow, &source, error);
	return 0;
}

/* How many flows of a table are to go, now that what is expired has gone. */
static uint32_t excess(const struct relief *relief, const struct conntrack_table *table)
{
	bool pressed = relief->why == RELIEF_PRESSED;
	uint32_t limit = pressed ? RELIEF_PRESSED_PERCENT : RELIEF_FULL_PERCENT;
	uint32_t goal = pressed ? RELIEF_PRESSED_PERCENT : RELIEF_GOAL_PERCENT;
	uint32_t flows = shares_count(&relief->shares);

	if (flows <= (uint64_t)table->max_entries * limit / 100)
		return 0;
	return flows - (uint64_t)table->max_entries * goal / 100;
}

static void end(struct relief *relief, uint64_t now_ns)
{
	struct relief_table *todo = &relief->tables[relief->at];

	todo->pressed_ns = now_ns + (now_ns - relief->start_ns);
	if (relief->why == RELIEF_PRESSED) {
		todo->full = true;
		todo->full_ns = now_ns + RELIEF_SETTLE_NS;
	}
	abandon(relief);
}

/* All entries have been read. */
static int end_reading(struct relief *relief, const struct conntrack_table *table, uint64_t now_ns,
		       struct error *error)
{
	uint32_t too_many = relief->evicting ? 0 : excess(relief, table);
	int err;

	if (!too_many) {
		end(relief, now_ns);
		return 0;
	}
	err = shares_plan(&relief->shares, too_many, error);
	map_batch_rewind(&relief->batch, table->fd, conntrack_key_size(table), sizeof(struct flow));
	relief->evicting = true;
	return err;
}

/* Read the next entries of the table. */
static int read_on(struct relief *relief, const struct conntrack_table *table,
		   const struct flow_clock *clock, uint32_t max_entries, struct error *error)
{
	struct judge judge = {.relief = relief, .table = table, .clock = clock};
	struct map_batch *batch = &relief->batch;
	int err = map_batch_next(batch, max_entries, error);

	for (uint32_t i = 0; !err && i < batch->count; i++) {
		judge.key = batch->keys + (size_t)i * batch->key_size;
		err = look_at(relief, &judge, batch->values + (size_t)i * batch->value_size, error);
	}
	if (!err && batch->done)
		err = end_reading(relief, table, clock->now_ns, error);
	return err;
}

/**
 * relief_step() - Go on making room where it is needed
 * @relief: the relief
 * @conntrack: the tables, the same ones as in the last step unless relief_restart() was called
 * @clock: now and the timeouts
 * @max_entries: to look at, 1 or more
 * @error: set on failure; the table is then given up
 *
 * Return: 0, -ENOMEM or the negative errno of the kernel.
 */
int relief_step(struct relief *relief, const struct conntrack *conntrack,
		const struct flow_clock *clock, uint32_t max_entries, struct error *error)
{
	const struct conntrack_table *table;
	int err = 0;

	if (!relief->active && !find_due(relief, conntrack->n, clock->now_ns))
		return 0;
	relief->wait_ns = 0;
	table = &conntrack->tables[relief->at];
	if (!relief->active)
		err = begin(relief, table, clock->now_ns, error);
	if (!err)
		err = read_on(relief, table, clock, max_entries, error);
	if (err)
		abandon(relief);
	return err;
}
