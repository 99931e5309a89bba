/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the compiler's steps share.  In their order:
 *
 *	tables.c	entries to tables, within the budget
 *	lists.c		rules to lists: what each says about each dimension, equal ones once
 *	positions.c	rules to positions of the rows, and the layout of rows
 *	partition.c	lists to classes: values that the same lists cover
 *	rows.c		classes to rows
 *	lookup.c	addresses, ports and protocols to classes
 *
 * Time and memory are bounded for any input: spans by LISTS_SPANS_MAX, everything that grows with
 * classes by the budget, and each step is at most (spans + classes) x (lists / 8 bytes).
 */
#ifndef SHRIKE_CLASSIFY_COMPILE_H
#define SHRIKE_CLASSIFY_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "classify.h"
#include "classify/intern.h"
#include "policy/policy.h"

#define LIST_ANY	0u	   /* list of every dimension that covers every value */
#define LISTS_SPANS_MAX (8u << 20) /* address or port ranges of all lists of a dimension */

/* ICMP types with their codes stand beside the ports in CLASSIFY_DPORT. */
enum space { SPACE_IPV4, SPACE_IPV6, SPACE_PORT, SPACE_ICMP4, SPACE_ICMP6, SPACES };

enum { FAMILY_IPV4 = 1 << SPACE_IPV4, FAMILY_IPV6 = 1 << SPACE_IPV6 };

/* A value of a dimension in host order; all but IPv6 addresses have only the low half. */
struct point {
	uint64_t hi;
	uint64_t lo;
};

/* Values from first to last, both inclusive. */
struct span {
	struct point first;
	struct point last;
};

/*
 * struct list - what some rules say about a dimension
 * @spans: disjoint, ascending, not adjacent
 * @any: every value of the families in it
 * @protocol, @scopes: of CLASSIFY_PROTOCOL, with families; scopes are bits by enum classify_scope
 */
struct list {
	struct span *spans[SPACES];
	size_t n_spans[SPACES];
	uint8_t families; /* that it has addresses of */
	uint8_t any;	  /* families of which it has every address */
	uint8_t scopes;
	uint16_t protocol;
};

/* A class: the lists that cover its values. */
struct list_class {
	uint64_t key;	  /* sum of the lists' keys, other than the one it is interned by */
	size_t content;	  /* in dimension.content */
	uint32_t n_lists; /* without LIST_ANY */
};

/*
 * struct dimension - lists, and the classes made of them
 * @member_start, @members: rules of each list, ascending
 * @active: the lists that cover the value where the sweep stands; @where: their places in it
 * @active_bits: the same as bits
 * @row_lists: those whose rules are in the row in the making, as bits; see rows_add()
 * @content: per class its lists: numbers, or bits where those are shorter
 */
struct dimension {
	struct list *lists;
	size_t n_lists;
	size_t lists_cap;
	size_t n_spans;
	struct intern list_table;
	uint32_t *member_start;
	uint32_t *members;
	uint32_t *active;
	uint32_t *where;
	uint32_t n_active;
	uint64_t *active_bits;
	uint64_t *row_lists;
	uint64_t active_key[2];
	struct list_class *classes;
	size_t n_classes;
	size_t classes_cap;
	struct intern class_table;
	uint32_t *content;
	size_t content_len;
	size_t content_cap;
};

/* From a point on, up to the next piece's, the dimension has this class. */
struct piece {
	struct point at;
	uint32_t class_id;
};

struct pieces {
	struct piece *piece;
	size_t len;
	size_t cap;
};

/* A rule on its way. */
struct item {
	const struct policy_rule *rule; /* of built-in rules: while compiling */
	uint32_t list[CLASSIFY_DIMENSIONS];
	uint32_t position;
	enum acl acl;
	uint8_t flags;	  /* enum rule_flags */
	uint8_t families; /* that it can match at all */
};

struct table {
	void *data;
	size_t len; /* entries */
	size_t cap;
};

struct classifier {
	struct classify_config config;
	struct classify_layout layout;
	struct item *items;
	size_t n_items;
	struct table tables[CLASSIFY_TABLES];
};

/* How rows are to be laid out that do not fit CLASSIFY_LINES_MAX lines. */
enum build_rows {
	BUILD_AS_FITS, /* as tries, unless they turn out to be dense */
	BUILD_LINES,
	BUILD_TRIES,
};

/*
 * struct build - the state of a compilation
 * @groups, @icmp: as in struct classify_config
 * @rule_first: per position, its first rule; @rule_count: how many it has
 * @any_words: bits of the rules that a dimension does not restrict
 * @n_numbers: numbers in the tables that are pages of plain numbers
 * @row_words, @row_masks, @row_top: the row in the making
 * @row_rule: per position of several rules, the first one of the row in the making
 */
struct build {
	struct classifier *c;
	const struct policy *policy;
	struct error *error;
	size_t budget_bytes;
	size_t used_bytes;
	enum build_rows wanted;
	bool groups;
	bool icmp;
	struct policy_rule builtin; /* the overlay block */
	uint64_t seed[2];
	struct dimension dimensions[CLASSIFY_DIMENSIONS];
	uint32_t n_positions;
	uint32_t *rule_first;
	uint32_t *rule_count;
	uint64_t *row_words;
	uint64_t row_masks[64];
	uint64_t row_top;
	uint32_t *row_rule;
	uint64_t *any_words;
	uint32_t n_numbers[CLASSIFY_TABLES];
};

static inline size_t bits_words(size_t n)
{
	return (n + 63) / 64;
}

static inline int point_compare(const struct point *a, const struct point *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return 0;
}

static inline struct point point_next(struct point p)
{
	p.lo++;
	p.hi += p.lo == 0;
	return p;
}

static inline struct point space_last(enum space space)
{
	static const struct point last[SPACES] = {
		[SPACE_IPV4] = {0, UINT32_MAX},	 [SPACE_IPV6] = {UINT64_MAX, UINT64_MAX},
		[SPACE_PORT] = {0, UINT16_MAX},	 [SPACE_ICMP4] = {0, UINT16_MAX},
		[SPACE_ICMP6] = {0, UINT16_MAX},
	};

	return last[space];
}

#endif /* SHRIKE_CLASSIFY_COMPILE_H */
