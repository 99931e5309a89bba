/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/block_list.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

/* An address as a number. */
typedef unsigned __int128 number;

/* Addresses from first to last, blocked until a time; 0: without an end. */
struct span {
	number first;
	number last;
	uint64_t until_ns;
};

/**
 * block_list_prefix() - What an entry blocks
 */
struct prefix block_list_prefix(const struct blocked_peer *peer)
{
	return (struct prefix){
		.addr = peer->addr,
		.ip_version = peer->ip_version,
		.len = peer->prefix_len,
	};
}

/**
 * block_list_expire() - Take out what has ended
 * @list: the list
 * @now_ns: CLOCK_MONOTONIC
 */
void block_list_expire(struct block_list *list, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (!list->peers[i].until_ns || list->peers[i].until_ns > now_ns)
			list->peers[kept++] = list->peers[i];
	list->n = kept;
}

/**
 * block_list_find() - The entry of a prefix
 *
 * Return: NULL where exactly this one is not blocked.
 */
const struct blocked_peer *block_list_find(const struct block_list *list,
					   const struct prefix *prefix)
{
	for (size_t i = 0; i < list->n; i++) {
		struct prefix entry = block_list_prefix(&list->peers[i]);

		if (prefix_equal(&entry, prefix))
			return &list->peers[i];
	}
	return NULL;
}

/**
 * block_list_add() - Block a prefix, or until another time where it is blocked already
 * @list: the list
 * @prefix: what to block
 * @until_ns: CLOCK_MONOTONIC; 0: until it is taken out
 * @error: set on failure
 *
 * Return: 0; -ENOSPC: the list is full.
 */
int block_list_add(struct block_list *list, const struct prefix *prefix, uint64_t until_ns,
		   struct error *error)
{
	struct blocked_peer *peer = (struct blocked_peer *)block_list_find(list, prefix);

	if (!peer && list->n == BLOCKED_MAX)
		return error_set(error, ENOSPC,
				 "%d peers are blocked, and there is no room for more: block a "
				 "prefix, or use a rule of the policy with a set",
				 BLOCKED_MAX);
	if (!peer)
		peer = &list->peers[list->n++];
	*peer = (struct blocked_peer){
		.addr = prefix->addr,
		.until_ns = until_ns,
		.ip_version = prefix->ip_version,
		.prefix_len = prefix->len,
	};
	return 0;
}

/**
 * block_list_remove() - Let a prefix through again
 *
 * Return: whether it was blocked.
 */
bool block_list_remove(struct block_list *list, const struct prefix *prefix)
{
	const struct blocked_peer *found = block_list_find(list, prefix);
	size_t at;

	if (!found)
		return false;
	at = (size_t)(found - list->peers);
	memmove(&list->peers[at], &list->peers[at + 1], (--list->n - at) * sizeof(list->peers[0]));
	return true;
}

static number number_of(const union addr *addr)
{
	return (number)be64toh(addr->half[0]) << 64 | be64toh(addr->half[1]);
}

static struct span span_of(const struct prefix *prefix, uint64_t until_ns)
{
	unsigned int host_bits = prefix_bits(prefix->ip_version) - prefix->len;
	number first = number_of(&prefix->addr);

	return (struct span){
		.first = first,
		.last = host_bits < 128 ? first | (((number)1 << host_bits) - 1) : ~(number)0,
		.until_ns = until_ns,
	};
}

/*
 * What is to be blocked: the list, and as packets may show either address of a peer that is translated
 * 1:1, the other one of those that are in it.
 */
static size_t collect(const struct policy *policy, struct span *spans)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->blocked->n; i++) {
		const struct blocked_peer *peer = &policy->blocked->peers[i];
		struct prefix prefix = block_list_prefix(peer), other;

		spans[n++] = span_of(&prefix, peer->until_ns);
		for (size_t j = 0; j < policy->n_one_to_one; j++) {
			const struct nat_one_to_one *nat = &policy->one_to_one[j];

			other = (struct prefix){.ip_version = nat->ip_version,
						.len = prefix_bits(nat->ip_version)};
			other.addr = nat->original;
			if (prefix_contains_addr(&prefix, &nat->translated, nat->ip_version))
				spans[n++] = span_of(&other, peer->until_ns);
			other.addr = nat->translated;
			if (prefix_contains_addr(&prefix, &nat->original, nat->ip_version))
				spans[n++] = span_of(&other, peer->until_ns);
		}
	}
	return n;
}

static int compare_numbers(const void *a, const void *b)
{
	const number *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Whether an address is blocked, and then until when; where several spans say so, the latest. */
static bool find_end(const struct span *spans, size_t n, number at, uint64_t *until_ns)
{
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		if (at < spans[i].first || at > spans[i].last)
			continue;
		if (!found || !spans[i].until_ns || (*until_ns && spans[i].until_ns > *until_ns))
			*until_ns = spans[i].until_ns;
		found = true;
	}
	return found;
}

/* Add a range, or make the last one longer. */
static int add_range(struct blocked_table *table, const struct span *span, struct error *error)
{
	struct blocked_range *range = &table->ranges[table->n], *last = range - 1;
	number before = span->first - 1;

	if (table->n && last->until_ns == span->until_ns &&
	    last->last[0] == (uint64_t)(before >> 64) && last->last[1] == (uint64_t)before) {
		last->last[0] = (uint64_t)(span->last >> 64);
		last->last[1] = (uint64_t)span->last;
		return 0;
	}
	if (table->n == BLOCKED_RANGES)
		return error_set(error, ENOSPC,
				 "too many peers are blocked: with 1:1 translation they come to "
				 "more than %d ranges of addresses",
				 BLOCKED_RANGES);
	*range = (struct blocked_range){
		.first = {(uint64_t)(span->first >> 64), (uint64_t)span->first},
		.last = {(uint64_t)(span->last >> 64), (uint64_t)span->last},
		.until_ns = span->until_ns,
	};
	table->n++;
	return 0;
}

/* Make spans that may overlap a sorted table of ranges that do not; @edges has room for 2 * @n. */
static int fill(const struct span *spans, size_t n, number *edges, struct blocked_table *table,
		struct error *error)
{
	size_t n_edges = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		edges[n_edges++] = spans[i].first;
		if (spans[i].last != ~(number)0)
			edges[n_edges++] = spans[i].last + 1;
	}
	qsort(edges, n_edges, sizeof(*edges), compare_numbers);
	for (size_t i = 0; i < n_edges && !err; i++) {
		struct span span = {.first = edges[i],
				    .last = i + 1 < n_edges ? edges[i + 1] - 1 : ~(number)0};

		if (i + 1 < n_edges && edges[i + 1] == edges[i])
			continue;
		if (find_end(spans, n, span.first, &span.until_ns))
			err = add_range(table, &span, error);
	}
	return err;
}

/**
 * block_list_compile() - Make the table that the programs search
 * @policy: with the list, and 1:1 translations
 * @table: all zero, is filled
 * @error: set on failure
 *
 * Return: 0; -ENOSPC: the table is too small.
 */
int block_list_compile(const struct policy *policy, struct blocked_table *table,
		       struct error *error)
{
	size_t max = policy->blocked ? policy->blocked->n * (1 + 2 * policy->n_one_to_one) : 0, n;
	struct span *spans;
	number *edges;
	int err;

	if (!max)
		return 0;
	spans = calloc(max, sizeof(*spans));
	edges = calloc(2 * max, sizeof(*edges));
	if (spans && edges) {
		n = collect(policy, spans);
		err = fill(spans, n, edges, table, error);
	} else {
		err = error_no_memory(error);
	}
	free(spans);
	free(edges);
	if (err)
		return err;
	for (table->step = 1; table->step * 2 < table->n; table->step *= 2)
		;
	if (table->n == 1)
		table->step = 0;
	for (size_t i = table->n; i < BLOCKED_RANGES; i++)
		table->ranges[i] = (struct blocked_range){.first = {UINT64_MAX, UINT64_MAX}};
	return 0;
}
