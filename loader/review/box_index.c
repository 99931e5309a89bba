/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An interval tree for each of the two dimensions: entries are sorted by where they begin, the middle
 * of a part of the list is the root of a subtree, and knows where the last of the subtree ends.
 * A long list of ranges is there as a few spans that enclose them, so a set in a thousand rules costs
 * no more than a prefix; what is found is compared range by range.
 */
#include "review/box_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIDE   (((point)1 << 31) - 1) /* addresses more than one: half of IPv4 */
#define SPANS  16		      /* of a list of ranges */
#define ENOUGH 64		      /* rules found by one side: the other one is not tried */

#define MARK_BITS 64

struct index_entry {
	struct range range;
	point end; /* the last value of all entries of the subtree */
	uint32_t rank;
};

static size_t spans_of(const struct ranges *ranges)
{
	return ranges->n < SPANS ? ranges->n : SPANS;
}

/* One of the spans that enclose a list of ranges. */
static struct range span(const struct ranges *ranges, size_t i)
{
	size_t n = spans_of(ranges), first = i * ranges->n / n, end = (i + 1) * ranges->n / n;

	return (struct range){ranges->list[first].first, ranges->list[end - 1].last};
}

static int compare_entries(const void *a, const void *b)
{
	const struct index_entry *x = a, *y = b;

	return (x->range.first > y->range.first) - (x->range.first < y->range.first);
}

/* Note where subtrees end; the end of this one. */
static point set_ends(struct index_entry *entries, size_t low, size_t high)
{
	size_t middle = low + (high - low) / 2;
	point end, below;

	if (low == high)
		return 0;
	end = entries[middle].range.last;
	below = set_ends(entries, low, middle);
	end = below > end ? below : end;
	below = set_ends(entries, middle + 1, high);
	end = below > end ? below : end;
	entries[middle].end = end;
	return end;
}

static bool is_wide(const struct ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (ranges->list[i].last - ranges->list[i].first >= WIDE)
			return true;
	return false;
}

/* Which trees have a rule. */
static enum index_part part_of(const struct box *box)
{
	if (is_wide(&box->dim[BOX_SOURCE]))
		return INDEX_ANY_SOURCE;
	return is_wide(&box->dim[BOX_DESTINATION]) ? INDEX_ANY_DESTINATION : INDEX_NARROW;
}

/* Whether the rules of a part are found by one side, 0 being sources. */
static bool has_tree(enum index_part part, int side)
{
	return part != (side ? INDEX_ANY_DESTINATION : INDEX_ANY_SOURCE);
}

/* Make the trees of one dimension. */
static int make_trees(struct box_index *index, int side)
{
	const struct boxes *boxes = index->boxes;
	size_t n[INDEX_PARTS] = {};

	index->found[side].rank = calloc(boxes->n + 1, sizeof(*index->found[side].rank));
	if (!index->found[side].rank)
		return -ENOMEM;
	for (size_t i = 0; i < boxes->n; i++)
		n[part_of(&boxes->list[i])] += spans_of(&boxes->list[i].dim[BOX_SOURCE + side]);
	for (enum index_part part = 0; part < INDEX_PARTS; part++) {
		if (!has_tree(part, side))
			continue;
		index->entries[part][side] = calloc(n[part] + 1, sizeof(struct index_entry));
		if (!index->entries[part][side])
			return -ENOMEM;
	}
	for (size_t i = 0; i < boxes->n; i++) {
		const struct ranges *ranges = &boxes->list[i].dim[BOX_SOURCE + side];
		enum index_part part = part_of(&boxes->list[i]);

		for (size_t s = 0; has_tree(part, side) && s < spans_of(ranges); s++)
			index->entries[part][side][index->n[part][side]++] =
				(struct index_entry){.range = span(ranges, s), .rank = i};
	}
	for (enum index_part part = 0; part < INDEX_PARTS; part++) {
		if (!has_tree(part, side))
			continue;
		qsort(index->entries[part][side], n[part], sizeof(struct index_entry),
		      compare_entries);
		set_ends(index->entries[part][side], 0, n[part]);
	}
	return 0;
}

/**
 * box_index_make() - Index the rules of an ACL
 * @index: to be freed with box_index_free(), whatever is returned
 * @boxes: the rules; they outlive the index
 *
 * Return: 0 or -ENOMEM.
 */
int box_index_make(struct box_index *index, const struct boxes *boxes)
{
	int err;

	*index = (struct box_index){.boxes = boxes};
	index->seen = calloc(boxes->n + 1, sizeof(*index->seen));
	index->marks = calloc(boxes->n / MARK_BITS + 1, sizeof(*index->marks));
	err = index->seen && index->marks ? make_trees(index, 0) : -ENOMEM;
	return err ? err : make_trees(index, 1);
}

/*
 * struct lookup - one search through a tree
 * @found: what is found goes there
 * @full: how many there may be; the search ends there
 * @end: rank that they are before
 */
struct lookup {
	struct box_index *index;
	const struct index_entry *entries;
	struct rank_list *found;
	size_t full;
	struct range range;
	uint32_t end;
};

/* Note the rules of a subtree that have a value in the range. */
static void look(const struct lookup *lookup, size_t low, size_t high)
{
	const struct index_entry *entries = lookup->entries;
	struct rank_list *found = lookup->found;
	uint32_t *seen = lookup->index->seen;

	while (low < high && found->n < lookup->full) {
		size_t middle = low + (high - low) / 2;
		const struct index_entry *entry = &entries[middle];

		if (entry->end < lookup->range.first)
			return;
		look(lookup, low, middle);
		if (entry->range.first > lookup->range.last)
			return;
		if (entry->range.last >= lookup->range.first && entry->rank < lookup->end &&
		    seen[entry->rank] != lookup->index->search) {
			seen[entry->rank] = lookup->index->search;
			found->rank[found->n++] = entry->rank;
		}
		low = middle + 1;
	}
}

/* Note the rules of one part that have an address of one side. */
static void search(struct lookup *lookup, enum index_part part, int side,
		   const struct product *product)
{
	const struct ranges *ranges = &product->dim[BOX_SOURCE + side];
	struct box_index *index = lookup->index;

	index->search++;
	lookup->entries = index->entries[part][side];
	for (size_t s = 0; s < spans_of(ranges); s++) {
		lookup->range = span(ranges, s);
		look(lookup, 0, index->n[part][side]);
	}
}

static point size_of(const struct ranges *ranges)
{
	point size = 0;

	for (size_t i = 0; i < ranges->n; i++)
		size += ranges->list[i].last - ranges->list[i].first;
	return size;
}

/* The side by which few rules are found, as far as the product says that. */
static int narrow_side(const struct product *product)
{
	return size_of(&product->dim[BOX_DESTINATION]) < size_of(&product->dim[BOX_SOURCE]);
}

/* Add the rules of one part that have addresses of a product. */
static void find_part(struct box_index *index, enum index_part part, const struct product *product,
		      uint32_t end)
{
	struct rank_list *found = &index->found[0], *other = &index->found[1];
	struct lookup lookup = {index, .found = found, .full = SIZE_MAX, .end = end};
	int side = part == INDEX_NARROW ? narrow_side(product) : part == INDEX_ANY_SOURCE;
	size_t before = found->n, kept = before, n;

	search(&lookup, part, side, product);
	n = found->n - before;
	if (part == INDEX_NARROW && n > ENOUGH) {
		other->n = 0;
		lookup.found = other;
		lookup.full = n;
		search(&lookup, part, !side, product);
		if (other->n < n) {
			memcpy(found->rank + before, other->rank, other->n * sizeof(*other->rank));
			found->n = before + other->n;
		}
	}
	index->looked_at += found->n - before;
	for (size_t i = before; i < found->n; i++)
		if (product_meets(product, index->boxes->list[found->rank[i]].dim, BOX_SOURCE))
			found->rank[kept++] = found->rank[i];
	found->n = kept;
}

/* Put what was found into ascending order: of thousands a sort takes longer. */
static void order(struct box_index *index, struct rank_list *found)
{
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++)
		index->marks[found->rank[i] / MARK_BITS] |= UINT64_C(1)
							    << found->rank[i] % MARK_BITS;
	for (size_t word = 0; n < found->n; word++) {
		for (; index->marks[word]; index->marks[word] &= index->marks[word] - 1)
			found->rank[n++] = word * MARK_BITS + __builtin_ctzll(index->marks[word]);
	}
}

/**
 * box_index_find() - The rules that have addresses of a product
 * @index: of the ACL
 * @product: its sources and destinations count
 * @end: rank that they are before
 *
 * Return: ranks in ascending order; valid until the next search.
 */
struct rank_list box_index_find(struct box_index *index, const struct product *product,
				uint32_t end)
{
	struct rank_list *found = &index->found[0];

	found->n = 0;
	index->looked_at = 0;
	for (enum index_part part = 0; part < INDEX_PARTS; part++)
		find_part(index, part, product, end);
	order(index, found);
	return *found;
}

/**
 * box_index_free() - Release an index
 */
void box_index_free(struct box_index *index)
{
	for (int side = 0; side < 2; side++) {
		for (enum index_part part = 0; part < INDEX_PARTS; part++)
			free(index->entries[part][side]);
		free(index->found[side].rank);
	}
	free(index->seen);
	free(index->marks);
}
