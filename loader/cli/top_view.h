/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `top` shows as lines of text.
 *
 * Lines are ASCII, so that every terminal shows them in as many columns.
 */
#ifndef SHRIKE_CLI_TOP_VIEW_H
#define SHRIKE_CLI_TOP_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "top/rows.h"
#include "top/top.h"

#define TOP_LINE_MAX	 512 /* bytes of a line with its NUL */
#define TOP_LABEL_MAX	 192
#define TOP_HEADER_LINES 6 /* at most */
#define TOP_SEARCH_MAX	 64

/*
 * struct top_view - an interval, and how to look at it
 * @top: the interface
 * @question: which rows
 * @rows: the rows
 * @columns: of the terminal; 0: as many as needed
 * @human: numbers with units
 * @numeric: addresses instead of names
 * @search: only rows whose first column has this text; empty: all
 * @within: the first columns of the rows that were opened to get there
 */
struct top_view {
	const struct top *top;
	const struct top_question *question;
	const struct top_rows *rows;
	size_t columns;
	bool human;
	bool numeric;
	char search[TOP_SEARCH_MAX];
	char within[TOP_LABEL_MAX];
};

void top_view_label(const struct top_view *view, const struct top_row *row,
		    char label[TOP_LABEL_MAX]);
size_t top_view_header(const struct top_view *view, char lines[TOP_HEADER_LINES][TOP_LINE_MAX]);
void top_view_titles(const struct top_view *view, char line[TOP_LINE_MAX]);
void top_view_row(const struct top_view *view, const struct top_row *row, const char *label,
		  char line[TOP_LINE_MAX]);

#endif /* SHRIKE_CLI_TOP_VIEW_H */
