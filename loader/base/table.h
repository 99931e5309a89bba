/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables as text, by libsmartcols: columns are as wide as their widest cell.
 *
 * On a terminal a table has titles and fits: columns that may be wrapped become narrower.  Anywhere
 * else it has neither, so that scripts get a row in each line and nothing but rows.
 */
#ifndef SHRIKE_BASE_TABLE_H
#define SHRIKE_BASE_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum table_column_flags {
	TABLE_RIGHT = 1 << 0, /* numbers */
	TABLE_WRAP = 1 << 1,  /* lists: wrapped where the terminal has no room */
};

struct table_column {
	const char *title;
	unsigned int flags; /* enum table_column_flags */
};

struct table;

struct table *table_new(const struct table_column *columns, size_t n, FILE *file);
int table_row(struct table *table, const char *const *cells);
int table_print(struct table *table, struct error *error);
void table_free(struct table *table);

#endif /* SHRIKE_BASE_TABLE_H */
