/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classes to rows: lines, or tries for addresses and flat rows for ports and protocols.
 *
 * The bits of a row are in build.row_words, with masks and top above them.  From one row to the
 * next only the rules of those lists change theirs that began or ended in between.
 */
#include "classify/rows.h"

#include <string.h>

#include "classify/tables.h"
#include "rule.h"

static bool is_address(enum classify_dimension dimension)
{
	return dimension == CLASSIFY_SOURCE || dimension == CLASSIFY_DESTINATION;
}

static enum classify_table row_table(const struct build *build, enum classify_dimension dimension)
{
	if (!build->c->config.tries)
		return CLASSIFY_TABLE_LINE;
	return is_address(dimension) ? CLASSIFY_TABLE_ROW : CLASSIFY_TABLE_FLAT;
}

static void set_bit(struct build *build, uint32_t position)
{
	uint32_t word = position / 64;

	build->row_words[word] |= 1ull << (position % 64);
	build->row_masks[word / 64] |= 1ull << (word % 64);
	build->row_top |= 1ull << (word / 64);
}

static void clear_bit(struct build *build, uint32_t position)
{
	uint32_t word = position / 64;

	build->row_words[word] &= ~(1ull << (position % 64));
	if (build->row_words[word])
		return;
	build->row_masks[word / 64] &= ~(1ull << (word % 64));
	if (!build->row_masks[word / 64])
		build->row_top &= ~(1ull << (word / 64));
}

static void clear_row(struct build *build)
{
	for (; build->row_top; build->row_top &= build->row_top - 1) {
		uint32_t mask = __builtin_ctzll(build->row_top);
		uint64_t *bits = &build->row_masks[mask];

		for (; *bits; *bits &= *bits - 1)
			build->row_words[mask * 64 + __builtin_ctzll(*bits)] = 0;
	}
}

/**
 * rows_start() - Prepare for the rows of a dimension
 * @build: the compilation; dimensions come in the order of enum classify_dimension
 * @dimension: which
 *
 * Return: 0.
 */
int rows_start(struct build *build, enum classify_dimension dimension)
{
	const struct dimension *d = &build->dimensions[dimension];
	struct classifier *c = build->c;

	c->layout.rows[dimension] = c->tables[row_table(build, dimension)].len;
	clear_row(build);
	memset(build->any_words, 0, build->n_positions / 8);
	if (row_table(build, dimension) == CLASSIFY_TABLE_ROW)
		return 0; /* sections spare it the rules of any address */
	for (uint32_t i = d->member_start[LIST_ANY]; i < d->member_start[LIST_ANY + 1]; i++) {
		uint32_t position = c->items[d->members[i]].position;

		build->any_words[position / 64] |= 1ull << (position % 64);
	}
	return 0;
}

/* Whether rules of several lists can have the same bit. */
static bool is_shared(const struct build *build, enum classify_dimension dimension)
{
	return dimension == CLASSIFY_SOURCE && build->c->config.merged;
}

/* The row of the active lists, from an empty one. */
static void collect_shared(struct build *build, enum classify_dimension dimension)
{
	const struct dimension *d = &build->dimensions[dimension];

	for (uint32_t i = 0; i < d->n_active; i++) {
		uint32_t list = d->active[i];

		for (uint32_t j = d->member_start[list]; j < d->member_start[list + 1]; j++) {
			uint32_t rule = d->members[j];
			uint32_t position = build->c->items[rule].position;

			set_bit(build, position);
			if (rule < build->row_rule[position])
				build->row_rule[position] = rule;
		}
	}
}

static void change_list(struct build *build, const struct dimension *d, uint32_t list, bool begins)
{
	for (uint32_t i = d->member_start[list]; i < d->member_start[list + 1]; i++) {
		uint32_t position = build->c->items[d->members[i]].position;

		if (begins)
			set_bit(build, position);
		else
			clear_bit(build, position);
	}
}

/* The row of the active lists, from the one before. */
static void follow(struct build *build, enum classify_dimension dimension)
{
	struct dimension *d = &build->dimensions[dimension];

	for (size_t i = 0; i < bits_words(d->n_lists); i++) {
		uint64_t changed = d->active_bits[i] ^ d->row_lists[i];

		d->row_lists[i] = d->active_bits[i];
		for (; changed; changed &= changed - 1) {
			uint32_t bit = __builtin_ctzll(changed);

			change_list(build, d, i * 64 + bit, d->active_bits[i] >> bit & 1);
		}
	}
}

/* For a word of a source's row: the rules that its shared positions stand for. */
static int add_origins(struct build *build, uint32_t word)
{
	uint64_t bits = build->row_words[word];
	int err;

	err = tables_add_number(build, CLASSIFY_TABLE_BASE,
				build->n_numbers[CLASSIFY_TABLE_ORIGIN]);
	for (; !err && bits; bits &= bits - 1) {
		uint32_t position = word * 64 + __builtin_ctzll(bits);

		if (build->rule_count[position] > 1)
			err = tables_add_number(build, CLASSIFY_TABLE_ORIGIN,
						build->row_rule[position]);
		build->row_rule[position] = UINT32_MAX;
	}
	return err;
}

static int add_lines(struct build *build, enum classify_dimension dimension)
{
	bool shared = is_shared(build, dimension);
	struct classify_line *lines;
	int err = tables_grow(build, CLASSIFY_TABLE_LINE, build->c->layout.lines, &lines);

	for (uint32_t i = 0; !err && i < build->n_positions / 64; i++) {
		lines[i / 8].word[i % 8] = build->row_words[i] | build->any_words[i];
		if (shared)
			err = add_origins(build, i);
	}
	return err;
}

/* Append the row in the making as one bit for each position. */
static int add_flat(struct build *build)
{
	const struct classify_layout *layout = &build->c->layout;
	struct classify_word *row;
	int err = tables_grow(build, CLASSIFY_TABLE_FLAT, layout->stride, &row);

	for (uint32_t i = 0; !err && i < build->n_positions / 64; i++) {
		uint64_t bits = build->row_words[i] | build->any_words[i];

		if (!bits)
			continue;
		row[layout->flat_words[i / 64] + i % 64].bits = bits;
		row[i / 64].bits |= 1ull << (i % 64);
	}
	return err;
}

/* Append the words of a mask that are not empty. */
static int add_words(struct build *build, enum classify_dimension dimension, uint32_t mask)
{
	bool shared = is_shared(build, dimension);
	uint64_t bits = build->row_masks[mask];
	struct classify_mask *entry;
	int err;

	err = tables_grow(build, CLASSIFY_TABLE_MASK, 1, &entry);
	if (err)
		return err;
	*entry = (struct classify_mask){
		.bits = bits,
		.words = build->c->tables[CLASSIFY_TABLE_WORD].len,
	};
	for (; !err && bits; bits &= bits - 1) {
		uint32_t word = mask * 64 + __builtin_ctzll(bits);
		struct classify_word *out;

		err = tables_grow(build, CLASSIFY_TABLE_WORD, 1, &out);
		if (err)
			break;
		out->bits = build->row_words[word];
		if (shared)
			err = add_origins(build, word);
	}
	return err;
}

/* Append the row in the making as a sparse trie. */
static int add_trie(struct build *build, enum classify_dimension dimension)
{
	struct classify_row *row;
	uint64_t top;
	int err;

	err = tables_grow(build, CLASSIFY_TABLE_ROW, 1, &row);
	if (err)
		return err;
	*row = (struct classify_row){
		.top = build->row_top,
		.masks = build->c->tables[CLASSIFY_TABLE_MASK].len,
	};
	for (top = build->row_top; !err && top; top &= top - 1)
		err = add_words(build, dimension, __builtin_ctzll(top));
	return err;
}

static int write_row(struct build *build, enum classify_dimension dimension)
{
	switch (row_table(build, dimension)) {
	case CLASSIFY_TABLE_LINE:
		return add_lines(build, dimension);
	case CLASSIFY_TABLE_FLAT:
		return add_flat(build);
	default:
		return add_trie(build, dimension);
	}
}

/**
 * rows_add() - Write the row of a new class
 * @build: the compilation
 * @dimension: whose active lists make the row, together with LIST_ANY
 *
 * Return: 0, -ENOMEM, or -E2BIG if it does not fit the budget.
 */
int rows_add(struct build *build, enum classify_dimension dimension)
{
	int err;

	if (!is_shared(build, dimension)) {
		follow(build, dimension);
		return write_row(build, dimension);
	}
	collect_shared(build, dimension);
	err = write_row(build, dimension);
	clear_row(build);
	return err;
}

/**
 * rows_add_full() - Write a row that every rule has its bit in
 * @build: the compilation
 * @dimension: one of ports; this is its last row
 *
 * Return: 0, -ENOMEM, or -E2BIG if it does not fit the budget.
 */
int rows_add_full(struct build *build, enum classify_dimension dimension)
{
	for (uint32_t i = 0; i < build->n_positions; i++)
		if (build->rule_count[i])
			set_bit(build, i);
	return write_row(build, dimension);
}

/**
 * rows_are_dense() - Whether the rows of addresses would better be lines
 * @build: has the rows of addresses, and no others yet
 *
 * A step through lines takes eight words at once, a step through tries one that is not empty in
 * either row.  With a third of the words there are three of the former to eight of the latter.
 */
bool rows_are_dense(const struct build *build)
{
	const struct classifier *c = build->c;
	uint64_t words = c->layout.stride - c->layout.masks;

	return c->config.tries &&
	       c->tables[CLASSIFY_TABLE_WORD].len * 3 > c->tables[CLASSIFY_TABLE_ROW].len * words;
}

/**
 * rows_finish() - Write what goes with the rows: shared positions, and the rules of positions
 * @build: the compilation, with all other rows written
 *
 * Return: 0, -ENOMEM, or -E2BIG if it does not fit the budget.
 */
int rows_finish(struct build *build)
{
	struct classify_config *config = &build->c->config;
	enum classify_table table = config->tries ? CLASSIFY_TABLE_FLAT : CLASSIFY_TABLE_LINE;
	int err = 0;

	for (uint32_t i = 0; config->mapped && !err && i < build->n_positions; i++)
		err = tables_add_number(build, CLASSIFY_TABLE_RULE, build->rule_first[i]);
	if (err || !config->merged)
		return err;
	build->c->layout.merged_row = build->c->tables[table].len;
	clear_row(build);
	memset(build->any_words, 0, build->n_positions / 8);
	for (uint32_t i = 0; i < build->n_positions; i++)
		if (build->rule_count[i] > 1)
			set_bit(build, i);
	return config->tries ? add_flat(build) : add_lines(build, CLASSIFY_PROTOCOL);
}
