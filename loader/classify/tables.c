/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "classify/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps.h"

const struct table_kind table_kinds[CLASSIFY_TABLES] = {
	[CLASSIFY_TABLE_LAYOUT] = {MAP_CLASS_LAYOUT, sizeof(struct classify_layout)},
	[CLASSIFY_TABLE_PAGE] = {MAP_CLASS_PAGE, sizeof(struct classify_page)},
	[CLASSIFY_TABLE_NODE] = {MAP_CLASS_NODE, sizeof(struct classify_node)},
	[CLASSIFY_TABLE_LEAF] = {MAP_CLASS_LEAF, sizeof(struct classify_leaf)},
	[CLASSIFY_TABLE_TREE] = {MAP_CLASS_TREE, sizeof(struct classify_tree)},
	[CLASSIFY_TABLE_PORT] = {MAP_CLASS_PORT, sizeof(struct classify_ports)},
	[CLASSIFY_TABLE_PROTO] = {MAP_CLASS_PROTO, sizeof(struct classify_protocols)},
	[CLASSIFY_TABLE_LINE] = {MAP_CLASS_LINE, sizeof(struct classify_line)},
	[CLASSIFY_TABLE_ROW] = {MAP_CLASS_ROW, sizeof(struct classify_row)},
	[CLASSIFY_TABLE_MASK] = {MAP_CLASS_MASK, sizeof(struct classify_mask)},
	[CLASSIFY_TABLE_WORD] = {MAP_CLASS_WORD, sizeof(struct classify_word)},
	[CLASSIFY_TABLE_FLAT] = {MAP_CLASS_FLAT, sizeof(struct classify_word)},
	[CLASSIFY_TABLE_RULE] = {MAP_CLASS_RULE, sizeof(struct classify_page)},
	[CLASSIFY_TABLE_BASE] = {MAP_CLASS_BASE, sizeof(struct classify_page)},
	[CLASSIFY_TABLE_ORIGIN] = {MAP_CLASS_ORIGIN, sizeof(struct classify_page)},
};

/**
 * tables_out_of_memory() - The error of a failed allocation
 * @build: the compilation
 *
 * Return: -ENOMEM.
 */
int tables_out_of_memory(struct build *build)
{
	return error_set(build->error, ENOMEM, "out of memory compiling the rules");
}

/**
 * tables_over_budget() - The error of tables that become too large
 * @build: the compilation
 *
 * Return: -E2BIG.
 */
int tables_over_budget(struct build *build)
{
	const struct dimension *d = build->dimensions;

	return error_set(build->error, E2BIG,
			 "the rules are too large: the tables of %zu rules exceed %zu MiB of "
			 "kernel memory (classes so far: %zu of source, %zu of destination "
			 "addresses, %zu of source, %zu of destination ports)",
			 build->c->n_items, build->budget_bytes >> 20, d[CLASSIFY_SOURCE].n_classes,
			 d[CLASSIFY_DESTINATION].n_classes, d[CLASSIFY_SPORT].n_classes,
			 d[CLASSIFY_DPORT].n_classes);
}

/**
 * tables_grow() - Append entries to a table
 * @build: the compilation
 * @table: which
 * @n: how many
 * @entries: points to a pointer that is set to the first of them, all zero; entries of the same
 *	table from before may have moved
 *
 * Return: 0, -ENOMEM, or -E2BIG if all tables together would exceed the budget.
 */
int tables_grow(struct build *build, enum classify_table table, size_t n, void *entries)
{
	struct table *t = &build->c->tables[table];
	size_t size = table_kinds[table].value_size;
	char *data;

	if (n > (build->budget_bytes - build->used_bytes) / size || t->len + n > INT32_MAX)
		return tables_over_budget(build);
	if (t->len + n > t->cap) {
		size_t cap = t->len + n + t->len / 2;

		data = realloc(t->data, cap * size);
		if (!data)
			return tables_out_of_memory(build);
		t->data = data;
		t->cap = cap;
	}
	data = (char *)t->data + t->len * size;
	memset(data, 0, n * size);
	t->len += n;
	build->used_bytes += n * size;
	*(void **)entries = data;
	return 0;
}

/**
 * tables_add_number() - Append to a table that is pages of plain numbers
 * @build: the compilation
 * @table: which
 * @number: what to append
 *
 * Return: 0, -ENOMEM, or -E2BIG.
 */
int tables_add_number(struct build *build, enum classify_table table, uint32_t number)
{
	uint32_t at = build->n_numbers[table];
	struct classify_page *pages;
	int err;

	if (at % 256 == 0) {
		err = tables_grow(build, table, 1, &pages);
		if (err)
			return err;
	}
	pages = build->c->tables[table].data;
	pages[at / 256].entry[at % 256] = number;
	build->n_numbers[table]++;
	return 0;
}
