/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules to positions of the rows, and the choice of how rows are laid out.
 *
 * With few rules the position of a rule is its index.  With more, rules that differ in their source
 * alone share a position if that saves a quarter of them; positions are in the order of their first
 * rules.  Positions that are too many for lines are divided into sections, unless their rows turn
 * out to be dense (rows_are_dense()).
 *
 * The walk may have to look at every position whose first rule is before the rule that wins and
 * whose last rule is behind it.  SHARED_OPEN_MAX bounds how many such positions there are, whatever
 * the rules.
 */
#include "classify/positions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classify/rows.h"
#include "classify/tables.h"

#define SHARED_OPEN_MAX 1024

/* Rows of so many positions are lines, whatever they hold. */
#define LINES_POSITIONS_MAX (CLASSIFY_LINES_MAX * CLASSIFY_LINE_BITS)

/* Rules that could share a position, kept at the number of the first of them. */
struct group {
	uint32_t last; /* its last rule */
	uint32_t count;
	uint32_t position;
	bool shared;
};

struct grouping {
	const struct item *items;
	struct group *groups;
	uint32_t *of; /* per rule, the number of its group */
	struct intern table;
};

struct candidate {
	const struct grouping *grouping;
	const struct item *item;
};

static bool same_but_source(const void *context, uint32_t first)
{
	const struct candidate *candidate = context;
	const struct item *a = candidate->item, *b = &candidate->grouping->items[first];

	for (int d = CLASSIFY_DESTINATION; d < CLASSIFY_DIMENSIONS; d++)
		if (a->list[d] != b->list[d])
			return false;
	return true;
}

/* Put an item into the group of those that differ in the source alone, or begin one. */
static int find_group(struct build *build, struct grouping *g, uint32_t index)
{
	struct candidate candidate = {.grouping = g, .item = &g->items[index]};
	uint64_t hash = build->seed[0];
	uint32_t first;

	g->of[index] = index;
	g->groups[index] = (struct group){.last = index, .count = 1};
	if (candidate.item->list[CLASSIFY_SOURCE] == LIST_ANY)
		return 0;
	for (int d = CLASSIFY_DESTINATION; d < CLASSIFY_DIMENSIONS; d++)
		hash = intern_mix(hash, candidate.item->list[d]);
	first = intern_find(&g->table, hash, same_but_source, &candidate);
	if (first == INTERN_NONE)
		return intern_add(&g->table, hash, index) ? tables_out_of_memory(build) : 0;
	g->of[index] = first;
	g->groups[first].last = index;
	g->groups[first].count++;
	return 0;
}

/* Which groups share a position; returns how many positions that saves. */
static size_t choose_shared(struct grouping *g, size_t n)
{
	size_t open = 0, saved = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct group *group = &g->groups[g->of[i]];

		if (g->of[i] == i && group->count > 1 && open < SHARED_OPEN_MAX) {
			group->shared = true;
			saved += group->count - 1;
			open++;
		}
		if (group->shared && group->last == i)
			open--;
	}
	return saved;
}

static enum classify_section section_of(const struct item *item)
{
	bool from = item->list[CLASSIFY_SOURCE] != LIST_ANY;
	bool to = item->list[CLASSIFY_DESTINATION] != LIST_ANY;

	if (from)
		return to ? CLASSIFY_PAIRED : CLASSIFY_FROM;
	return to ? CLASSIFY_TO : CLASSIFY_ANYWHERE;
}

/* Gives the rules of a section, or all if it is CLASSIFY_SECTIONS, positions from @next on. */
static uint32_t place_rules(struct build *build, struct grouping *g, enum classify_section section,
			    uint32_t next)
{
	struct classifier *c = build->c;

	for (uint32_t i = 0; i < c->n_items; i++) {
		struct item *item = &c->items[i];
		struct group *group = &g->groups[g->of[i]];

		if (section != CLASSIFY_SECTIONS && section_of(item) != section)
			continue;
		if (!group->shared)
			item->position = next++;
		else if (g->of[i] == i)
			item->position = group->position = next++;
		else
			item->position = group->position;
	}
	return next;
}

static uint64_t masks_between(uint32_t first, uint32_t end)
{
	return ((end < 64 ? 1ull << end : 0) - 1) & ~((1ull << first) - 1);
}

/* Gives the words of a section their places in flat rows; @end is the position behind it. */
static void place_flat_words(struct classify_layout *layout, uint32_t first_mask, uint32_t end)
{
	uint32_t words = (end + 63) / 64 - first_mask * 64;

	for (uint32_t mask = first_mask; words; mask++) {
		uint32_t n = words < 64 ? words : 64;

		layout->flat_words[mask] = layout->stride;
		layout->stride += n;
		words -= n;
	}
}

/* Give the rules of each section their positions. */
static int place_sections(struct build *build, struct grouping *g)
{
	struct classify_config *config = &build->c->config;
	struct classify_layout *layout = &build->c->layout;
	uint32_t mask = 0;

	for (enum classify_section s = 0; s < CLASSIFY_SECTIONS; s++) {
		uint32_t end = place_rules(build, g, s, mask * CLASSIFY_MASK_BITS);
		uint32_t first = mask;

		mask = (end + CLASSIFY_MASK_BITS - 1) / CLASSIFY_MASK_BITS;
		if (mask > CLASSIFY_POSITIONS_MAX / CLASSIFY_MASK_BITS)
			return error_set(build->error, E2BIG,
					 "the policy has too many rules: %zu, and the tables hold "
					 "about %u that differ in more than their source",
					 build->c->n_items, CLASSIFY_POSITIONS_MAX);
		if (mask > first)
			config->sections |= 1 << s;
		layout->tops[s] = masks_between(first, mask);
		place_flat_words(layout, first, end);
	}
	for (uint32_t i = 0; i < mask; i++)
		layout->flat_words[i] += mask;
	config->tries = 1;
	config->mapped = 1;
	layout->masks = mask;
	layout->stride += mask;
	build->n_positions = mask * CLASSIFY_MASK_BITS;
	return 0;
}

static int place_lines(struct build *build, struct grouping *g)
{
	uint32_t end = place_rules(build, g, CLASSIFY_SECTIONS, 0);
	uint32_t lines = (end + CLASSIFY_LINE_BITS - 1) / CLASSIFY_LINE_BITS;

	build->c->config.mapped = build->c->config.merged;
	build->c->config.single = lines == 1;
	build->c->layout.lines = lines;
	build->n_positions = lines * CLASSIFY_LINE_BITS;
	return 0;
}

/* Choose how rules share positions, and place them. */
static int place(struct build *build, struct grouping *g)
{
	struct classifier *c = build->c;
	size_t saved;

	if (c->n_items <= CLASSIFY_LINE_BITS)
		return place_lines(build, g);
	saved = choose_shared(g, c->n_items);
	if (saved < c->n_items / 4) {
		for (size_t i = 0; i < c->n_items; i++)
			g->groups[i].shared = false;
		saved = 0;
	}
	c->config.merged = saved > 0;
	if (c->n_items - saved <= LINES_POSITIONS_MAX || build->wanted == BUILD_LINES)
		return place_lines(build, g);
	return place_sections(build, g);
}

/* Note which rules each position holds. */
static int note_rules(struct build *build)
{
	struct classifier *c = build->c;
	uint32_t n = build->n_positions;

	build->rule_first = malloc(n * sizeof(*build->rule_first));
	build->rule_count = calloc(n, sizeof(*build->rule_count));
	build->row_words = calloc(n / 64, sizeof(*build->row_words));
	build->any_words = calloc(n / 64, sizeof(*build->any_words));
	build->row_rule = malloc(n * sizeof(*build->row_rule));
	if (!build->rule_first || !build->rule_count || !build->row_words || !build->any_words ||
	    !build->row_rule)
		return tables_out_of_memory(build);
	for (uint32_t i = 0; i < n; i++)
		build->rule_first[i] = build->row_rule[i] = UINT32_MAX;
	for (uint32_t i = 0; i < c->n_items; i++) {
		uint32_t position = c->items[i].position;

		if (!build->rule_count[position]++)
			build->rule_first[position] = i;
	}
	return 0;
}

/**
 * positions_make() - Give every rule a position, and choose the layout of rows
 * @build: has the lists of its rules
 *
 * Return: 0, -ENOMEM, or -E2BIG if the rules need more than CLASSIFY_POSITIONS_MAX positions.
 */
int positions_make(struct build *build)
{
	struct classifier *c = build->c;
	struct grouping g = {.items = c->items};
	int err = 0;

	g.groups = calloc(c->n_items + 1, sizeof(*g.groups));
	g.of = malloc((c->n_items + 1) * sizeof(*g.of));
	if (!g.groups || !g.of)
		err = tables_out_of_memory(build);
	for (uint32_t i = 0; !err && i < c->n_items; i++)
		err = find_group(build, &g, i);
	if (!err)
		err = place(build, &g);
	if (!err)
		err = note_rules(build);
	c->config.present = 1;
	free(g.groups);
	free(g.of);
	intern_free(&g.table);
	return err;
}

/**
 * positions_free() - Release what belongs to positions
 * @build: may be at any step
 */
void positions_free(struct build *build)
{
	free(build->rule_first);
	free(build->rule_count);
	free(build->row_words);
	free(build->row_rule);
	free(build->any_words);
	build->rule_first = build->rule_count = build->row_rule = NULL;
	build->row_words = build->any_words = NULL;
	memset(build->row_masks, 0, sizeof(build->row_masks));
	build->row_top = 0;
}
