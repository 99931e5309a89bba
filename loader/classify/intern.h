/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hash tables of numbered things: found by hash, compared to be sure.
 */
#ifndef SHRIKE_CLASSIFY_INTERN_H
#define SHRIKE_CLASSIFY_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_NONE UINT32_MAX

struct intern_slot {
	uint64_t hash;
	uint32_t id; /* INTERN_NONE: free */
};

struct intern {
	struct intern_slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
};

typedef bool intern_equal(const void *context, uint32_t id);

uint64_t intern_mix(uint64_t hash, uint64_t value);
uint32_t intern_find(const struct intern *table, uint64_t hash, intern_equal *equal,
		     const void *context);
int intern_add(struct intern *table, uint64_t hash, uint32_t id);
void intern_free(struct intern *table);

#endif /* SHRIKE_CLASSIFY_INTERN_H */
