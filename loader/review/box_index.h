/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which rules of an ACL may match some of a product's packets: found by their addresses, as comparing
 * all pairs of 65,536 rules would take minutes.
 */
#ifndef SHRIKE_REVIEW_BOX_INDEX_H
#define SHRIKE_REVIEW_BOX_INDEX_H

#include "review/boxes.h"
#include "review/product.h"

struct index_entry;

/*
 * Rules with any source, or nearly, are in a tree of their own: they are found by their destination
 * alone, as those with any destination are by their source.  In the trees of the others they would be
 * found for every product.
 */
enum index_part {
	INDEX_NARROW,
	INDEX_ANY_SOURCE,
	INDEX_ANY_DESTINATION,
	INDEX_PARTS,
};

/* Ranks are places in the order of evaluation. */
struct rank_list {
	uint32_t *rank;
	size_t n;
};

/*
 * struct box_index - the rules of an ACL by their sources and by their destinations
 * @entries, @n: trees over sources and over destinations; NULL where a part has none
 * @found: of the last search: rules that have been found, and room for more
 * @looked_at: rules that the last search has compared
 * @seen: by rank: the search that has met the rule last
 * @marks: a bit for each rank, all 0 between searches
 */
struct box_index {
	const struct boxes *boxes;
	struct index_entry *entries[INDEX_PARTS][2];
	size_t n[INDEX_PARTS][2];
	struct rank_list found[2];
	size_t looked_at;
	uint32_t *seen;
	uint64_t *marks;
	uint32_t search;
};

int box_index_make(struct box_index *index, const struct boxes *boxes);
struct rank_list box_index_find(struct box_index *index, const struct product *product,
				uint32_t end);
void box_index_free(struct box_index *index);

#endif /* SHRIKE_REVIEW_BOX_INDEX_H */
