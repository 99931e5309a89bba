/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/keyed.h"

#include <stdlib.h>
#include <string.h>

static int compare_keys(const struct keyed *a, const struct keyed *b)
{
	int order = memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);

	if (order == 0)
		order = (a->len > b->len) - (a->len < b->len);
	return order;
}

static int compare_items(const void *left, const void *right)
{
	const struct keyed *a = left;
	const struct keyed *b = right;
	int order = compare_keys(a, b);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/**
 * keyed_sort() - Order items by key, and equal keys by index
 * @items: sorted in place; NULL only if @n is 0
 * @n: number of items
 */
void keyed_sort(struct keyed *items, size_t n)
{
	if (n > 1)
		qsort(items, n, sizeof(*items), compare_items);
}

/**
 * keyed_find() - Find a key
 * @items: sorted by keyed_sort()
 * @n: number of items
 * @key: bytes to find
 * @len: number of bytes
 *
 * Return: the item of that key with the smallest index, or NULL.
 */
const struct keyed *keyed_find(const struct keyed *items, size_t n, const void *key, size_t len)
{
	const struct keyed wanted = {.key = key, .len = len};
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_keys(&items[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && compare_keys(&items[low], &wanted) == 0 ? &items[low] : NULL;
}

/**
 * keyed_duplicate() - Find the first item, by index, whose key another item has before it
 * @items: sorted by keyed_sort()
 * @n: number of items
 *
 * Return: that item, or NULL where all keys differ.  The item in front of it in the array is
 * the first one with its key.
 */
const struct keyed *keyed_duplicate(const struct keyed *items, size_t n)
{
	const struct keyed *found = NULL;
	size_t i;

	for (i = 1; i < n; i++) {
		if (compare_keys(&items[i - 1], &items[i]) == 0 &&
		    (!found || items[i].index < found->index))
			found = &items[i];
	}
	return found;
}
