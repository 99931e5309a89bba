/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/top_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * top_list_init() - Begin with an empty list
 * @list: is filled; for top_list_free()
 * @top: the interface
 * @question: the rows that are asked for; changes with the list
 * @numeric: addresses instead of names
 */
void top_list_init(struct top_list *list, const struct top *top, struct top_question *question,
		   bool numeric)
{
	*list = (struct top_list){
		.question = question,
		.view = {.top = top, .question = question, .human = true, .numeric = numeric},
	};
}

/* Whether a row has the text that is searched for. */
static bool is_found(const struct top_view *view, const struct top_row *row)
{
	char label[TOP_LABEL_MAX];

	if (!view->search[0])
		return true;
	top_view_label(view, row, label);
	return strcasestr(label, view->search);
}

/* Have the same row selected as before, where it is still there. */
static void follow(struct top_list *list)
{
	for (size_t i = 0; list->follows && i < list->n; i++)
		if (!memcmp(&top_list_row(list, i)->key, &list->selected_key,
			    sizeof(list->selected_key))) {
			list->selected = i;
			return;
		}
	top_list_move(list, 0);
}

/**
 * top_list_make() - Make the list of the last interval
 * @list: the list
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int top_list_make(struct top_list *list, struct error *error)
{
	uint32_t *shown;
	int err;

	err = top_rows_make(&list->rows, &list->view.top->ledger, list->question, error);
	if (err)
		return err;
	shown = realloc(list->shown, (list->rows.n + 1) * sizeof(*shown));
	if (!shown)
		return error_no_memory(error);
	list->view.rows = &list->rows;
	list->shown = shown;
	list->n = 0;
	for (size_t i = 0; i < list->rows.n; i++)
		if (is_found(&list->view, &list->rows.list[i]))
			shown[list->n++] = i;
	follow(list);
	return 0;
}

/**
 * top_list_row() - The row at a place of those that are shown
 */
const struct top_row *top_list_row(const struct top_list *list, size_t place)
{
	return &list->rows.list[list->shown[place]];
}

/**
 * top_list_move() - Select another row
 * @list: the list
 * @by: how many rows below the selected one; negative: above.  The first and the last are the ends.
 */
void top_list_move(struct top_list *list, long by)
{
	long place = (long)list->selected + by, last = (long)list->n - 1;

	if (place > last)
		place = last;
	list->selected = place < 0 ? 0 : place;
	if (by)
		list->follows = list->selected > 0;
	if (list->n)
		list->selected_key = top_list_row(list, list->selected)->key;
}

/**
 * top_list_scroll() - Have the selected row among those that are seen
 * @list: the list
 * @height: how many are
 */
void top_list_scroll(struct top_list *list, size_t height)
{
	if (!height || list->selected < list->first)
		list->first = list->selected;
	else if (list->selected >= list->first + height)
		list->first = list->selected - height + 1;
}

/* Begin at the top, with nothing that was searched for. */
static void restart(struct top_list *list)
{
	list->selected = list->first = 0;
	list->follows = false;
	list->view.search[0] = '\0';
}

/**
 * top_list_set_by() - Let rows stand for something else; top_list_make() makes them
 */
void top_list_set_by(struct top_list *list, enum top_by by)
{
	list->question->by = by;
	restart(list);
}

/**
 * top_list_open() - Open the selected row: its connections; top_list_make() makes them
 *
 * Return: false: it is a connection, or there is none.
 */
bool top_list_open(struct top_list *list)
{
	struct top_question *question = list->question;
	struct top_view *view = &list->view;
	char label[TOP_LABEL_MAX];
	struct top_level *level;
	size_t len;

	if (!list->n || question->by == TOP_BY_FLOW || question->n_scopes == TOP_SCOPES)
		return false;
	top_view_label(view, top_list_row(list, list->selected), label);
	level = &list->above[question->n_scopes];
	*level = (struct top_level){.by = question->by, .order = question->order};
	strcpy(level->within, view->within);
	strcpy(level->search, view->search);
	question->scopes[question->n_scopes++] = (struct top_scope){
		.by = question->by, .key = top_list_row(list, list->selected)->key};
	len = strlen(view->within);
	snprintf(view->within + len, sizeof(view->within) - len, "%s%s", len ? ", " : "", label);
	top_list_set_by(list, TOP_BY_FLOW);
	return true;
}

/**
 * top_list_back() - Go back to what was shown before; top_list_make() makes it
 *
 * Return: false: nothing was shown before.
 */
bool top_list_back(struct top_list *list)
{
	struct top_question *question = list->question;
	const struct top_level *level;

	if (list->view.search[0]) {
		restart(list);
		return true;
	}
	if (!question->n_scopes)
		return false;
	level = &list->above[--question->n_scopes];
	question->by = level->by;
	question->order = level->order;
	restart(list);
	strcpy(list->view.within, level->within);
	strcpy(list->view.search, level->search);
	list->selected_key = question->scopes[question->n_scopes].key;
	list->follows = true;
	return true;
}

/**
 * top_list_free() - Free the list
 */
void top_list_free(struct top_list *list)
{
	top_rows_free(&list->rows);
	free(list->shown);
}
