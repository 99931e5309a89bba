/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables in the making, as long as all of them stay within the budget.
 */
#ifndef SHRIKE_CLASSIFY_TABLES_H
#define SHRIKE_CLASSIFY_TABLES_H

#include "classify/compile.h"

struct table_kind {
	const char *map_name;
	uint32_t value_size; /* a multiple of 8, as the kernel would round it up to */
};

extern const struct table_kind table_kinds[CLASSIFY_TABLES];

int tables_out_of_memory(struct build *build);
int tables_over_budget(struct build *build);
int tables_grow(struct build *build, enum classify_table table, size_t n, void *entries);
int tables_add_number(struct build *build, enum classify_table table, uint32_t number);

#endif /* SHRIKE_CLASSIFY_TABLES_H */
