/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/output.h"

#define WIDTH_MIN 40 /* narrower terminals get lines that they break */

struct table {
	struct libscols_table *scols;
	FILE *file;
	size_t n_columns;
};

/* Columns of the terminal; 0: it is none, or has no size. */
static size_t terminal_width(FILE *file)
{
	struct winsize size;

	if (!isatty(fileno(file)) || ioctl(fileno(file), TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}

static int add_columns(struct libscols_table *scols, const struct table_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int flags = (columns[i].flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
			    (columns[i].flags & TABLE_WRAP ? SCOLS_FL_WRAP : 0);

		if (!scols_table_new_column(scols, columns[i].title, 0, flags))
			return -ENOMEM;
	}
	return 0;
}

/**
 * table_new() - Begin a table
 * @columns: what each has
 * @n: how many, 1 or more
 * @file: where it will be printed
 *
 * Return: the table, or NULL without memory.
 */
struct table *table_new(const struct table_column *columns, size_t n, FILE *file)
{
	struct table *table = calloc(1, sizeof(*table));
	size_t width = terminal_width(file);

	if (!table)
		return NULL;
	table->file = file;
	table->n_columns = n;
	table->scols = scols_new_table();
	if (!table->scols || add_columns(table->scols, columns, n)) {
		table_free(table);
		return NULL;
	}
	scols_table_set_stream(table->scols, file);
	scols_table_set_column_separator(table->scols, "  ");
	scols_table_enable_noheadings(table->scols, !isatty(fileno(file)));
	if (width) {
		scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_ALWAYS);
		scols_table_set_termwidth(table->scols, width < WIDTH_MIN ? WIDTH_MIN : width);
	} else {
		scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER);
	}
	return table;
}

/**
 * table_row() - Add a row
 * @table: the table
 * @cells: one text per column, NULL counts as empty; copied
 *
 * Return: 0 or -ENOMEM.
 */
int table_row(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++)
		if (scols_line_set_data(line, i, cells[i] ? cells[i] : ""))
			return -ENOMEM;
	return 0;
}

/**
 * table_print() - Write a table
 * @table: the table
 * @error: set on failure
 *
 * Return: 0 or -errno of the stream.
 */
int table_print(struct table *table, struct error *error)
{
	/* a failure to write stays in the stream's own error flag */
	if (scols_print_table(table->scols) && !ferror(table->file))
		return error_no_memory(error);
	return output_flush(table->file, error);
}

/**
 * table_free() - Release a table
 * @table: the table, or NULL
 */
void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table);
}
