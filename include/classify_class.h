/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The first half of the walk through the classifier's tables: from the values of a packet to their
 * classes, whose rows classify_walk.h then compares.  What the including file defines is there.
 */
#ifndef SHRIKE_CLASSIFY_CLASS_H
#define SHRIKE_CLASSIFY_CLASS_H

#include "classify.h"
#include "local.h"
#include "protocol.h"
#include "rule.h"

#define CLASSIFY_NO_RULE 0xffffffffu /* beyond every rule index */

_Static_assert((int)CLASSIFY_LOCAL == ACL_PEER && (int)CLASSIFY_ROUTED == ACL_ROUTE,
	       "scopes begin with the ACLs");

/*
 * The lowest bit that is set.  clang 14 crashes on a count of trailing zeros for BPF; the barrier
 * keeps it from seeing that this is one.
 */
static __always_inline __u32 classify_lowest(__u64 bits)
{
	__u64 below = bits - 1;

	asm volatile("" : "+r"(below));
	return __builtin_popcountll(~bits & below);
}

/* How many of the bits below bit @limit are set. */
static __always_inline __u32 classify_rank(__u64 bits, __u32 limit)
{
	return __builtin_popcountll(bits & ((1ull << limit) - 1));
}

/* 1 if a >= b, else 0, without a branch for the verifier to follow both ways. */
static __always_inline __u64 classify_at_least(__u64 a, __u64 b)
{
	return 1 ^ (((~a & b) | ((~a | b) & (a - b))) >> 63);
}

/* A number from a map of pages. */
static __always_inline __u32 classify_number(const struct classify_tables *tables,
					     enum classify_table table, __u32 index)
{
	const struct classify_page *page = classify_entry(tables, table, index >> 8);

	return page ? page->entry[index & 255] : CLASSIFY_NO_RULE;
}

static __always_inline __u32 classify_ipv4(const struct classify_tables *tables, __u32 root,
					   __u32 address)
{
	const struct classify_page *page;
	__u32 entry;

	page = classify_entry(tables, CLASSIFY_TABLE_PAGE, root + (address >> 24));
	if (!page)
		return 0;
	entry = page->entry[address >> 16 & 255];
	if (!(entry & CLASSIFY_CHILD))
		return entry;
	page = classify_entry(tables, CLASSIFY_TABLE_PAGE, entry & ~CLASSIFY_CHILD);
	if (!page)
		return 0;
	entry = page->entry[address >> 8 & 255];
	if (!(entry & CLASSIFY_CHILD))
		return entry;
	page = classify_entry(tables, CLASSIFY_TABLE_PAGE, entry & ~CLASSIFY_CHILD);
	return page ? page->entry[address & 255] : 0;
}

/*
 * How many of a node's keys are not above @key: two of them show which third of the node holds it,
 * two more its place there.
 */
static __always_inline __u64 classify_keys_passed(const struct classify_node *keys, __u64 key)
{
	__u64 third = classify_at_least(key, keys->key[2]) + classify_at_least(key, keys->key[5]);

	third *= 3;
	return third + classify_at_least(key, keys->key[third]) +
	       classify_at_least(key, keys->key[third + 1]);
}

/*
 * The entry of the last key that is not above @key; the first key of a tree is 0.  Without a branch on
 * what a node holds, so that the verifier walks the tree once and not by each of its paths.
 */
static __always_inline __u32 classify_tree_walk(const struct classify_tables *tables, __u32 base,
						__u32 nodes, __u64 key)
{
	const struct classify_leaf *leaf;
	__u32 found = 0, node = 0;

	for (int depth = 0; depth < CLASSIFY_TREE_DEPTH && node < nodes; depth++) {
		const struct classify_node *keys;
		__u64 passed, has_passed;

		keys = classify_entry(tables, CLASSIFY_TABLE_NODE, base + node);
		if (!keys)
			return 0;
		passed = classify_keys_passed(keys, key);
		asm volatile("" : "+r"(passed)); /* clang would branch */
		has_passed = (passed + 7) / 8;
		found += has_passed * (node * 8 + passed - 1 - found);
		node = node * 9 + 1 + passed;
	}
	leaf = classify_entry(tables, CLASSIFY_TABLE_LEAF, base + found / 8);
	return leaf ? leaf->entry[found & 7] : 0;
}

static __u32 classify_tree_find(const struct classify_tables *tables, __u32 base, __u32 nodes,
				__u64 key);

static __noinline __u32 classify_ipv6(const struct classify_tables *tables,
				      const union addr *address, __u32 dimension)
{
	const struct classify_layout *layout = classify_layout(tables);
	const struct classify_tree *tree;
	__u32 entry;

	dimension &= 1;
	entry = classify_tree_find(tables, layout->tree[dimension].base,
				   layout->tree[dimension].nodes, classify_be64(address->half[0]));
	if (!(entry & CLASSIFY_CHILD))
		return entry;
	tree = classify_entry(tables, CLASSIFY_TABLE_TREE, entry & ~CLASSIFY_CHILD);
	if (!tree)
		return 0;
	return classify_tree_find(tables, tree->base, tree->nodes, classify_be64(address->half[1]));
}

/* CLASSIFY_SCOPES: of a group that no rule names. */
static __always_inline __u32 classify_scope(const struct classify_tables *tables,
					    const struct classify_key *key, __u32 acl)
{
	__u8 kind = classify_key_kind(key);

	if (acl != ACL_PEER || (kind != LOCAL_BROADCAST && kind != LOCAL_MULTICAST))
		return acl;
	if (!classify_settings(tables)->groups)
		return CLASSIFY_SCOPES;
	return kind == LOCAL_BROADCAST ? CLASSIFY_BROADCAST : CLASSIFY_MULTICAST;
}

/*
 * The class of an address: @side is that of its dimension.  The tables know one broadcast address,
 * which has no bit that is not set.
 */
static __always_inline __u32 classify_address(const struct classify_tables *tables,
					      const struct classify_key *key, __u32 side,
					      __u32 scope)
{
	const union addr *address = classify_key_addr(key, side);
	__u32 host;

	if (classify_key_version(key) != IP_VERSION_4)
		return classify_ipv6(tables, address, side);
	host = classify_be32(address->word[3]);
	if (side && classify_settings(tables)->groups && scope == CLASSIFY_BROADCAST)
		host = 0xffffffff;
	return classify_ipv4(tables, classify_layout(tables)->page_root[side & 1], host);
}

/* ICMP of the packet's own family. */
static __always_inline bool classify_is_icmp(const struct classify_key *key)
{
	return l4_is_icmp(classify_key_protocol(key), classify_key_version(key));
}

/*
 * The class of a port, or of an ICMP type as destination port; of other protocols than TCP and UDP
 * no ports are compared.
 */
static __always_inline __u32 classify_port(const struct classify_tables *tables,
					   const struct classify_key *key, __u32 side)
{
	__u8 l4_proto = classify_key_protocol(key);
	const struct classify_ports *ports;
	__u32 port, table = side;

	if (l4_has_ports(l4_proto)) {
		port = classify_key_port(key, side);
	} else if (side && classify_settings(tables)->icmp && classify_is_icmp(key)) {
		port = classify_key_icmp(key);
		table = 2 + (classify_key_version(key) == IP_VERSION_6);
	} else {
		return classify_layout(tables)->port_ignored[side & 1];
	}
	ports = classify_entry(tables, CLASSIFY_TABLE_PORT, table);
	if (!ports)
		return 0;
	/*
	 * Without the barrier clang drops the mask, which 6.1 needs after a byte swap: "math
	 * between map_value pointer and register with unbounded min value is not allowed".
	 */
	asm volatile("" : "+r"(port));
	return ports->class_id[port & 0xffff];
}

static __always_inline __u32 classify_protocol(const struct classify_tables *tables,
					       const struct classify_key *key, __u32 scope)
{
	__u32 table = 2 * scope + (classify_key_version(key) == IP_VERSION_6);
	const struct classify_protocols *protocols;

	protocols = classify_entry(tables, CLASSIFY_TABLE_PROTO, table);
	return protocols ? protocols->class_id[classify_key_protocol(key)] : 0;
}

#endif /* SHRIKE_CLASSIFY_CLASS_H */
