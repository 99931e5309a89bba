/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk through the classifier's tables, compiled for the kernel and for the command.
 *
 * The including file first defines how it reaches the tables:
 *
 *	struct classify_tables;		whatever it needs to find them
 *	classify_settings(tables)	-> const volatile struct classify_config *
 *	classify_layout(tables)		-> const struct classify_layout *
 *	classify_entry(tables, table, index) -> an entry of a table, NULL beyond its end
 *	classify_loop(n, step, walk)	calls step(i, walk) up to n times, until it returns not 0
 *
 * and how it sees a packet, side being 0 for the source and 1 for the destination:
 *
 *	struct classify_key;		the packet
 *	classify_key_addr(key, side)	-> const union addr *
 *	classify_key_port(key, side)	-> in host byte order
 *	classify_key_version(key)	-> enum ip_version
 *	classify_key_protocol(key)	-> the protocol's number
 *	classify_key_icmp(key)		-> of ICMP: type << 8 | code
 *	classify_key_kind(key)		-> enum local_kind of the destination
 *
 * After the inclusion it defines classify_tree_find() by classify_tree_walk().
 *
 * NULL never comes for tables that the compiler made; the checks satisfy the verifier.
 *
 * The first match is the least rule index among the matching positions.  A position of several
 * rules may stand before the position whose rule wins, because it sorts by its first rule and the
 * packet may come from a source of a later one.  So the walk goes on until positions begin beyond
 * the best rule found.
 */
#ifndef SHRIKE_INCLUDE_CLASSIFY_WALK_H
#define SHRIKE_INCLUDE_CLASSIFY_WALK_H

#include "classify_class.h"

#define CLASSIFY_NO_ROW 0xffffffffu /* the section has no such dimension */

/* Steps of a walk: masks, words and positions of a section, each at most once. */
#define CLASSIFY_STEPS_MAX (64 + CLASSIFY_POSITIONS_MAX / 64 + CLASSIFY_POSITIONS_MAX + 1)

/*
 * struct classify_walk - where a walk stands
 *
 * @tops, @words, @hits: masks, words of the current mask, and positions of the current word that
 *	are still to be looked at
 * @bits, @base: the current mask of the source's and the destination's row
 * @row: source and destination, CLASSIFY_NO_ROW where the section does not look at it
 * @flat: source port, destination port, protocol
 * @source_word: the current word of the source's row, as class_base_v1 counts
 */
struct classify_walk {
	const struct classify_tables *tables;
	__u64 tops;
	__u64 words;
	__u64 hits;
	__u64 bits[2];
	__u32 base[2];
	__u32 row[2];
	__u32 flat[3];
	__u32 mask; /* tries: the current one; lines: the next line */
	__u32 word; /* the current one, counted from the beginning of the row */
	__u32 source_word;
	__u32 best;
};

/* One matching position: the first of its rules that the packet's source belongs to. */
static __always_inline long classify_hit(struct classify_walk *walk, __u64 source, __u64 merged)
{
	const volatile struct classify_config *config = classify_settings(walk->tables);
	__u32 bit = classify_lowest(walk->hits);
	__u32 rule = walk->word * 64 + bit;

	walk->hits &= walk->hits - 1;
	if (config->mapped)
		rule = classify_number(walk->tables, CLASSIFY_TABLE_RULE, rule);
	if (rule >= walk->best)
		return 1;
	if (config->merged && (merged >> bit & 1)) {
		__u32 origin = classify_number(walk->tables, CLASSIFY_TABLE_BASE,
					       walk->source_word);

		origin += classify_rank(source & merged, bit);
		rule = classify_number(walk->tables, CLASSIFY_TABLE_ORIGIN, origin);
	}
	if (rule < walk->best)
		walk->best = rule;
	return !config->merged;
}

/* ---- rows that are lines ---- */

/*
 * 1 if any bit is set, without a branch for the verifier to follow both ways: it would do so for
 * each combination of words, and give up after a million instructions.
 */
static __always_inline __u64 classify_any(__u64 bits)
{
	__u64 negative = -bits;

	asm volatile("" : "+r"(negative));
	return (bits | negative) >> 63;
}

/* Line @line of the row from @row on. */
static __always_inline const struct classify_line *classify_row_line(
	const struct classify_walk *walk, __u32 row, __u32 line)
{
	return classify_entry(walk->tables, CLASSIFY_TABLE_LINE, row + line);
}

/*
 * Intersects line @line of the five rows.  Positions are rule indexes: the first bit is the best
 * rule.  Shared positions: notes which words have bits.
 */
static __noinline void classify_line(struct classify_walk *walk, __u32 line)
{
	const volatile struct classify_config *config = classify_settings(walk->tables);
	const struct classify_line *a = classify_row_line(walk, walk->row[0], line);
	const struct classify_line *b = classify_row_line(walk, walk->row[1], line);
	const struct classify_line *c = classify_row_line(walk, walk->flat[0], line);
	const struct classify_line *d = classify_row_line(walk, walk->flat[1], line);
	const struct classify_line *e = classify_row_line(walk, walk->flat[2], line);
	__u64 words = 0;

	if (!a || !b || !c || !d || !e)
		return;
	for (__u32 i = 0; i < 8; i++) {
		__u64 hits = a->word[i] & b->word[i] & c->word[i] & d->word[i] & e->word[i];

		if (config->merged) {
			words |= classify_any(hits) << i;
		} else if (hits) {
			walk->best = line * CLASSIFY_LINE_BITS + i * 64 + classify_lowest(hits);
			return;
		}
	}
	walk->words = words;
}

/* One word of the row from @row on; words are counted from the beginning of the row. */
static __always_inline __u64 classify_line_word(const struct classify_walk *walk, __u32 row,
						__u32 word)
{
	const struct classify_line *line = classify_row_line(walk, row, word / 8);

	return line ? line->word[word & 7] : 0;
}

static __always_inline void classify_enter_line_word(struct classify_walk *walk)
{
	__u32 word = (walk->word & ~7u) + (classify_lowest(walk->words) & 7);
	__u64 hits;

	walk->words &= walk->words - 1;
	walk->word = word;
	hits = classify_line_word(walk, walk->row[0], word);
	hits &= classify_line_word(walk, walk->row[1], word);
	hits &= classify_line_word(walk, walk->flat[0], word);
	hits &= classify_line_word(walk, walk->flat[1], word);
	walk->hits = hits & classify_line_word(walk, walk->flat[2], word);
}

static __always_inline long classify_line_hit(struct classify_walk *walk)
{
	const struct classify_layout *layout = classify_layout(walk->tables);

	walk->source_word = (walk->row[0] - layout->rows[CLASSIFY_SOURCE]) * 8 + walk->word;
	return classify_hit(walk, classify_line_word(walk, walk->row[0], walk->word),
			    classify_line_word(walk, layout->merged_row, walk->word));
}

/* walk.mask is the next line here. */
static long classify_line_step(__u32 index, struct classify_walk *walk)
{
	const volatile struct classify_config *config = classify_settings(walk->tables);

	(void)index;
	if (!walk->hits) {
		if (!walk->words) {
			if (walk->mask >= classify_layout(walk->tables)->lines)
				return 1;
			walk->word = walk->mask * 8;
			classify_line(walk, walk->mask++);
			if (!walk->words)
				return walk->best != CLASSIFY_NO_RULE && !config->merged;
		}
		classify_enter_line_word(walk);
		if (!walk->hits)
			return 0;
	}
	return classify_line_hit(walk);
}

static __always_inline void classify_lines(struct classify_walk *walk)
{
	const volatile struct classify_config *config = classify_settings(walk->tables);

	if (config->single && !config->merged)
		classify_line(walk, 0);
	else
		classify_loop(CLASSIFY_STEPS_MAX, classify_line_step, walk);
}

/* ---- rows that are tries ---- */

/* Enters mask @mask of an address row; its bits, 0 if the row has no such mask. */
static __always_inline __u64 classify_row_mask(struct classify_walk *walk, __u32 side, __u32 mask)
{
	const struct classify_mask *entry;
	const struct classify_row *row;

	row = classify_entry(walk->tables, CLASSIFY_TABLE_ROW, walk->row[side]);
	if (!row)
		return 0;
	entry = classify_entry(walk->tables, CLASSIFY_TABLE_MASK,
			       row->masks + classify_rank(row->top, mask));
	if (!entry)
		return 0;
	walk->bits[side] = entry->bits;
	walk->base[side] = entry->words;
	return entry->bits;
}

/* The bits of an entry of the three flat rows; @at counts from the rows' beginnings. */
static __always_inline __u64 classify_flat(struct classify_walk *walk, __u32 at)
{
	const struct classify_word *sport, *dport, *protocol;

	dport = classify_entry(walk->tables, CLASSIFY_TABLE_FLAT, walk->flat[1] + at);
	sport = classify_entry(walk->tables, CLASSIFY_TABLE_FLAT, walk->flat[0] + at);
	protocol = classify_entry(walk->tables, CLASSIFY_TABLE_FLAT, walk->flat[2] + at);
	if (!dport || !sport || !protocol)
		return 0;
	return dport->bits & sport->bits & protocol->bits;
}

/* Where the current word is in flat rows. */
static __always_inline __u32 classify_flat_word(const struct classify_walk *walk)
{
	const struct classify_layout *layout = classify_layout(walk->tables);

	return layout->flat_words[walk->mask & 63] + (walk->word & 63);
}

/* Whether nothing better than the best rule can be at a position of the section or behind it. */
static __always_inline bool classify_beaten(const struct classify_walk *walk, __u32 position)
{
	return walk->best != CLASSIFY_NO_RULE &&
	       classify_number(walk->tables, CLASSIFY_TABLE_RULE, position) >= walk->best;
}

/* Enters the next mask; not 0 ends the section. */
static __always_inline long classify_enter_mask(struct classify_walk *walk)
{
	__u32 mask = classify_lowest(walk->tops) & 63;
	__u64 bits = ~0ull;

	walk->tops &= walk->tops - 1;
	if (classify_beaten(walk, mask * CLASSIFY_MASK_BITS))
		return 1;
	if (walk->row[0] != CLASSIFY_NO_ROW)
		bits &= classify_row_mask(walk, 0, mask);
	if (walk->row[1] != CLASSIFY_NO_ROW)
		bits &= classify_row_mask(walk, 1, mask);
	if (!bits)
		return 0;
	walk->mask = mask;
	walk->words = bits & classify_flat(walk, mask);
	return 0;
}

/* The bits of the current word of an address row. */
static __always_inline __u64 classify_row_word(struct classify_walk *walk, __u32 side, __u32 *index)
{
	const struct classify_word *word;

	*index = walk->base[side] + classify_rank(walk->bits[side], walk->word & 63);
	word = classify_entry(walk->tables, CLASSIFY_TABLE_WORD, *index);
	return word ? word->bits : 0;
}

/* Enters the next word; not 0 ends the section. */
static __always_inline long classify_enter_word(struct classify_walk *walk)
{
	__u64 hits = ~0ull;
	__u32 index;

	walk->word = walk->mask * 64 + (classify_lowest(walk->words) & 63);
	walk->words &= walk->words - 1;
	if (classify_beaten(walk, walk->word * 64))
		return 1;
	if (walk->row[0] != CLASSIFY_NO_ROW) {
		hits &= classify_row_word(walk, 0, &index);
		walk->source_word = index;
	}
	if (walk->row[1] != CLASSIFY_NO_ROW)
		hits &= classify_row_word(walk, 1, &index);
	if (hits)
		hits &= classify_flat(walk, classify_flat_word(walk));
	walk->hits = hits;
	return 0;
}

static __always_inline long classify_trie_hit(struct classify_walk *walk)
{
	const volatile struct classify_config *config = classify_settings(walk->tables);
	const struct classify_word *source, *merged;

	if (!config->merged)
		return classify_hit(walk, 0, 0);
	source = classify_entry(walk->tables, CLASSIFY_TABLE_WORD, walk->source_word);
	merged = classify_entry(walk->tables, CLASSIFY_TABLE_FLAT,
				classify_layout(walk->tables)->merged_row +
					classify_flat_word(walk));
	if (!source || !merged)
		return 1;
	return classify_hit(walk, source->bits, merged->bits);
}

static long classify_trie_step(__u32 index, struct classify_walk *walk)
{
	(void)index;
	if (!walk->hits) {
		if (!walk->words) {
			if (!walk->tops)
				return 1;
			if (classify_enter_mask(walk))
				return 1;
			if (!walk->words)
				return 0;
		}
		if (classify_enter_word(walk))
			return 1;
		if (!walk->hits)
			return 0;
	}
	return classify_trie_hit(walk);
}

/* The best rule of one section, if it is better than what earlier sections had. */
static __noinline void classify_section(struct classify_walk *walk, __u32 source, __u32 destination,
					__u64 tops)
{
	const struct classify_row *row;

	walk->words = 0;
	walk->hits = 0;
	walk->row[0] = source;
	walk->row[1] = destination;
	if (source != CLASSIFY_NO_ROW) {
		row = classify_entry(walk->tables, CLASSIFY_TABLE_ROW, source);
		tops &= row ? row->top : 0;
	}
	if (destination != CLASSIFY_NO_ROW) {
		row = classify_entry(walk->tables, CLASSIFY_TABLE_ROW, destination);
		tops &= row ? row->top : 0;
	}
	walk->tops = tops;
	if (tops)
		classify_loop(CLASSIFY_STEPS_MAX, classify_trie_step, walk);
}

static __always_inline void classify_tries(struct classify_walk *walk)
{
	const volatile struct classify_config *config = classify_settings(walk->tables);
	const struct classify_layout *layout = classify_layout(walk->tables);
	__u32 source = walk->row[0], destination = walk->row[1];

	if (config->sections & 1 << CLASSIFY_PAIRED)
		classify_section(walk, source, destination, layout->tops[CLASSIFY_PAIRED]);
	if (config->sections & 1 << CLASSIFY_FROM)
		classify_section(walk, source, CLASSIFY_NO_ROW, layout->tops[CLASSIFY_FROM]);
	if (config->sections & 1 << CLASSIFY_TO)
		classify_section(walk, CLASSIFY_NO_ROW, destination, layout->tops[CLASSIFY_TO]);
	if (config->sections & 1 << CLASSIFY_ANYWHERE)
		classify_section(walk, CLASSIFY_NO_ROW, CLASSIFY_NO_ROW,
				 layout->tops[CLASSIFY_ANYWHERE]);
}

/* Entries of its table that a row takes. */
static __always_inline __u32 classify_row_size(const struct classify_tables *tables,
					       enum classify_dimension dimension)
{
	if (!classify_settings(tables)->tries)
		return classify_layout(tables)->lines;
	return dimension <= CLASSIFY_DESTINATION ? 1 : classify_layout(tables)->stride;
}

/* Where the row of a class begins. */
static __always_inline __u32 classify_row_of(const struct classify_tables *tables,
					     enum classify_dimension dimension, __u32 class_id)
{
	return classify_layout(tables)->rows[dimension] +
	       class_id * classify_row_size(tables, dimension);
}

/* The index + 1 of the first rule of @acl that matches the key, 0 if none does. */
static __always_inline __u32 classify_first(const struct classify_tables *tables,
					    const struct classify_key *key, __u32 acl)
{
	struct classify_walk walk = {.tables = tables, .best = CLASSIFY_NO_RULE};
	__u32 scope = classify_scope(tables, key, acl);

	if (!classify_settings(tables)->present || scope == CLASSIFY_SCOPES)
		return 0;
	for (__u32 side = 0; side < 2; side++)
		walk.row[side] = classify_row_of(tables, CLASSIFY_SOURCE + side,
						 classify_address(tables, key, side, scope));
	for (__u32 side = 0; side < 2; side++)
		walk.flat[side] = classify_row_of(tables, CLASSIFY_SPORT + side,
						  classify_port(tables, key, side));
	walk.flat[2] = classify_row_of(tables, CLASSIFY_PROTOCOL,
				       classify_protocol(tables, key, scope));
	if (classify_settings(tables)->tries)
		classify_tries(&walk);
	else
		classify_lines(&walk);
	return walk.best + 1;
}

#endif /* SHRIKE_INCLUDE_CLASSIFY_WALK_H */
