/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/product.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_RANGES 4096
#define JOIN_MAX     256 /* products that are compared with each other */
#define SHORT	     8	 /* ranges of a list that is compared as a whole */

struct pool_chunk {
	struct pool_chunk *next;
	size_t used;
	size_t room;
	struct range range[];
};

/**
 * product_pool_reset() - Let go of all ranges
 * @pool: all zero, or used before
 * @work_max: ranges that may be looked at from now on
 */
void product_pool_reset(struct product_pool *pool, uint64_t work_max)
{
	while (pool->chunks && pool->chunks->next) {
		struct pool_chunk *next = pool->chunks->next;

		free(pool->chunks);
		pool->chunks = next;
	}
	if (pool->chunks)
		pool->chunks->used = 0;
	pool->work = 0;
	pool->work_max = work_max;
	pool->error = 0;
}

/**
 * product_pool_free() - Let go of all ranges and of the pool
 */
void product_pool_free(struct product_pool *pool)
{
	product_pool_reset(pool, 0);
	free(pool->chunks);
	pool->chunks = NULL;
}

/* Room for a list of ranges, of which pool_keep() keeps what was used; NULL where there is none. */
static struct range *pool_take(struct product_pool *pool, size_t n)
{
	struct pool_chunk *chunk = pool->chunks;
	size_t room = n > CHUNK_RANGES ? n : CHUNK_RANGES;

	pool->work += n;
	if (pool->work > pool->work_max && !pool->error)
		pool->error = -E2BIG;
	if (pool->error)
		return NULL;
	if (!chunk || chunk->room - chunk->used < n) {
		chunk = malloc(sizeof(*chunk) + room * sizeof(*chunk->range));
		if (!chunk) {
			pool->error = -ENOMEM;
			return NULL;
		}
		*chunk = (struct pool_chunk){.next = pool->chunks, .room = room};
		pool->chunks = chunk;
	}
	return chunk->range + chunk->used;
}

/**
 * pool_ranges_room() - An empty list with room
 * @pool: has the list
 * @n: for so many ranges
 * @list: becomes it
 *
 * Return: false where the pool has an error.
 */
bool pool_ranges_room(struct product_pool *pool, size_t n, struct ranges *list)
{
	struct range *room = pool_take(pool, n);

	if (!room)
		return false;
	pool->chunks->used += n;
	*list = (struct ranges){.list = room, .borrowed = true};
	return true;
}

static bool pool_keep(struct product_pool *pool, const struct ranges *ranges)
{
	pool->chunks->used += ranges->n;
	return ranges->n;
}

/**
 * ranges_window() - Of a list the part that can meet another one
 * @ranges: the list, which may be a long set
 * @other: the other one, which may be narrow
 *
 * Return: a part of @ranges' own list.
 */
struct ranges ranges_window(const struct ranges *ranges, const struct ranges *other)
{
	size_t first, end;

	if (!ranges->n || !other->n)
		return (struct ranges){.list = ranges->list};
	first = ranges_from(ranges, other->list[0].first);
	end = ranges_from(ranges, other->list[other->n - 1].last);
	if (end < ranges->n && ranges->list[end].first <= other->list[other->n - 1].last)
		end++;
	return (struct ranges){.list = ranges->list + first, .n = end - first, .borrowed = true};
}

/**
 * pool_ranges_intersect() - What two lists of ranges have in common
 * @pool: has the result
 * @a, @b: the lists
 * @both: becomes it; untouched where there is nothing, or where the pool has an error
 *
 * Return: whether there is anything.
 */
bool pool_ranges_intersect(struct product_pool *pool, const struct ranges *a,
			   const struct ranges *b, struct ranges *both)
{
	const struct ranges x = ranges_window(a, b), y = ranges_window(b, &x);
	struct ranges made = {.borrowed = true};

	if (!x.n || !y.n)
		return false;
	made.list = pool_take(pool, x.n + y.n);
	if (!made.list)
		return false;
	ranges_intersect(&x, &y, &made);
	if (!pool_keep(pool, &made))
		return false;
	*both = made;
	return true;
}

/**
 * pool_ranges_subtract() - What a list of ranges has that another has not
 * @pool: has the result
 * @a: the one
 * @b: the other
 * @left: becomes it; untouched where there is nothing, or where the pool has an error
 *
 * Return: whether there is anything.
 */
bool pool_ranges_subtract(struct product_pool *pool, const struct ranges *a, const struct ranges *b,
			  struct ranges *left)
{
	const struct ranges taken = ranges_window(b, a);
	struct ranges made = {.borrowed = true};
	size_t j = 0;

	made.list = pool_take(pool, a->n + taken.n);
	if (!made.list)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		struct range rest = a->list[i];
		bool any = true;

		while (j < taken.n && taken.list[j].last < rest.first)
			j++;
		for (size_t k = j; any && k < taken.n && taken.list[k].first <= rest.last; k++) {
			if (taken.list[k].first > rest.first)
				made.list[made.n++] = (struct range){rest.first,
								     taken.list[k].first - 1};
			any = taken.list[k].last < rest.last;
			if (any)
				rest.first = taken.list[k].last + 1;
		}
		if (any)
			made.list[made.n++] = rest;
	}
	if (!pool_keep(pool, &made))
		return false;
	*left = made;
	return true;
}

/**
 * pool_ranges_unite() - What at least one of two lists of ranges has
 * @pool: has the result
 * @a, @b: the lists
 * @all: becomes it; untouched where there is nothing, or where the pool has an error
 *
 * Return: whether there is anything.
 */
bool pool_ranges_unite(struct product_pool *pool, const struct ranges *a, const struct ranges *b,
		       struct ranges *all)
{
	struct ranges made = {.borrowed = true};

	made.list = pool_take(pool, a->n + b->n);
	if (!made.list)
		return false;
	if (a->n)
		memcpy(made.list, a->list, a->n * sizeof(*a->list));
	if (b->n)
		memcpy(made.list + a->n, b->list, b->n * sizeof(*b->list));
	made.n = a->n + b->n;
	ranges_sort(&made);
	if (!pool_keep(pool, &made))
		return false;
	*all = made;
	return true;
}

/**
 * ranges_equal() - Whether two lists have the same values
 */
bool ranges_equal(const struct ranges *a, const struct ranges *b)
{
	return a->n == b->n &&
	       (a->list == b->list || !memcmp(a->list, b->list, a->n * sizeof(*a->list)));
}

/**
 * product_intersect() - What a product has in common with a box
 * @pool: has the ranges of the result
 * @a: the product
 * @b: the ranges of each dimension of the box
 * @both: becomes it, where there is anything
 *
 * Return: whether there is anything.
 */
bool product_intersect(struct product_pool *pool, const struct product *a, const struct ranges *b,
		       struct product *both)
{
	struct product made;

	for (int d = BOX_DIMENSIONS - 1; d >= 0; d--)
		if (!pool_ranges_intersect(pool, &a->dim[d], &b[d], &made.dim[d]))
			return false;
	*both = made;
	return true;
}

/* Whether two lists have a value in common, of which one may be a long set. */
static bool lists_meet(const struct ranges *a, const struct ranges *b)
{
	struct ranges x = *a, y = *b;

	if (x.n > SHORT)
		x = ranges_window(a, b);
	if (y.n > SHORT)
		y = ranges_window(b, &x);
	return ranges_meet(&x, &y);
}

/**
 * product_meets() - Whether a product has a packet in common with a box
 * @a: the product
 * @b: the ranges of each dimension of the box
 * @first: the first dimension that counts: 0, or BOX_SOURCE where packets have no ports
 */
bool product_meets(const struct product *a, const struct ranges *b, int first)
{
	for (int d = BOX_DIMENSIONS - 1; d >= first; d--)
		if (!lists_meet(&a->dim[d], &b[d]))
			return false;
	return true;
}

/**
 * products_add() - Append a product
 * @pool: has an error where there is no room
 * @to: the list
 * @product: has nothing in common with those that are there
 */
void products_add(struct product_pool *pool, struct products *to, const struct product *product)
{
	if (to->n == to->room) {
		size_t room = 2 * to->room + 16;
		struct product *list = realloc(to->list, room * sizeof(*list));

		if (!list) {
			pool->error = -ENOMEM;
			return;
		}
		to->list = list;
		to->room = room;
	}
	to->list[to->n++] = *product;
}

/*
 * Append what is left of a product.  The addresses are divided first: "all but this network" is
 * what people read most easily.
 */
static void subtract_one(struct product_pool *pool, struct products *to, struct product product,
			 const struct ranges *dim, int first)
{
	for (int d = 0; d < BOX_DIMENSIONS; d++) {
		int at = d < 2 ? BOX_SOURCE + d : BOX_DPORT - (d - 2);
		struct product rest = product;

		if (at < first)
			continue;
		if (pool_ranges_subtract(pool, &product.dim[at], &dim[at], &rest.dim[at])) {
			products_add(pool, to, &rest);
			if (!pool_ranges_intersect(pool, &product.dim[at], &dim[at],
						   &product.dim[at]))
				return;
		}
	}
}

/**
 * products_subtract() - Take a box away from products
 * @pool: has the ranges of the result; with an error nothing is taken away
 * @from: the products, changed
 * @dim: the ranges of each dimension of the box
 * @first: the first dimension that counts, as in product_meets()
 */
void products_subtract(struct product_pool *pool, struct products *from, const struct ranges *dim,
		       int first)
{
	size_t n = from->n, kept = 0;

	pool->work += n;
	for (size_t i = 0; i < n && !pool->error; i++) {
		size_t before = from->n;

		if (!product_meets(&from->list[i], dim, first))
			continue;
		subtract_one(pool, from, from->list[i], dim, first);
		if (pool->error) /* the product stays, its parts go */
			from->n = before;
		else
			from->list[i].dim[BOX_SOURCE].n = 0;
	}
	for (size_t i = 0; i < from->n; i++)
		if (from->list[i].dim[BOX_SOURCE].n)
			from->list[kept++] = from->list[i];
	from->n = kept;
}

/* Make one product of two that differ in one dimension alone; false where more differ. */
static bool join_two(struct product_pool *pool, struct product *a, const struct product *b,
		     int first)
{
	int differs = -1;

	for (int d = first; d < BOX_DIMENSIONS; d++) {
		if (ranges_equal(&a->dim[d], &b->dim[d]))
			continue;
		if (differs >= 0)
			return false;
		differs = d;
	}
	return differs < 0 ||
	       pool_ranges_unite(pool, &a->dim[differs], &b->dim[differs], &a->dim[differs]);
}

/**
 * products_join() - Make as few products of the same packets as can be seen
 * @pool: has the ranges of the result
 * @products: changed; afterwards no two differ in one dimension alone, if there are not too many
 * @first: the first dimension that counts, as in product_meets()
 */
void products_join(struct product_pool *pool, struct products *products, int first)
{
	bool again = products->n <= JOIN_MAX;

	while (again && !pool->error) {
		again = false;
		for (size_t i = 0; i < products->n; i++)
			for (size_t j = i + 1; j < products->n; j++)
				if (join_two(pool, &products->list[i], &products->list[j], first)) {
					products->list[j--] = products->list[--products->n];
					again = true;
				}
	}
}

/**
 * products_free() - Let go of a list, whose ranges are the pool's
 */
void products_free(struct products *products)
{
	free(products->list);
	*products = (struct products){};
}
