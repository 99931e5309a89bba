/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Products of ranges, and what is left of them when others are taken away.
 *
 * A product is a list of ranges for each dimension of boxes.h: the packets that have a value of each
 * list.  Taking a product away leaves at most one product for each dimension, all disjoint, so that
 * the number of products grows with what really overlaps.  How far it may grow is bounded: beyond
 * the bound nothing more is taken away, which is noted, and what is there is an upper bound.
 */
#ifndef SHRIKE_REVIEW_PRODUCT_H
#define SHRIKE_REVIEW_PRODUCT_H

#include "review/boxes.h"

struct product {
	struct ranges dim[BOX_DIMENSIONS];
};

/* Products that have no packet in common. */
struct products {
	struct product *list;
	size_t n;
	size_t room;
};

/*
 * struct product_pool - where ranges come from
 * @work: ranges that were looked at since product_pool_reset(), and how many may be
 * @error: 0; -ENOMEM; -E2BIG: @work_max was reached
 */
struct product_pool {
	struct pool_chunk *chunks;
	uint64_t work;
	uint64_t work_max;
	int error;
};

void product_pool_reset(struct product_pool *pool, uint64_t work_max);
void product_pool_free(struct product_pool *pool);

struct ranges ranges_window(const struct ranges *ranges, const struct ranges *other);
bool pool_ranges_room(struct product_pool *pool, size_t n, struct ranges *list);
bool pool_ranges_intersect(struct product_pool *pool, const struct ranges *a,
			   const struct ranges *b, struct ranges *both);
bool pool_ranges_subtract(struct product_pool *pool, const struct ranges *a, const struct ranges *b,
			  struct ranges *left);
bool pool_ranges_unite(struct product_pool *pool, const struct ranges *a, const struct ranges *b,
		       struct ranges *all);
bool ranges_equal(const struct ranges *a, const struct ranges *b);

bool product_intersect(struct product_pool *pool, const struct product *a, const struct ranges *b,
		       struct product *both);
bool product_meets(const struct product *a, const struct ranges *b, int first);
void products_add(struct product_pool *pool, struct products *to, const struct product *product);
void products_subtract(struct product_pool *pool, struct products *from, const struct ranges *dim,
		       int first);
void products_join(struct product_pool *pool, struct products *products, int first);
void products_free(struct products *products);

#endif /* SHRIKE_REVIEW_PRODUCT_H */
