/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/remainder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_GROUP UINT32_MAX

/* Boxes that still count, as numbers of remainder.others. */
struct numbers {
	uint32_t *list;
	size_t n;
};

/* Where a box begins or ends in a dimension; @who is its place among the active ones. */
struct edge {
	point at;
	uint32_t who;
	bool begins;
};

/* Values among which the same boxes are. */
struct group {
	uint64_t hash;
	size_t set; /* where in cut.sets its boxes begin */
	size_t n;
	size_t n_ranges;
	struct ranges ranges;
};

struct piece {
	struct range range;
	uint32_t group;
};

/*
 * struct cut - one dimension of a product, at the edges of boxes
 * @now: the boxes at the value that was reached; @place: where in it a box is
 * @slots: hash table: 1 + number of a group
 * @sets: the boxes of each group, one behind the other, as places among the active ones
 */
struct cut {
	struct remainder *remainder;
	struct edge *edges;
	size_t n_edges;
	struct numbers now;
	uint32_t *place;
	uint64_t hash;
	struct group *groups;
	size_t n_groups;
	uint32_t *slots;
	size_t mask;
	uint32_t *sets;
	size_t n_sets, sets_room;
	struct piece *pieces;
	size_t n_pieces, pieces_room;
};

/* Count work; an error where it is too much. */
static int spend(struct remainder *remainder, size_t work)
{
	struct product_pool *pool = remainder->pool;

	pool->work += work;
	if (pool->work > pool->work_max && !pool->error)
		pool->error = -E2BIG;
	return pool->error;
}

static int no_memory(struct remainder *remainder)
{
	remainder->pool->error = -ENOMEM;
	return -ENOMEM;
}

/* Sets of boxes are looked up by the sum of their hashes (splitmix64). */
static uint64_t hash_of(uint32_t who)
{
	uint64_t z = (who + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* ---- edges ---- */

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static bool is_whole(const struct remainder *remainder, uint32_t who, int dim)
{
	return remainder->covers[who] >> dim & 1;
}

/* Note the edges of the boxes that do not have all values of the list. */
static int find_edges(struct cut *cut, int dim, const struct ranges *list,
		      const struct numbers *active)
{
	struct remainder *remainder = cut->remainder;
	size_t room = 0;

	for (size_t i = 0; i < active->n; i++)
		if (!is_whole(remainder, active->list[i], dim))
			room += 2 *
				ranges_window(&remainder->others[active->list[i]]->dim[dim], list)
					.n;
	cut->edges = malloc((room + 1) * sizeof(*cut->edges));
	if (!cut->edges)
		return no_memory(remainder);
	for (size_t i = 0; i < active->n; i++) {
		struct ranges window = {};

		if (!is_whole(remainder, active->list[i], dim))
			window = ranges_window(&remainder->others[active->list[i]]->dim[dim], list);
		for (size_t j = 0; j < window.n; j++) {
			cut->edges[cut->n_edges++] = (struct edge){window.list[j].first, i, true};
			if (window.list[j].last != ~(point)0)
				cut->edges[cut->n_edges++] = (struct edge){window.list[j].last + 1,
									   i, false};
		}
	}
	qsort(cut->edges, cut->n_edges, sizeof(*cut->edges), compare_edges);
	return spend(remainder, room + active->n);
}

static void pass_edge(struct cut *cut, const struct edge *edge)
{
	if (edge->begins) {
		cut->place[edge->who] = cut->now.n;
		cut->now.list[cut->now.n++] = edge->who;
		cut->hash += hash_of(edge->who);
	} else {
		uint32_t last = cut->now.list[--cut->now.n];

		cut->now.list[cut->place[edge->who]] = last;
		cut->place[last] = cut->place[edge->who];
		cut->place[edge->who] = NO_GROUP;
		cut->hash -= hash_of(edge->who);
	}
}

/* ---- groups ---- */

static bool is_group(const struct cut *cut, const struct group *group)
{
	if (group->hash != cut->hash || group->n != cut->now.n)
		return false;
	for (size_t i = 0; i < group->n; i++)
		if (cut->place[cut->sets[group->set + i]] == NO_GROUP)
			return false;
	return true;
}

/* Make a group of the boxes that there are now. */
static int add_group(struct cut *cut, size_t slot)
{
	if (cut->sets_room - cut->n_sets < cut->now.n) {
		size_t room = 2 * cut->sets_room + cut->now.n + 64;
		uint32_t *sets = realloc(cut->sets, room * sizeof(*sets));

		if (!sets)
			return no_memory(cut->remainder);
		cut->sets = sets;
		cut->sets_room = room;
	}
	if (cut->now.n)
		memcpy(cut->sets + cut->n_sets, cut->now.list, cut->now.n * sizeof(*cut->sets));
	cut->groups[cut->n_groups] =
		(struct group){.hash = cut->hash, .set = cut->n_sets, .n = cut->now.n};
	cut->n_sets += cut->now.n;
	cut->slots[slot] = ++cut->n_groups;
	return 0;
}

/* Add a range of values to the group of the boxes that there are now. */
static int add_piece(struct cut *cut, struct range range)
{
	size_t slot = cut->hash & cut->mask;
	struct piece *pieces;

	while (cut->slots[slot] && !is_group(cut, &cut->groups[cut->slots[slot] - 1]))
		slot = (slot + 1) & cut->mask;
	if (!cut->slots[slot] && add_group(cut, slot))
		return -ENOMEM;
	if (cut->n_pieces == cut->pieces_room) {
		cut->pieces_room = 2 * cut->pieces_room + 64;
		pieces = realloc(cut->pieces, cut->pieces_room * sizeof(*pieces));
		if (!pieces)
			return no_memory(cut->remainder);
		cut->pieces = pieces;
	}
	cut->groups[cut->slots[slot] - 1].n_ranges++;
	cut->pieces[cut->n_pieces++] = (struct piece){range, cut->slots[slot] - 1};
	return spend(cut->remainder, cut->now.n + 1);
}

/* Walk through the values of a list, from edge to edge. */
static int walk_edges(struct cut *cut, const struct ranges *list)
{
	size_t e = 0;
	int err = 0;

	for (size_t i = 0; i < list->n && !err; i++) {
		struct range rest = list->list[i];

		for (bool more = true; more && !err;) {
			struct range piece = rest;

			while (e < cut->n_edges && cut->edges[e].at <= rest.first)
				pass_edge(cut, &cut->edges[e++]);
			more = e < cut->n_edges && cut->edges[e].at <= rest.last;
			if (more) {
				piece.last = cut->edges[e].at - 1;
				rest.first = cut->edges[e].at;
			}
			err = add_piece(cut, piece);
		}
	}
	return err;
}

/* Give each group the list of its ranges. */
static int gather(struct cut *cut)
{
	for (size_t g = 0; g < cut->n_groups; g++)
		if (!pool_ranges_room(cut->remainder->pool, cut->groups[g].n_ranges,
				      &cut->groups[g].ranges))
			return cut->remainder->pool->error;
	for (size_t i = 0; i < cut->n_pieces; i++) {
		struct ranges *to = &cut->groups[cut->pieces[i].group].ranges;
		struct range *last = to->n ? &to->list[to->n - 1] : NULL;

		if (last && last->last + 1 == cut->pieces[i].range.first)
			last->last = cut->pieces[i].range.last;
		else
			to->list[to->n++] = cut->pieces[i].range;
	}
	return 0;
}

static void cut_free(struct cut *cut)
{
	free(cut->edges);
	free(cut->now.list);
	free(cut->place);
	free(cut->groups);
	free(cut->slots);
	free(cut->sets);
	free(cut->pieces);
}

/* Cut a dimension into groups of values. */
static int cut_make(struct cut *cut, int dim, const struct ranges *list,
		    const struct numbers *active)
{
	size_t n_slots = 16;
	int err = find_edges(cut, dim, list, active);

	if (err)
		return err;
	while (n_slots < 2 * (cut->n_edges + 2))
		n_slots *= 2;
	cut->mask = n_slots - 1;
	cut->now.list = malloc((active->n + 1) * sizeof(*cut->now.list));
	cut->place = malloc((active->n + 1) * sizeof(*cut->place));
	cut->groups = malloc((cut->n_edges + 2) * sizeof(*cut->groups));
	cut->slots = calloc(n_slots, sizeof(*cut->slots));
	if (!cut->now.list || !cut->place || !cut->groups || !cut->slots)
		return no_memory(cut->remainder);
	memset(cut->place, 0xff, (active->n + 1) * sizeof(*cut->place));
	err = walk_edges(cut, list);
	return err ? err : gather(cut);
}

/* ---- one dimension after the other ---- */

static int divide(struct remainder *remainder, int at, const struct product *product,
		  const struct numbers *active);

/* Go on with each group: its boxes, and those that have all values of the dimension. */
static int divide_groups(struct cut *cut, int at, const struct product *product,
			 const struct numbers *active)
{
	int dim = cut->remainder->dims[at], err = 0;
	struct numbers left = {.list = malloc((active->n + 1) * sizeof(*left.list))};
	size_t n_whole = 0;

	if (!left.list)
		return no_memory(cut->remainder);
	for (size_t i = 0; i < active->n; i++)
		if (is_whole(cut->remainder, active->list[i], dim))
			left.list[n_whole++] = active->list[i];
	for (size_t g = 0; g < cut->n_groups && !err; g++) {
		const struct group *group = &cut->groups[g];
		struct product part = *product;

		part.dim[dim] = group->ranges;
		for (size_t i = 0; i < group->n; i++)
			left.list[n_whole + i] = active->list[cut->sets[group->set + i]];
		left.n = n_whole + group->n;
		err = divide(cut->remainder, at + 1, &part, &left);
	}
	free(left.list);
	return err;
}

/* Report what the boxes leave of a product, of which some dimensions have been cut. */
static int divide(struct remainder *remainder, int at, const struct product *product,
		  const struct numbers *active)
{
	struct cut cut = {.remainder = remainder};
	uint8_t needed = 0;
	bool any = false;
	int err;

	if (!active->n)
		return remainder->on_left(remainder->arg, product);
	for (int i = at; i < remainder->n_dims; i++)
		needed |= 1 << remainder->dims[i];
	for (size_t i = 0; i < active->n; i++)
		if (!(needed & ~remainder->covers[active->list[i]]))
			return spend(remainder, i);
	for (; !any && at < remainder->n_dims; at++)
		for (size_t i = 0; i < active->n && !any; i++)
			any = !is_whole(remainder, active->list[i], remainder->dims[at]);
	at--;
	err = cut_make(&cut, remainder->dims[at], &product->dim[remainder->dims[at]], active);
	if (!err)
		err = divide_groups(&cut, at, product, active);
	cut_free(&cut);
	return err;
}

/* Note in which dimensions each box has all of the product, and which boxes meet it at all. */
static void compare_others(struct remainder *remainder, const struct product *part,
			   struct numbers *active)
{
	for (size_t i = 0; i < remainder->n; i++) {
		const struct ranges *dim = remainder->others[i]->dim;

		remainder->covers[i] = 0;
		if (!product_meets(part, dim, remainder->first))
			continue;
		for (int d = remainder->first; d < BOX_DIMENSIONS; d++) {
			const struct ranges window = ranges_window(&dim[d], &part->dim[d]);

			remainder->covers[i] |= ranges_contain(&window, &part->dim[d]) << d;
		}
		active->list[active->n++] = i;
	}
}

/**
 * remainder_visit() - Report what boxes leave of a product
 * @remainder: the boxes, and who is told
 * @part: the product
 *
 * Return: 0; -E2BIG: it takes too much work, some may have been reported; -ENOMEM; or what the
 * callback has returned.
 */
int remainder_visit(struct remainder *remainder, const struct product *part)
{
	struct numbers active = {.list = malloc((remainder->n + 1) * sizeof(*active.list))};
	int err;

	remainder->n_dims = 0;
	remainder->dims[remainder->n_dims++] = BOX_SOURCE;
	remainder->dims[remainder->n_dims++] = BOX_DESTINATION;
	for (int d = BOX_DPORT; d >= remainder->first && d >= BOX_SPORT; d--)
		remainder->dims[remainder->n_dims++] = d;
	remainder->covers = malloc(remainder->n + 1);
	if (!active.list || !remainder->covers) {
		err = no_memory(remainder);
	} else {
		compare_others(remainder, part, &active);
		err = spend(remainder, remainder->n);
		if (!err)
			err = divide(remainder, 0, part, &active);
	}
	free(active.list);
	free(remainder->covers);
	return err;
}
