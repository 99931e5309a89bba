/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules as boxes: in each of four dimensions the ranges of values that a rule matches, with sets
 * expanded.
 *
 * Addresses of both families are in one space of 128 bits, IPv4 being v4-mapped; no IPv6 address
 * is there (base/address.h), so IPv6 prefixes around that block have two ranges.  To peer_acl the
 * addresses of groups stand for these: 255.255.255.255, 224.0.0.0/4 and ff00::/8.
 *
 * ICMP types with their codes stand behind the destination ports, those of each family by
 * themselves.
 */
#ifndef SHRIKE_REVIEW_BOXES_H
#define SHRIKE_REVIEW_BOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "local.h"
#include "policy/policy.h"

typedef unsigned __int128 point;

struct range {
	point first; /* both inclusive */
	point last;
};

/* Disjoint and ascending. */
struct ranges {
	struct range *list;
	size_t n;
	bool borrowed; /* the list is a set's, or constant */
};

enum box_dimension {
	BOX_SPORT,
	BOX_DPORT,
	BOX_SOURCE,
	BOX_DESTINATION,
	BOX_DIMENSIONS,
};

struct box {
	const struct policy_rule *rule;
	struct ranges dim[BOX_DIMENSIONS];
};

/*
 * struct boxes - the rules of an ACL in the order of evaluation
 * @n_deny: the first so many deny
 * @sets: of the policy, expanded when they are needed
 */
struct boxes {
	const struct policy *policy;
	struct box *list;
	size_t n;
	size_t n_deny;
	struct ranges *sets;
	size_t n_ranges;
};

#define BOXES_RANGES_MAX ((size_t)2 << 20) /* 64 MiB */

int boxes_make(struct boxes *boxes, const struct policy *policy, enum acl acl);
void boxes_free(struct boxes *boxes);

struct range box_family(uint8_t ip_version, int part);
struct range box_dports(uint8_t ip_version, uint8_t l4_proto);
enum local_kind point_group(point value);
void point_to_addr(point value, union addr *addr);
bool protocol_matches(uint16_t protocol, uint8_t ip_version, uint8_t l4_proto);
bool box_has_family(const struct box *box, uint8_t ip_version);
struct range prefix_range(const struct prefix *prefix);
void ranges_add_prefixes(struct ranges *ranges, const struct prefix *prefixes, size_t n);
void ranges_sort(struct ranges *ranges);
void ranges_intersect(const struct ranges *a, const struct ranges *b, struct ranges *both);
size_t ranges_from(const struct ranges *ranges, point value);
bool ranges_meet(const struct ranges *a, const struct ranges *b);
bool ranges_contain(const struct ranges *outer, const struct ranges *inner);
bool boxes_meet(const struct box *a, const struct box *b);

#endif /* SHRIKE_REVIEW_BOXES_H */
