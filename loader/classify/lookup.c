/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses, ports and protocols to classes: the tables that a lookup begins with.
 */
#include "classify/lookup.h"

#include <stdlib.h>

#include "classify/lists.h"
#include "classify/partition.h"
#include "classify/rows.h"
#include "classify/tables.h"
#include "rule.h"

/* ---- IPv4: pages ---- */

static uint32_t *page_entry(struct build *build, uint32_t page, uint32_t entry)
{
	struct classify_page *pages = build->c->tables[CLASSIFY_TABLE_PAGE].data;

	return &pages[page + entry / 256].entry[entry % 256];
}

/* Pieces on their way to pages; @at is the piece that the address belongs to, and moves on. */
struct filling {
	struct build *build;
	const struct pieces *pieces;
	size_t at;
};

/* Fill @n entries from @page on, each for @size addresses from @first on. */
static int fill_pages(struct filling *filling, uint32_t page, uint32_t n, uint64_t first,
		      uint64_t size)
{
	const struct pieces *pieces = filling->pieces;
	struct build *build = filling->build;

	for (uint32_t i = 0; i < n; i++, first += size) {
		struct classify_page *fresh;
		uint32_t child;
		int err;

		while (filling->at + 1 < pieces->len &&
		       pieces->piece[filling->at + 1].at.lo <= first)
			filling->at++;
		if (filling->at + 1 == pieces->len ||
		    pieces->piece[filling->at + 1].at.lo >= first + size) {
			*page_entry(build, page, i) = pieces->piece[filling->at].class_id;
			continue;
		}
		child = build->c->tables[CLASSIFY_TABLE_PAGE].len;
		err = tables_grow(build, CLASSIFY_TABLE_PAGE, 1, &fresh);
		if (err)
			return err;
		*page_entry(build, page, i) = child | CLASSIFY_CHILD;
		err = fill_pages(filling, child, 256, first, size / 256);
		if (err)
			return err;
	}
	return 0;
}

static int make_pages(struct build *build, enum classify_dimension dimension,
		      const struct pieces *pieces)
{
	uint32_t root = build->c->tables[CLASSIFY_TABLE_PAGE].len;
	struct classify_page *fresh;
	struct filling filling = {build, pieces, 0};
	int err;

	build->c->layout.page_root[dimension] = root;
	err = tables_grow(build, CLASSIFY_TABLE_PAGE, CLASSIFY_PAGE_ROOTS, &fresh);
	if (err)
		return err;
	return fill_pages(&filling, root, CLASSIFY_PAGE_ROOTS * 256, 0, 65536);
}

/* ---- IPv6: trees over the halves ---- */

struct key {
	uint64_t key;
	uint32_t entry;
};

struct keys {
	struct key *key;
	size_t len;
	size_t next; /* to be placed */
};

static void push(struct keys *keys, uint64_t key, uint32_t entry)
{
	keys->key[keys->len++] = (struct key){key, entry};
}

/* Places keys in order; children before the key, which is how their numbers sort. */
static void place(struct build *build, const struct classify_tree *tree, struct keys *keys,
		  uint64_t node)
{
	struct classify_node *nodes = build->c->tables[CLASSIFY_TABLE_NODE].data;
	struct classify_leaf *leaves = build->c->tables[CLASSIFY_TABLE_LEAF].data;

	if (node >= tree->nodes)
		return;
	for (uint32_t i = 0; i < 8; i++) {
		bool unused;

		place(build, tree, keys, node * 9 + 1 + i);
		unused = keys->next == keys->len;
		nodes[tree->base + node].key[i] = unused ? UINT64_MAX : keys->key[keys->next].key;
		leaves[tree->base + node].entry[i] = keys->key[keys->next - unused].entry;
		keys->next += !unused;
	}
	place(build, tree, keys, node * 9 + 9);
}

/* Build a tree of sorted keys. */
static int make_tree(struct build *build, struct keys *keys, struct classify_tree *tree)
{
	struct classify_tree made = {
		.base = build->c->tables[CLASSIFY_TABLE_NODE].len,
		.nodes = (keys->len + 7) / 8,
	};
	void *fresh;
	int err;

	err = tables_grow(build, CLASSIFY_TABLE_NODE, made.nodes, &fresh);
	if (!err)
		err = tables_grow(build, CLASSIFY_TABLE_LEAF, made.nodes, &fresh);
	if (err)
		return err;
	keys->next = 0;
	place(build, &made, keys, 0);
	*tree = made;
	return 0;
}

/* Add the tree over the low halves of the addresses of @n pieces; @pieces[-1] is the one before. */
static int add_low_tree(struct build *build, const struct piece *pieces, size_t n,
			struct keys *keys, uint32_t *entry)
{
	struct classify_tree *tree, made;
	int err;

	*entry = build->c->tables[CLASSIFY_TABLE_TREE].len | CLASSIFY_CHILD;
	keys->len = 0;
	if (pieces[0].at.lo)
		push(keys, 0, pieces[-1].class_id);
	for (size_t i = 0; i < n; i++)
		push(keys, pieces[i].at.lo, pieces[i].class_id);
	err = make_tree(build, keys, &made);
	if (!err)
		err = tables_grow(build, CLASSIFY_TABLE_TREE, 1, &tree);
	if (!err)
		*tree = made;
	return err;
}

/* The keys of the tree over high halves; those that are divided within get trees of their own. */
static int gather_high(struct build *build, const struct pieces *pieces, struct keys *high,
		       struct keys *low)
{
	for (size_t first = 0, end; first < pieces->len; first = end) {
		uint64_t half = pieces->piece[first].at.hi;
		uint32_t entry = pieces->piece[first].class_id;
		bool divided;
		int err;

		end = first + 1;
		while (end < pieces->len && pieces->piece[end].at.hi == half)
			end++;
		divided = end - first > 1 || pieces->piece[first].at.lo;
		if (divided) {
			err = add_low_tree(build, pieces->piece + first, end - first, low, &entry);
			if (err)
				return err;
		}
		push(high, half, entry);
		if (divided && half != UINT64_MAX &&
		    (end == pieces->len || pieces->piece[end].at.hi != half + 1))
			push(high, half + 1, pieces->piece[end - 1].class_id);
	}
	return 0;
}

/* Build the trees of IPv6 addresses of one dimension. */
static int make_trees(struct build *build, enum classify_dimension dimension,
		      const struct pieces *pieces)
{
	struct keys high = {0}, low = {0};
	int err;

	high.key = malloc((2 * pieces->len + 1) * sizeof(*high.key));
	low.key = malloc((pieces->len + 1) * sizeof(*low.key));
	if (high.key && low.key)
		err = gather_high(build, pieces, &high, &low);
	else
		err = tables_out_of_memory(build);
	if (!err)
		err = make_tree(build, &high, &build->c->layout.tree[dimension]);
	free(high.key);
	free(low.key);
	return err;
}

/**
 * lookup_addresses() - Make the classes, rows and tables of a dimension of addresses
 * @build: has lists and positions
 * @dimension: CLASSIFY_SOURCE or CLASSIFY_DESTINATION
 *
 * Return: 0, -ENOMEM, or -E2BIG if they do not fit the budget.
 */
int lookup_addresses(struct build *build, enum classify_dimension dimension)
{
	struct pieces ipv4 = {0}, ipv6 = {0};
	int err;

	err = partition_start(build, dimension);
	if (!err)
		err = partition_space(build, dimension, SPACE_IPV4, &ipv4);
	if (!err)
		err = partition_space(build, dimension, SPACE_IPV6, &ipv6);
	if (!err)
		err = make_pages(build, dimension, &ipv4);
	if (!err)
		err = make_trees(build, dimension, &ipv6);
	free(ipv4.piece);
	free(ipv6.piece);
	return err;
}

/* ---- ports and protocols ---- */

/* The table of a space of ports or ICMP types: the classes of its values. */
static int fill_port_table(struct build *build, enum classify_dimension dimension, enum space space)
{
	struct classify_ports *ports;
	struct pieces pieces = {0};
	size_t at = 0;
	int err;

	err = partition_space(build, dimension, space, &pieces);
	if (!err && build->dimensions[dimension].n_classes > UINT16_MAX + 1)
		err = tables_over_budget(build);
	if (!err)
		err = tables_grow(build, CLASSIFY_TABLE_PORT, 1, &ports);
	for (uint32_t value = 0; !err && value < 65536; value++) {
		if (at + 1 < pieces.len && pieces.piece[at + 1].at.lo == value)
			at++;
		ports->class_id[value] = pieces.piece[at].class_id;
	}
	free(pieces.piece);
	return err;
}

/**
 * lookup_ports() - Make the classes, rows and tables of a dimension of ports
 * @build: has lists and positions
 * @dimension: CLASSIFY_SPORT or CLASSIFY_DPORT, in this order
 *
 * Return: 0, -ENOMEM, or -E2BIG if they do not fit the budget.
 */
int lookup_ports(struct build *build, enum classify_dimension dimension)
{
	bool icmp = dimension == CLASSIFY_DPORT && build->c->config.icmp;
	struct dimension *d = &build->dimensions[dimension];
	int err;

	err = partition_start(build, dimension);
	for (enum space s = SPACE_PORT; !err && s <= (icmp ? SPACE_ICMP6 : SPACE_PORT); s++)
		err = fill_port_table(build, dimension, s);
	build->c->layout.port_ignored[dimension - CLASSIFY_SPORT] = d->n_classes;
	return err ? err : rows_add_full(build, dimension);
}

/* The class of one protocol of one family in a scope. */
static int protocol_class(struct build *build, enum classify_scope scope, enum space family,
			  uint8_t l4_proto, __u16 *class_id)
{
	struct dimension *d = &build->dimensions[CLASSIFY_PROTOCOL];
	uint32_t found;
	int err;

	for (uint32_t list = 1; list < d->n_lists; list++)
		if (lists_protocol_matches(&d->lists[list], scope, family, l4_proto))
			partition_toggle(build, d, list);
	err = partition_class(build, CLASSIFY_PROTOCOL, &found);
	while (d->n_active)
		partition_toggle(build, d, d->active[d->n_active - 1]);
	if (!err)
		*class_id = found;
	return err;
}

/**
 * lookup_protocols() - Make the classes, rows and tables of scopes and protocols
 * @build: has lists and positions
 *
 * Return: 0, -ENOMEM, or -E2BIG if they do not fit the budget.
 */
int lookup_protocols(struct build *build)
{
	uint32_t n = 2 * (build->c->config.groups ? CLASSIFY_SCOPES : ACL_MAX);
	struct classify_protocols *tables;
	int err;

	err = partition_start(build, CLASSIFY_PROTOCOL);
	if (!err)
		err = tables_grow(build, CLASSIFY_TABLE_PROTO, n, &tables);
	for (uint32_t i = 0; !err && i < n * 256; i++)
		err = protocol_class(build, i / 512, i / 256 % 2 ? SPACE_IPV6 : SPACE_IPV4, i % 256,
				     &tables[i / 256].class_id[i % 256]);
	return err;
}
