/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables of the rule classifier: five dimensions of a packet to the first rule that matches it.
 *
 * Each dimension (source address, destination address, source port, destination port or ICMP type,
 * and scope with protocol) maps the packet to a class: all values that the same set of rules
 * matches.  A class has a row of bits, one per position; the intersection of the five rows is the
 * set of matching rules.  A position stands for one rule, or for several that differ in nothing but
 * their source.
 *
 * Up to CLASSIFY_LINES_MAX lines of positions a row is so many of class_line_v1, and beyond where
 * rows of addresses are dense, for then most words have to be looked at.  Otherwise rows of
 * addresses are sparse 64-ary tries of bits (class_row_v1, class_mask_v1, class_word_v1: a row's
 * top names its masks that are not empty, a mask its words that are not empty; what is empty is
 * not stored), and the rows of ports and protocols are flat (class_flat_v1: masks, then words).
 * Positions are then divided into sections, so that rules from anywhere or to anywhere need no
 * bit in the rows of every address.
 *
 * All maps are ARRAYs, one set per generation, sized before it is loaded and never written after.
 */
#ifndef SHRIKE_CLASSIFY_H
#define SHRIKE_CLASSIFY_H

#include "abi.h"

/* Limits of the formats; a policy beyond them is refused by the compiler. */
#define CLASSIFY_LINE_BITS     512
#define CLASSIFY_LINES_MAX     8    /* of rows that are not dense */
#define CLASSIFY_MASK_BITS     4096 /* positions under one mask of a trie */
#define CLASSIFY_POSITIONS_MAX (64 * CLASSIFY_MASK_BITS)
#define CLASSIFY_TREE_DEPTH    8	   /* 9^8 nodes and more */
#define CLASSIFY_CHILD	       0x80000000u /* entry names a table, not a class */
#define CLASSIFY_PAGE_ROOTS    256	   /* pages of one root: 65,536 entries */

enum classify_dimension {
	CLASSIFY_SOURCE,
	CLASSIFY_DESTINATION,
	CLASSIFY_SPORT,
	CLASSIFY_DPORT,
	CLASSIFY_PROTOCOL,
	CLASSIFY_DIMENSIONS,
};

enum classify_section {
	CLASSIFY_PAIRED,   /* source and destination both name addresses */
	CLASSIFY_FROM,	   /* only the source does */
	CLASSIFY_TO,	   /* only the destination does */
	CLASSIFY_ANYWHERE, /* neither does */
	CLASSIFY_SECTIONS,
};

/* What a packet is to the rules: that of its ACL (rule.h), or a group of receivers in peer_acl. */
enum classify_scope {
	CLASSIFY_LOCAL,	 /* ACL_PEER */
	CLASSIFY_ROUTED, /* ACL_ROUTE */
	CLASSIFY_BROADCAST,
	CLASSIFY_MULTICAST,
	CLASSIFY_SCOPES,
};

/*
 * Map class_page_v1: IPv4 addresses by their bits, 16, then 8, then 8.  A root is 256 pages; an
 * entry is a class, or CLASSIFY_CHILD and the number of the page for the next 8 bits.
 * Maps class_rule_v1 and class_origin_v1 hold plain numbers in pages, see struct classify_config.
 */
struct classify_page {
	__u32 entry[256];
};
_Static_assert(sizeof(struct classify_page) == 1024, "struct classify_page is ABI");

/*
 * Map class_node_v1: search trees over 64-bit keys in host order, nine children to a node, child
 * c of node n being 9 * n + 1 + c.  Unused keys at the end of a tree are all ones.
 */
struct classify_node {
	__u64 key[8];
};
_Static_assert(sizeof(struct classify_node) == 64, "struct classify_node is ABI");

/*
 * Map class_leaf_v1, beside class_node_v1: what holds from each key on.  A class, or
 * CLASSIFY_CHILD and the number of the tree (class_tree_v1) over the low half of the address.
 */
struct classify_leaf {
	__u32 entry[8];
};
_Static_assert(sizeof(struct classify_leaf) == 32, "struct classify_leaf is ABI");

struct classify_tree {
	__u32 base;  /* its first node in class_node_v1 */
	__u32 nodes; /* at least 1 */
};
_Static_assert(sizeof(struct classify_tree) == 8, "struct classify_tree is ABI");

/*
 * Map class_port_v1: 0 source, 1 destination; port in host order to class.  Where rules name ICMP
 * types also 2 ICMP, 3 ICMPv6: type << 8 | code to class of CLASSIFY_DPORT.
 */
struct classify_ports {
	__u16 class_id[65536];
};
_Static_assert(sizeof(struct classify_ports) == 131072, "struct classify_ports is ABI");

/*
 * Map class_proto_v1: 2 * enum classify_scope + (1 for IPv6); protocol number to class.  Scopes of
 * groups are there where rules name groups.
 */
struct classify_protocols {
	__u16 class_id[256];
};
_Static_assert(sizeof(struct classify_protocols) == 512, "struct classify_protocols is ABI");

/* Map class_line_v1: a row of CLASSIFY_LINE_BITS positions. */
struct classify_line {
	__u64 word[8];
};
_Static_assert(sizeof(struct classify_line) == 64, "struct classify_line is ABI");

/* Map class_row_v1: the row of an address class, a trie. */
struct classify_row {
	__u64 top;   /* bit m: the row has a mask for positions from m * CLASSIFY_MASK_BITS */
	__u32 masks; /* the first of its masks in class_mask_v1 */
	__u32 pad;
};
_Static_assert(sizeof(struct classify_row) == 16, "struct classify_row is ABI");

/* Map class_mask_v1. */
struct classify_mask {
	__u64 bits;  /* bit w: the mask has a word for its positions from w * 64 */
	__u32 words; /* the first of its words in class_word_v1 */
	__u32 pad;
};
_Static_assert(sizeof(struct classify_mask) == 16, "struct classify_mask is ABI");

/* Maps class_word_v1 and class_flat_v1. */
struct classify_word {
	__u64 bits;
};
_Static_assert(sizeof(struct classify_word) == 8, "struct classify_word is ABI");

/*
 * Read-only data of the programs: what the verifier may know, so that it removes what is off.  All
 * numbers are in class_layout_v1 instead, where it cannot see them: it would follow the walk
 * through each of their values and give up on large policies.
 *
 * @merged: positions may stand for several rules: bit p of row @merged_row (in class_line_v1 or
 *	class_flat_v1) says so.  class_origin_v1 then names, for each such bit of a source's row in
 *	ascending order, the first of its rules from that source; class_base_v1 holds, for each
 *	word of source rows, where its bits begin in there
 */
struct classify_config {
	__u8 present;  /* there are rules */
	__u8 tries;    /* rows are tries and flat rows, else lines */
	__u8 single;   /* rows are one line each */
	__u8 merged;   /* see above */
	__u8 mapped;   /* positions are no rule indexes: class_rule_v1 has the first rule of each */
	__u8 sections; /* bit s: section s of enum classify_section has positions */
	__u8 groups;   /* rules name broadcast or multicast destinations */
	__u8 icmp;     /* rules name ICMP types */
};
_Static_assert(sizeof(struct classify_config) == 8, "struct classify_config is ABI");

/*
 * Map class_layout_v1, one entry: dimensions of the tables.
 *
 * @tops: per section, the tops of the rows that belong to it
 * @rows: per dimension, where its rows begin: in class_line_v1, or in class_row_v1 for addresses
 *	and class_flat_v1 for the others
 * @masks: how many there are, at most 64
 * @stride: entries of class_flat_v1 to a row: the masks, then the words of each mask that are
 *	within its section
 * @flat_words: per mask, where in a flat row its words begin
 */
struct classify_layout {
	__u64 tops[CLASSIFY_SECTIONS];
	__u32 page_root[2];	      /* source, destination: the first page of the IPv4 root */
	struct classify_tree tree[2]; /* of the high halves of IPv6 addresses */
	__u32 port_ignored[2];	      /* class that stands for "ports are not compared" */
	__u32 rows[CLASSIFY_DIMENSIONS];
	__u32 lines; /* of class_line_v1 to a row; 0 where rows are tries */
	__u32 masks;
	__u32 stride;
	__u32 merged_row;
	__u32 pad;
	__u32 flat_words[64];
};
_Static_assert(sizeof(struct classify_layout) == 360, "struct classify_layout is ABI");

/* The maps, for code that is compiled for either side. */
enum classify_table {
	CLASSIFY_TABLE_LAYOUT,
	CLASSIFY_TABLE_PAGE,
	CLASSIFY_TABLE_NODE,
	CLASSIFY_TABLE_LEAF,
	CLASSIFY_TABLE_TREE,
	CLASSIFY_TABLE_PORT,
	CLASSIFY_TABLE_PROTO,
	CLASSIFY_TABLE_LINE,
	CLASSIFY_TABLE_ROW,
	CLASSIFY_TABLE_MASK,
	CLASSIFY_TABLE_WORD,
	CLASSIFY_TABLE_FLAT,
	CLASSIFY_TABLE_RULE,
	CLASSIFY_TABLE_BASE,
	CLASSIFY_TABLE_ORIGIN,
	CLASSIFY_TABLES,
};

#endif /* SHRIKE_CLASSIFY_H */
