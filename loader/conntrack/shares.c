/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/shares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define IDLE_UNIT_SHIFT 20 /* idle times are kept in units of about a millisecond, up to 52 days */
#define FIRST_SOURCES	1024

/* Places in shares.sources that are of no peer. */
enum {
	SHARES_CLOSED,
	SHARES_OWN,
	SHARES_PEERS,
};

/*
 * struct shares_source - what is of one peer, or of one of the classes above
 * @id: a hash of the address
 * @count: flows
 * @quota: flows that may yet be taken
 * @idle: of those that have been idle for that long at least
 */
struct shares_source {
	uint64_t id;
	uint32_t count;
	uint32_t quota;
	uint32_t idle;
	uint32_t first; /* while there is a plan made: where its flows begin */
};

struct shares_flow {
	uint32_t source;
	uint32_t idle;
};

static int no_memory(struct error *error)
{
	return error_no_memory_for(error, "making room in a connection table");
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

/* Peers choose their addresses, but know no seed. */
static uint64_t address_id(const struct shares *shares, const union addr *addr)
{
	return mix(mix(addr->half[0] ^ shares->seed) + addr->half[1]);
}

static uint32_t *find_slot(const struct shares *shares, uint64_t id)
{
	uint32_t mask = shares->n_slots - 1, at = id & mask;

	while (shares->slots[at] && shares->sources[shares->slots[at]].id != id)
		at = (at + 1) & mask;
	return &shares->slots[at];
}

/* Room for twice the sources; half of the slots stay free. */
static int grow(struct shares *shares, struct error *error)
{
	uint32_t max = shares->max_sources ? 2 * shares->max_sources : FIRST_SOURCES;
	struct shares_source *sources = realloc(shares->sources, max * sizeof(*sources));
	uint32_t *slots;

	if (!sources)
		return no_memory(error);
	shares->sources = sources;
	slots = calloc(max, 2 * sizeof(*slots));
	if (!slots)
		return no_memory(error);
	free(shares->slots);
	shares->slots = slots;
	shares->max_sources = max;
	shares->n_slots = 2 * max;
	for (uint32_t i = SHARES_PEERS; i < shares->n_sources; i++)
		*find_slot(shares, sources[i].id) = i;
	return 0;
}

/**
 * shares_begin() - Begin to take note of a table's flows
 * @shares: to fill
 * @now_ns: CLOCK_MONOTONIC
 * @max_flows: of the table
 * @error: set on failure
 *
 * Return: 0, and shares_end() is to be called; or -ENOMEM.
 */
int shares_begin(struct shares *shares, uint64_t now_ns, uint32_t max_flows, struct error *error)
{
	struct shares made = {.now_ns = now_ns, .max_flows = max_flows};

	if (getrandom(&made.seed, sizeof(made.seed), GRND_NONBLOCK) != sizeof(made.seed))
		made.seed = now_ns;
	made.flows = malloc(((size_t)max_flows + 1) * sizeof(*made.flows));
	if (!made.flows || grow(&made, error)) {
		shares_end(&made);
		return no_memory(error);
	}
	memset(made.sources, 0, SHARES_PEERS * sizeof(*made.sources));
	made.n_sources = SHARES_PEERS;
	*shares = made;
	return 0;
}

static uint32_t idle_of(const struct shares *shares, const struct flow *flow)
{
	int64_t idle_ns = (int64_t)(shares->now_ns - flow->last_seen_ns);
	uint64_t idle = idle_ns > 0 ? (uint64_t)idle_ns >> IDLE_UNIT_SHIFT : 0;

	return idle < UINT32_MAX ? idle : UINT32_MAX;
}

/* SHARES_PEERS: look the source up. */
static uint32_t class_of(const struct flow *flow)
{
	if (flow->state == FLOW_STATE_TIME_WAIT || flow->state == FLOW_STATE_CLOSED)
		return SHARES_CLOSED;
	return flow->flags & FLOW_BY_PEER ? SHARES_PEERS : SHARES_OWN;
}

/**
 * shares_add() - Take note of a flow
 * @shares: begun, without a plan
 * @flow: the flow; one that is more than the table can hold is not noted
 * @source: address of its opener
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int shares_add(struct shares *shares, const struct flow *flow, const union addr *source,
	       struct error *error)
{
	uint32_t at = class_of(flow);

	if (shares->n_flows == shares->max_flows)
		return 0;
	if (at == SHARES_PEERS) {
		uint64_t id = address_id(shares, source);
		uint32_t *slot = find_slot(shares, id);

		if (!*slot && shares->n_sources == shares->max_sources) {
			if (grow(shares, error))
				return -ENOMEM;
			slot = find_slot(shares, id);
		}
		if (!*slot) {
			*slot = shares->n_sources++;
			shares->sources[*slot] = (struct shares_source){.id = id};
		}
		at = *slot;
	}
	shares->sources[at].count++;
	shares->flows[shares->n_flows++] = (struct shares_flow){.source = at,
								.idle = idle_of(shares, flow)};
	return 0;
}

/**
 * shares_count() - Flows that were added
 */
uint32_t shares_count(const struct shares *shares)
{
	return shares->n_flows;
}

/* What peers have beyond @level each. */
static uint64_t flows_above(const struct shares *shares, uint32_t level)
{
	uint64_t above = 0;

	for (uint32_t i = SHARES_PEERS; i < shares->n_sources; i++)
		if (shares->sources[i].count > level)
			above += shares->sources[i].count - level;
	return above;
}

/* The highest level to which peers can be cut down so that @excess flows go, or more. */
static uint32_t find_level(const struct shares *shares, uint32_t excess)
{
	uint32_t low = 0, high = shares->max_flows;

	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (flows_above(shares, middle) >= excess)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* The idle times of all flows, those of a source together; sets shares_source.first. */
static uint32_t *group(struct shares *shares)
{
	uint32_t *idle = malloc(((size_t)shares->n_flows + 1) * sizeof(*idle)), at = 0;

	if (!idle)
		return NULL;
	for (uint32_t i = 0; i < shares->n_sources; i++) {
		shares->sources[i].first = at;
		at += shares->sources[i].count;
	}
	for (uint32_t i = 0; i < shares->n_flows; i++)
		idle[shares->sources[shares->flows[i].source].first++] = shares->flows[i].idle;
	for (uint32_t i = 0; i < shares->n_sources; i++)
		shares->sources[i].first -= shares->sources[i].count;
	return idle;
}

/* Puts the @n longest of @count times first (Hoare's selection), in no order. */
static void longest_first(uint32_t *idle, uint32_t count, uint32_t n)
{
	int64_t low = 0, high = (int64_t)count - 1, wanted = (int64_t)n - 1;

	while (n && low < high) {
		uint32_t pivot = idle[low + (high - low) / 2];
		int64_t i = low, j = high;

		while (i <= j) {
			while (idle[i] > pivot)
				i++;
			while (idle[j] < pivot)
				j--;
			if (i <= j) {
				uint32_t swapped = idle[i];

				idle[i++] = idle[j];
				idle[j--] = swapped;
			}
		}
		if (wanted <= j)
			high = j;
		else if (wanted >= i)
			low = i;
		else
			break;
	}
}

/* The shortest of the @n longest of a source's idle times. */
static uint32_t nth_idle(uint32_t *idle, const struct shares_source *source, uint32_t n)
{
	uint32_t *of_source = idle + source->first, shortest = UINT32_MAX;

	longest_first(of_source, source->count, n);
	for (uint32_t i = 0; i < n; i++)
		if (of_source[i] < shortest)
			shortest = of_source[i];
	return shortest;
}

static void take(struct shares_source *source, uint32_t *idle, uint32_t quota)
{
	source->quota = quota;
	if (quota)
		source->idle = nth_idle(idle, source, quota);
}

/*
 * Cuts all peers down to @level + 1 flows, and as many of these as it takes to @level: those whose
 * next flow has been idle for longest.
 */
static int take_from_peers(struct shares *shares, uint32_t *idle, uint32_t level, uint32_t excess,
			   struct error *error)
{
	uint32_t last = excess - flows_above(shares, level + 1), n = 0, shortest, ties;
	uint32_t *next = malloc(((size_t)shares->n_sources + 1) * sizeof(*next));

	if (!next)
		return no_memory(error);
	for (uint32_t i = SHARES_PEERS; i < shares->n_sources; i++) {
		struct shares_source *source = &shares->sources[i];

		if (source->count > level)
			next[n++] = nth_idle(idle, source, source->count - level);
	}
	longest_first(next, n, last);
	shortest = UINT32_MAX;
	for (uint32_t i = 0; i < last; i++)
		shortest = next[i] < shortest ? next[i] : shortest;
	ties = 0;
	for (uint32_t i = 0; i < last; i++)
		ties += next[i] == shortest;
	for (uint32_t i = SHARES_PEERS; i < shares->n_sources; i++) {
		struct shares_source *source = &shares->sources[i];
		uint32_t its;

		if (source->count <= level)
			continue;
		its = nth_idle(idle, source, source->count - level);
		if (last && (its > shortest || (its == shortest && ties))) {
			ties -= its == shortest;
			take(source, idle, source->count - level);
		} else {
			take(source, idle, source->count - level - 1);
		}
	}
	free(next);
	return 0;
}

/**
 * shares_plan() - Decide what goes
 * @shares: with all flows added; none can be added any more
 * @excess: flows that are to go
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int shares_plan(struct shares *shares, uint32_t excess, struct error *error)
{
	struct shares_source *closed = &shares->sources[SHARES_CLOSED];
	struct shares_source *own = &shares->sources[SHARES_OWN];
	uint32_t *idle = group(shares), of_peers;
	int err = 0;

	if (!idle)
		return no_memory(error);
	take(closed, idle, excess < closed->count ? excess : closed->count);
	excess -= closed->quota;
	of_peers = shares->n_flows - closed->count - own->count;
	if (of_peers > excess)
		of_peers = excess;
	if (of_peers)
		err = take_from_peers(shares, idle, find_level(shares, of_peers), of_peers, error);
	excess -= of_peers;
	take(own, idle, excess < own->count ? excess : own->count);
	free(idle);
	free(shares->flows);
	shares->flows = NULL;
	return err;
}

static struct shares_source *source_of(const struct shares *shares, const struct flow *flow,
				       const union addr *addr)
{
	uint32_t at = class_of(flow);

	if (at == SHARES_PEERS)
		at = *find_slot(shares, address_id(shares, addr));
	else
		return &shares->sources[at];
	return at ? &shares->sources[at] : NULL;
}

/**
 * shares_takes() - Whether a flow is to go
 * @shares: with a plan
 * @flow: as it is now
 * @source: address of its opener
 */
bool shares_takes(const struct shares *shares, const struct flow *flow, const union addr *source)
{
	const struct shares_source *found = source_of(shares, flow, source);

	return found && found->quota && idle_of(shares, flow) >= found->idle;
}

/**
 * shares_taken() - A flow has gone that shares_takes() said was to go
 */
void shares_taken(struct shares *shares, const struct flow *flow, const union addr *source)
{
	struct shares_source *found = source_of(shares, flow, source);

	if (found && found->quota)
		found->quota--;
}

/**
 * shares_end() - Release what was noted
 * @shares: begun, or all zero
 */
void shares_end(struct shares *shares)
{
	free(shares->sources);
	free(shares->slots);
	free(shares->flows);
	memset(shares, 0, sizeof(*shares));
}
