/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables as text, by libsmartcols: columns are as wide as their widest cell, and no line ends with
 * blanks.
 *
 * On a terminal a table has titles and fits: columns that may be wrapped become narrower, and those
 * that may be left out are where they are empty.  Anywhere else nothing of that happens, so that
 * scripts get a row in each line, all columns, and nothing but rows.
 */
#ifndef SHRIKE_BASE_TABLE_H
#define SHRIKE_BASE_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum table_column_flags {
	TABLE_RIGHT = 1 << 0,	 /* numbers */
	TABLE_WRAP = 1 << 1,	 /* lists and names: wrapped where the terminal has no room */
	TABLE_OPTIONAL = 1 << 2, /* not shown on a terminal where its cells say nothing */
};

/*
 * struct table_column - a column
 * @flags: enum table_column_flags
 * @nothing: what a cell says nothing by, NULL: only by being empty
 */
struct table_column {
	const char *title;
	unsigned int flags;
	const char *nothing;
};

struct table;

struct table *table_new(const struct table_column *columns, size_t n, FILE *file);
int table_row(struct table *table, const char *const *cells);
int table_print(struct table *table, struct error *error);
void table_free(struct table *table);

#endif /* SHRIKE_BASE_TABLE_H */
