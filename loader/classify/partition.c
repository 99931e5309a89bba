/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lists to classes: a sweep over the values of a dimension, which stops wherever a list begins or
 * ends, and takes the lists that cover the value there for a class.
 *
 * Classes are found by a sum of random keys of their lists and then compared, as the bits of all
 * lists or as their numbers, whichever is less.
 */
#include "classify/partition.h"

#include <stdlib.h>
#include <string.h>

#include "classify/rows.h"
#include "classify/tables.h"

/*
 * Where a list begins to cover values, or no longer does: since its spans neither overlap nor
 * touch, one follows the other.
 */
struct end {
	struct point at;
	uint32_t list;
};

/**
 * partition_start() - Prepare a dimension for classes
 * @build: has lists and positions
 * @dimension: which
 *
 * Return: 0, -ENOMEM, or -E2BIG.
 */
int partition_start(struct build *build, enum classify_dimension dimension)
{
	struct dimension *d = &build->dimensions[dimension];

	d->active = malloc(d->n_lists * sizeof(*d->active));
	d->where = malloc(d->n_lists * sizeof(*d->where));
	d->active_bits = calloc(bits_words(d->n_lists), sizeof(*d->active_bits));
	d->row_lists = calloc(bits_words(d->n_lists), sizeof(*d->row_lists));
	if (!d->active || !d->where || !d->active_bits || !d->row_lists)
		return tables_out_of_memory(build);
	return rows_start(build, dimension);
}

/**
 * partition_free() - Free the classes of a dimension, and what they are made with
 * @d: keeps its lists; may never have been started
 */
void partition_free(struct dimension *d)
{
	free(d->active);
	free(d->where);
	free(d->active_bits);
	free(d->row_lists);
	free(d->classes);
	free(d->content);
	intern_free(&d->class_table);
	d->active = d->where = d->content = NULL;
	d->active_bits = d->row_lists = NULL;
	d->classes = NULL;
	d->n_classes = d->classes_cap = d->content_len = d->content_cap = 0;
	d->n_active = 0;
	d->active_key[0] = d->active_key[1] = 0;
}

static bool is_active(const struct dimension *d, uint32_t list)
{
	return d->active_bits[list / 64] >> (list % 64) & 1;
}

/**
 * partition_toggle() - Let a list begin or end
 * @build: for the keys of lists
 * @d: the list's dimension
 * @list: its number, not LIST_ANY
 */
void partition_toggle(struct build *build, struct dimension *d, uint32_t list)
{
	uint64_t key[2] = {intern_mix(build->seed[0], list), intern_mix(build->seed[1], list)};
	bool begins = !is_active(d, list);

	d->active_bits[list / 64] ^= 1ull << (list % 64);
	for (int i = 0; i < 2; i++)
		d->active_key[i] += begins ? key[i] : -key[i];
	if (begins) {
		d->where[list] = d->n_active;
		d->active[d->n_active++] = list;
	} else {
		uint32_t moved = d->active[--d->n_active];

		d->active[d->where[list]] = moved;
		d->where[moved] = d->where[list];
	}
}

static bool kept_as_bits(const struct dimension *d, uint32_t n_lists)
{
	return n_lists > bits_words(d->n_lists) * 2;
}

/* Whether a class is of the lists that are active now. */
static bool same_lists(const void *context, uint32_t id)
{
	const struct dimension *d = context;
	const struct list_class *known = &d->classes[id];
	const uint32_t *content = d->content + known->content;

	if (known->n_lists != d->n_active || known->key != d->active_key[1])
		return false;
	if (kept_as_bits(d, known->n_lists))
		return !memcmp(content, d->active_bits,
			       bits_words(d->n_lists) * sizeof(*d->active_bits));
	for (uint32_t i = 0; i < known->n_lists; i++)
		if (!is_active(d, content[i]))
			return false;
	return true;
}

/* Store the lists that are active as the content of a class. */
static int keep_content(struct build *build, struct dimension *d)
{
	bool as_bits = kept_as_bits(d, d->n_active);
	size_t n = as_bits ? bits_words(d->n_lists) * 2 : d->n_active;

	if (d->content_len + n > d->content_cap) {
		size_t cap = (d->content_len + n) * 2;
		uint32_t *content = realloc(d->content, cap * sizeof(*content));

		if (!content)
			return tables_out_of_memory(build);
		d->content = content;
		d->content_cap = cap;
	}
	if (n)
		memcpy(d->content + d->content_len,
		       as_bits ? (void *)d->active_bits : (void *)d->active,
		       n * sizeof(*d->content));
	d->content_len += n;
	return d->content_len * sizeof(*d->content) > build->budget_bytes
		       ? tables_over_budget(build)
		       : 0;
}

/* Append a class with the lists that are active. */
static int add_class(struct build *build, struct dimension *d)
{
	if (d->n_classes == d->classes_cap) {
		size_t cap = d->classes_cap ? d->classes_cap * 2 : 64;
		struct list_class *classes = realloc(d->classes, cap * sizeof(*classes));

		if (!classes)
			return tables_out_of_memory(build);
		d->classes = classes;
		d->classes_cap = cap;
	}
	d->classes[d->n_classes] = (struct list_class){
		.key = d->active_key[1],
		.content = d->content_len,
		.n_lists = d->n_active,
	};
	if (intern_add(&d->class_table, d->active_key[0], d->n_classes))
		return tables_out_of_memory(build);
	d->n_classes++;
	return keep_content(build, d);
}

/**
 * partition_class() - The class of the lists that are active
 * @build: the compilation
 * @dimension: whose
 * @class_id: its number
 *
 * Return: 0, -ENOMEM, or -E2BIG if the row of a new class does not fit the budget.
 */
int partition_class(struct build *build, enum classify_dimension dimension, uint32_t *class_id)
{
	struct dimension *d = &build->dimensions[dimension];
	uint32_t found = intern_find(&d->class_table, d->active_key[0], same_lists, d);
	int err;

	if (found != INTERN_NONE) {
		*class_id = found;
		return 0;
	}
	found = d->n_classes;
	err = add_class(build, d);
	if (!err)
		err = rows_add(build, dimension);
	if (!err)
		*class_id = found;
	return err;
}

static int compare_ends(const void *a, const void *b)
{
	const struct end *x = a, *y = b;

	return point_compare(&x->at, &y->at);
}

static bool has_members(const struct dimension *d, size_t list)
{
	return d->member_start[list] != d->member_start[list + 1];
}

/* The ends of all lists in a space, ascending. */
static int gather_ends(struct build *build, const struct dimension *d, enum space space,
		       struct end **ends, size_t *n_ends)
{
	struct point last = space_last(space);
	size_t n = 0, len = 0;
	struct end *end;

	for (size_t i = 0; i < d->n_lists; i++)
		n += d->lists[i].n_spans[space];
	end = malloc((2 * n + 1) * sizeof(*end));
	if (!end)
		return tables_out_of_memory(build);
	for (size_t i = 0; i < d->n_lists; i++) {
		const struct list *list = &d->lists[i];

		for (size_t j = 0; has_members(d, i) && j < list->n_spans[space]; j++) {
			const struct span *span = &list->spans[space][j];

			end[len++] = (struct end){span->first, i};
			if (point_compare(&span->last, &last))
				end[len++] = (struct end){point_next(span->last), i};
		}
	}
	qsort(end, len, sizeof(*end), compare_ends);
	*ends = end;
	*n_ends = len;
	return 0;
}

/* Begin a piece at a point, unless the class stays the same. */
static int add_piece(struct build *build, struct pieces *pieces, const struct point *at,
		     uint32_t class_id)
{
	if (pieces->len && pieces->piece[pieces->len - 1].class_id == class_id)
		return 0;
	if (pieces->len == pieces->cap) {
		size_t cap = pieces->cap ? pieces->cap * 2 : 64;
		struct piece *piece = realloc(pieces->piece, cap * sizeof(*piece));

		if (!piece)
			return tables_out_of_memory(build);
		pieces->piece = piece;
		pieces->cap = cap;
	}
	pieces->piece[pieces->len++] = (struct piece){*at, class_id};
	return 0;
}

/* Lists that reach the end of a space have no end there. */
static void end_all(struct build *build, struct dimension *d)
{
	while (d->n_active)
		partition_toggle(build, d, d->active[d->n_active - 1]);
}

/**
 * partition_space() - Divide a space into pieces of one class each
 * @build: the compilation
 * @dimension: whose lists
 * @space: addresses of one family, or ports
 * @pieces: empty; filled in ascending order, the first at 0; to be freed whatever is returned
 *
 * Return: 0, -ENOMEM, or -E2BIG if the classes' rows do not fit the budget.
 */
int partition_space(struct build *build, enum classify_dimension dimension, enum space space,
		    struct pieces *pieces)
{
	struct dimension *d = &build->dimensions[dimension];
	struct end *ends = NULL;
	struct point at = {0, 0};
	size_t n = 0, i = 0;
	uint32_t class_id;
	int err;

	err = gather_ends(build, d, space, &ends, &n);
	while (!err) {
		for (; i < n && !point_compare(&ends[i].at, &at); i++)
			partition_toggle(build, d, ends[i].list);
		err = partition_class(build, dimension, &class_id);
		if (!err)
			err = add_piece(build, pieces, &at, class_id);
		if (i == n)
			break;
		at = ends[i].at;
	}
	end_all(build, d);
	free(ends);
	return err;
}
