/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libsmartcols can shrink columns, but breaks words wherever a line ends.  So the widths are chosen
 * here, and cells that are too wide get line breaks, which the library keeps.
 */
#include "base/table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/screen.h"
#include "base/wrap.h"

#define CELL_MIN 6 /* columns that a wrapped cell keeps */

/* What lines may be ended within, ever narrower. */
enum floor {
	FLOOR_WORDS,
	FLOOR_PARTS,
	FLOOR_ANY,
	FLOOR_MAX,
};

struct layout_column {
	size_t width;
	size_t floor[FLOOR_MAX];
	unsigned int flags; /* enum table_column_flags */
	const char *nothing;
	bool is_used;
	bool is_hidden;
};

struct table {
	struct libscols_table *scols;
	FILE *file;
	size_t width; /* of the terminal; 0: any */
	size_t n_columns;
	struct layout_column columns[];
};

static int add_columns(struct table *table, const struct table_column *columns)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		int flags = (columns[i].flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
			    (columns[i].flags & TABLE_WRAP ? SCOLS_FL_WRAP : 0);
		struct libscols_column *column = scols_table_new_column(table->scols,
									columns[i].title, 0, flags);

		if (!column)
			return -ENOMEM;
		table->columns[i].flags = columns[i].flags;
		table->columns[i].nothing = columns[i].nothing ?: "";
		if (columns[i].flags & TABLE_WRAP &&
		    (scols_column_set_safechars(column, "\n") ||
		     scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
					       scols_wrapnl_nextchunk, NULL)))
			return -ENOMEM;
	}
	return 0;
}

/**
 * table_new() - Begin a table
 * @columns: what each has; texts are not copied
 * @n: how many, 1 or more
 * @file: where it will be printed
 *
 * Return: the table, or NULL without memory.
 */
struct table *table_new(const struct table_column *columns, size_t n, FILE *file)
{
	struct table *table = calloc(1, sizeof(*table) + n * sizeof(table->columns[0]));

	if (!table)
		return NULL;
	table->file = file;
	table->n_columns = n;
	table->width = screen_width(file);
	table->scols = scols_new_table();
	if (!table->scols || add_columns(table, columns)) {
		table_free(table);
		return NULL;
	}
	scols_table_enable_noheadings(table->scols, !screen_is_terminal(file));
	scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER);
	return table;
}

/* Write a text so that it is one line: libsmartcols takes a line break for one. */
static char *escape_breaks(const char *text)
{
	char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;

	for (; escaped && *text; text++) {
		if (*text == '\n')
			to = stpcpy(to, "\\n");
		else
			*to++ = *text;
	}
	if (escaped)
		*to = '\0';
	return escaped;
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
	for (size_t i = 0; i < table->n_columns; i++) {
		char *text = escape_breaks(cells[i] ? cells[i] : "");

		if (!text || scols_line_refer_data(line, i, text)) {
			free(text);
			return -ENOMEM;
		}
	}
	return 0;
}

static const char *cell_text(struct table *table, size_t row, size_t column)
{
	struct libscols_line *line = scols_table_get_line(table->scols, row);

	return scols_cell_get_data(scols_line_get_cell(line, column));
}

static void widen(size_t *value, size_t to)
{
	if (*value < to)
		*value = to;
}

/* Find out how wide the columns are, and how narrow they can be. */
static void measure(struct table *table)
{
	size_t n_rows = scols_table_get_nlines(table->scols);

	for (size_t i = 0; i < table->n_columns; i++) {
		struct layout_column *column = &table->columns[i];
		const char *title = scols_column_get_name(scols_table_get_column(table->scols, i));

		column->width = wrap_width(title);
		for (int floor = 0; floor < FLOOR_MAX; floor++)
			column->floor[floor] = column->width;
		widen(&column->floor[FLOOR_ANY], CELL_MIN);
		for (size_t row = 0; row < n_rows; row++) {
			const char *text = cell_text(table, row, i);

			column->is_used |= *text && strcmp(text, column->nothing);
			widen(&column->width, wrap_width(text));
			widen(&column->floor[FLOOR_WORDS], wrap_narrowest(text, true));
			widen(&column->floor[FLOOR_PARTS], wrap_narrowest(text, false));
		}
		column->is_hidden = table->width && column->flags & TABLE_OPTIONAL &&
				    !column->is_used;
	}
}

/* Columns that a row takes. */
static size_t total_width(const struct table *table, size_t separator)
{
	size_t total = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		if (!table->columns[i].is_hidden)
			total += table->columns[i].width + separator;
	return total - separator;
}

/* Make the widest columns narrower, none below its floor, until a row fits. */
static void shrink(struct table *table, size_t separator, enum floor floor)
{
	size_t total = total_width(table, separator);

	for (; total > table->width; total--) {
		struct layout_column *widest = NULL;

		for (size_t i = 0; i < table->n_columns; i++) {
			struct layout_column *column = &table->columns[i];

			if (column->flags & TABLE_WRAP && !column->is_hidden &&
			    column->width > column->floor[floor] &&
			    (!widest || column->width > widest->width))
				widest = column;
		}
		if (!widest)
			break;
		widest->width--;
	}
}

/* Break the cells that are wider than their columns. */
static int wrap_cells(struct table *table)
{
	size_t n_rows = scols_table_get_nlines(table->scols);

	for (size_t i = 0; i < table->n_columns; i++)
		for (size_t row = 0; row < n_rows; row++) {
			const char *text = cell_text(table, row, i);
			char *wrapped;

			if (wrap_width(text) <= table->columns[i].width)
				continue;
			wrapped = wrap(text, table->columns[i].width);
			if (!wrapped ||
			    scols_line_refer_data(scols_table_get_line(table->scols, row), i,
						  wrapped)) {
				free(wrapped);
				return -ENOMEM;
			}
		}
	return 0;
}

/* Have rows fit the terminal: with less space between columns, more lines, and at last broken words. */
static int fit(struct table *table)
{
	size_t separator = 2;

	measure(table);
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].is_hidden)
			scols_column_set_flags(scols_table_get_column(table->scols, i),
					       SCOLS_FL_HIDDEN);
	if (table->width && total_width(table, separator) > table->width) {
		separator = 1;
		for (int floor = 0; floor < FLOOR_MAX; floor++)
			shrink(table, separator, floor);
	}
	scols_table_set_column_separator(table->scols, separator == 2 ? "  " : " ");
	return table->width ? wrap_cells(table) : 0;
}

/* Write text without the blanks at the ends of its lines. */
static void write_trimmed(const char *text, FILE *file)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), used = len;

		while (used && text[used - 1] == ' ')
			used--;
		fwrite(text, 1, used, file);
		text += len;
		if (*text)
			fputc(*text++, file);
	}
}

/**
 * table_print() - Write a table, which takes no row afterwards
 * @table: the table
 * @error: set on failure
 *
 * Return: 0 or -errno of the stream.
 */
int table_print(struct table *table, struct error *error)
{
	char *text = NULL;

	if (!scols_table_get_nlines(table->scols))
		return 0;
	if (fit(table) || scols_print_table_to_string(table->scols, &text) || !text)
		return error_no_memory(error);
	write_trimmed(text, table->file);
	fputc('\n', table->file); /* the last line of what the library gives has none */
	free(text);
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
