/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is left of a product when the boxes of many rules are taken away, whatever their order.
 *
 * One dimension after the other is cut at the edges of the boxes.  Its values among which the same
 * boxes are found go on together, so that a thousand peers with the same rights are one list and not a
 * thousand products.
 */
#ifndef SHRIKE_REVIEW_REMAINDER_H
#define SHRIKE_REVIEW_REMAINDER_H

#include "review/product.h"

/* Takes a product that is left; valid until the pool is reset.  Return: 0, or what ends the search. */
typedef int (*remainder_fn)(void *arg, const struct product *left);

/*
 * struct remainder - what to take away from what
 * @pool: has the ranges of the result
 * @others: the boxes to take away
 * @first: the first dimension that counts, as in product_meets()
 */
struct remainder {
	struct product_pool *pool;
	const struct box **others;
	size_t n;
	int first;
	remainder_fn on_left;
	void *arg;

	/* private to remainder.c */
	uint8_t *covers;
	int dims[BOX_DIMENSIONS];
	int n_dims;
};

int remainder_visit(struct remainder *remainder, const struct product *part);

#endif /* SHRIKE_REVIEW_REMAINDER_H */
