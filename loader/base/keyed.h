/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sorted indexes over byte strings: to find names, and to find what is there twice, in
 * O(n log n) however hostile the input.
 */
#ifndef SHRIKE_BASE_KEYED_H
#define SHRIKE_BASE_KEYED_H

#include <stddef.h>

struct keyed {
	const void *key; /* bytes, owned by someone else */
	size_t len;
	size_t index; /* place in the caller's own order */
};

void keyed_sort(struct keyed *items, size_t n);
const struct keyed *keyed_find(const struct keyed *items, size_t n, const void *key, size_t len);
const struct keyed *keyed_duplicate(const struct keyed *items, size_t n);

#endif /* SHRIKE_BASE_KEYED_H */
