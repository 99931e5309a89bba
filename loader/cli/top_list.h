/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of rows that a user moves about in: which are shown, which one is selected, and the rows
 * that were opened to get there.  Knows nothing of terminals.
 */
#ifndef SHRIKE_CLI_TOP_LIST_H
#define SHRIKE_CLI_TOP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/top_view.h"

/* What was shown before a row was opened. */
struct top_level {
	enum top_by by;
	enum top_order order;
	char within[TOP_LABEL_MAX];
	char search[TOP_SEARCH_MAX];
};

/*
 * struct top_list - the list
 * @question: of its rows
 * @view: what is shown
 * @shown: places of the rows that have the text that is searched for
 * @n: how many
 * @selected: place in @shown
 * @first: place in @shown that stands at the top
 */
struct top_list {
	struct top_question *question;
	struct top_view view;
	uint32_t *shown;
	size_t n;
	size_t selected;
	size_t first;

	/* private to top_list.c */
	struct top_rows rows;
	struct top_key selected_key; /* the same row stays selected where it moves */
	bool follows;		     /* there is one */
	struct top_level above[TOP_SCOPES];
};

void top_list_init(struct top_list *list, const struct top *top, struct top_question *question,
		   bool numeric);
int top_list_make(struct top_list *list, struct error *error);
const struct top_row *top_list_row(const struct top_list *list, size_t place);
void top_list_move(struct top_list *list, long by);
void top_list_scroll(struct top_list *list, size_t height);
void top_list_set_by(struct top_list *list, enum top_by by);
bool top_list_open(struct top_list *list);
bool top_list_back(struct top_list *list);
void top_list_free(struct top_list *list);

#endif /* SHRIKE_CLI_TOP_LIST_H */
