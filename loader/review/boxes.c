/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/boxes.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/icmp_type.h"

#define MAPPED_FIRST ((point)0xffff << 32)
#define MAPPED_LAST  (MAPPED_FIRST | UINT32_MAX)
#define POINT_MAX    (~(point)0)

#define MULTICAST_4 (MAPPED_FIRST | 0xe0000000)
#define BEHIND_4    (MAPPED_FIRST | 0xf0000000)
#define MULTICAST_6 ((point)0xff << 120)

/* Where ICMP types are among the destination ports: of IPv4, then of IPv6. */
#define ICMP_FIRST(ip_version) ((ip_version) == IP_VERSION_4 ? 0x10000 : 0x20000)

static struct range every_address = {0, POINT_MAX};
static struct range every_port = {0, UINT16_MAX};
static struct range every_dport = {0, 0x2ffff};
static struct range every_icmp = {0x10000, 0x2ffff};
static struct range broadcast = {MAPPED_LAST, MAPPED_LAST};
static struct range multicast[] = {{MULTICAST_4, BEHIND_4 - 1}, {MULTICAST_6, POINT_MAX}};
static struct range unicast[] = {
	{0, MULTICAST_4 - 1},
	{BEHIND_4, MAPPED_LAST - 1},
	{MAPPED_LAST + 1, MULTICAST_6 - 1},
};

static point addr_to_point(const union addr *addr)
{
	return (point)be64toh(addr->half[0]) << 64 | be64toh(addr->half[1]);
}

/**
 * point_to_addr() - The address of a point
 */
void point_to_addr(point value, union addr *addr)
{
	addr->half[0] = htobe64((uint64_t)(value >> 64));
	addr->half[1] = htobe64((uint64_t)value);
}

/**
 * box_family() - Where the addresses of a family are
 * @ip_version: the family
 * @part: 0 or 1, as IPv6 is on both sides of IPv4; of IPv4 part 1 is empty (first above last)
 */
struct range box_family(uint8_t ip_version, int part)
{
	if (ip_version == IP_VERSION_6)
		return part ? (struct range){0, MAPPED_FIRST - 1}
			    : (struct range){MAPPED_LAST + 1, POINT_MAX};
	return part ? (struct range){1, 0} : (struct range){MAPPED_FIRST, MAPPED_LAST};
}

/**
 * box_dports() - What of the destination ports packets of a protocol have: ports or ICMP types
 * @ip_version: their family
 * @l4_proto: TCP, UDP, or ICMP of the family
 */
struct range box_dports(uint8_t ip_version, uint8_t l4_proto)
{
	point first = ICMP_FIRST(ip_version);

	if (!protocol_matches(PROTOCOL_ICMP, ip_version, l4_proto))
		return every_port;
	return (struct range){first, first | UINT16_MAX};
}

/**
 * point_group() - LOCAL_BROADCAST or LOCAL_MULTICAST for what stands for a group, else LOCAL_NONE
 */
enum local_kind point_group(point value)
{
	if (value == MAPPED_LAST)
		return LOCAL_BROADCAST;
	if (value >= MULTICAST_6 || (value >= MULTICAST_4 && value < BEHIND_4))
		return LOCAL_MULTICAST;
	return LOCAL_NONE;
}

/**
 * protocol_matches() - Whether a rule's protocol is a packet's
 */
bool protocol_matches(uint16_t protocol, uint8_t ip_version, uint8_t l4_proto)
{
	if (protocol == PROTOCOL_ICMP)
		return l4_proto == (ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	return protocol == PROTOCOL_ALL || protocol == l4_proto;
}

/* ---- ranges ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/**
 * ranges_sort() - Sort ranges, and join those that touch or overlap
 */
void ranges_sort(struct ranges *ranges)
{
	size_t kept = 0;

	if (ranges->n > 1)
		qsort(ranges->list, ranges->n, sizeof(*ranges->list), compare_ranges);
	for (size_t i = 0; i < ranges->n; i++) {
		struct range *last = kept ? &ranges->list[kept - 1] : NULL;

		if (!last || (last->last != POINT_MAX && ranges->list[i].first > last->last + 1))
			ranges->list[kept++] = ranges->list[i];
		else if (ranges->list[i].last > last->last)
			last->last = ranges->list[i].last;
	}
	ranges->n = kept;
}

static int reserve(struct boxes *boxes, struct ranges *ranges, size_t n)
{
	if (n > BOXES_RANGES_MAX - boxes->n_ranges)
		return -E2BIG;
	boxes->n_ranges += n;
	ranges->list = malloc((n + 1) * sizeof(*ranges->list));
	ranges->n = 0;
	return ranges->list ? 0 : -ENOMEM;
}

/**
 * prefix_range() - The addresses of a prefix
 * @prefix: one that does not enclose the block of IPv4 (of IPv6, with a length below 96)
 */
struct range prefix_range(const struct prefix *prefix)
{
	unsigned int host = prefix_bits(prefix->ip_version) - prefix->len;
	point low = host == 128 ? POINT_MAX : ((point)1 << host) - 1;
	point first = addr_to_point(&prefix->addr) & ~low;

	return (struct range){first, first | low};
}

/**
 * ranges_add_prefixes() - Append the addresses of prefixes
 * @ranges: has room for two ranges to a prefix; they are not sorted
 * @prefixes, @n: the prefixes
 */
void ranges_add_prefixes(struct ranges *ranges, const struct prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct range range = prefix_range(&prefixes[i]);

		if (prefixes[i].ip_version == IP_VERSION_4 || range.first > MAPPED_FIRST ||
		    range.last < MAPPED_LAST) {
			ranges->list[ranges->n++] = range;
			continue;
		}
		ranges->list[ranges->n++] = (struct range){range.first, MAPPED_FIRST - 1};
		ranges->list[ranges->n++] = (struct range){MAPPED_LAST + 1, range.last};
	}
}

/* The ranges of a set, made when it is needed first. */
static int expand_set(struct boxes *boxes, size_t index)
{
	const struct prefix_set *set = &boxes->policy->sets[index];
	struct ranges *ranges = &boxes->sets[index];
	int err;

	if (ranges->list)
		return 0;
	err = reserve(boxes, ranges, 2 * set->n_prefixes);
	if (err)
		return err;
	ranges_add_prefixes(ranges, set->prefixes, set->n_prefixes);
	ranges_sort(ranges);
	return 0;
}

/* The ranges of all addresses that a match names. */
static int expand_match(struct boxes *boxes, const struct address_match *match,
			struct ranges *ranges)
{
	size_t n = 2 * match->n_prefixes;
	int err = 0;

	if (match->any) {
		*ranges = (struct ranges){&every_address, 1, true};
		return 0;
	}
	for (size_t i = 0; i < match->n_sets && !err; i++) {
		err = expand_set(boxes, match->sets[i]);
		n += boxes->sets[match->sets[i]].n;
	}
	if (err)
		return err;
	if (match->n_sets == 1 && !match->n_prefixes) {
		*ranges = boxes->sets[match->sets[0]];
		ranges->borrowed = true;
		return 0;
	}
	err = reserve(boxes, ranges, n);
	if (err)
		return err;
	ranges_add_prefixes(ranges, match->prefixes, match->n_prefixes);
	for (size_t i = 0; i < match->n_sets; i++) {
		const struct ranges *set = &boxes->sets[match->sets[i]];

		memcpy(ranges->list + ranges->n, set->list, set->n * sizeof(*set->list));
		ranges->n += set->n;
	}
	ranges_sort(ranges);
	return 0;
}

/**
 * ranges_intersect() - What two lists of ranges have in common
 * @a, @b: the lists
 * @both: gets it, behind what is there; has room for as many ranges as they have together
 */
void ranges_intersect(const struct ranges *a, const struct ranges *b, struct ranges *both)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		const struct range *x = &a->list[i], *y = &b->list[j];
		struct range common = {
			.first = x->first > y->first ? x->first : y->first,
			.last = x->last < y->last ? x->last : y->last,
		};

		if (common.first <= common.last)
			both->list[both->n++] = common;
		if (x->last < y->last)
			i++;
		else
			j++;
	}
}

/* The destinations of a rule of peer_acl. */
static int expand_own(struct boxes *boxes, const struct address_match *match, struct ranges *ranges)
{
	const struct ranges every_unicast = {unicast, sizeof(unicast) / sizeof(*unicast), true};
	struct ranges listed;
	int err;

	if (match->any && !match->groups) {
		*ranges = every_unicast;
		return 0;
	}
	err = expand_match(boxes, match, &listed);
	if (err)
		return err;
	err = reserve(boxes, ranges, listed.n + every_unicast.n + 3);
	if (!err) {
		ranges_intersect(&listed, &every_unicast, ranges);
		if (match->groups & GROUP_BROADCAST)
			ranges->list[ranges->n++] = broadcast;
		for (size_t i = 0; match->groups & GROUP_MULTICAST && i < 2; i++)
			ranges->list[ranges->n++] = multicast[i];
		ranges_sort(ranges);
	}
	if (!listed.borrowed)
		free(listed.list);
	return err;
}

/* The ranges of a rule's source ports. */
static int expand_sports(struct boxes *boxes, const struct policy_rule *rule, struct ranges *ranges)
{
	const struct port_range *ports = rule->source_ports;
	size_t n = rule->n_source_ports;
	int err;

	if (!n) {
		*ranges = (struct ranges){&every_port, 1, true};
		return 0;
	}
	err = reserve(boxes, ranges, n);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		ranges->list[ranges->n++] = (struct range){ports[i].first, ports[i].last};
	ranges_sort(ranges);
	return 0;
}

/* Destination ports, or ICMP types; a rule with ports that is for ICMP, too, has every type. */
static int expand_dports(struct boxes *boxes, const struct policy_rule *rule, struct ranges *ranges)
{
	size_t n = rule->n_destination_ports;
	int err;

	if (!n && !rule->n_icmp_types) {
		*ranges = (struct ranges){&every_dport, 1, true};
		return 0;
	}
	err = reserve(boxes, ranges, n + 2 * rule->n_icmp_types + 1);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		ranges->list[ranges->n++] = (struct range){rule->destination_ports[i].first,
							   rule->destination_ports[i].last};
	if (n && !l4_has_ports(rule->protocol))
		ranges->list[ranges->n++] = every_icmp;
	for (size_t i = 0; i < rule->n_icmp_types; i++) {
		for (uint8_t v = IP_VERSION_4; v <= IP_VERSION_6; v += 2) {
			struct port_range codes;

			if (icmp_type_range(&rule->icmp_types[i], v, &codes))
				ranges->list[ranges->n++] = (struct range){
					ICMP_FIRST(v) | codes.first, ICMP_FIRST(v) | codes.last};
		}
	}
	ranges_sort(ranges);
	return 0;
}

/**
 * ranges_from() - The place of the first range that ends at a value or behind it
 * @ranges: the list
 * @value: the value
 */
size_t ranges_from(const struct ranges *ranges, point value)
{
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].last < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * ranges_meet() - Whether two lists of ranges have a value in common
 */
bool ranges_meet(const struct ranges *a, const struct ranges *b)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		if (a->list[i].last < b->list[j].first)
			i++;
		else if (b->list[j].last < a->list[i].first)
			j++;
		else
			return true;
	}
	return false;
}

/**
 * ranges_contain() - Whether every value of one list of ranges is in the other
 */
bool ranges_contain(const struct ranges *outer, const struct ranges *inner)
{
	size_t j = 0;

	for (size_t i = 0; i < inner->n; i++) {
		while (j < outer->n && outer->list[j].last < inner->list[i].first)
			j++;
		if (j == outer->n || outer->list[j].first > inner->list[i].first ||
		    outer->list[j].last < inner->list[i].last)
			return false;
	}
	return true;
}

/**
 * box_has_family() - Whether a rule has both sources and destinations of a family
 */
bool box_has_family(const struct box *box, uint8_t ip_version)
{
	struct range parts[2] = {box_family(ip_version, 1), box_family(ip_version, 0)};
	struct ranges family = {.list = parts, .n = 2};

	if (ip_version == IP_VERSION_4)
		family = (struct ranges){.list = parts + 1, .n = 1};
	return ranges_meet(&box->dim[BOX_SOURCE], &family) &&
	       ranges_meet(&box->dim[BOX_DESTINATION], &family);
}

static bool meet_in_family(const struct box *a, const struct box *b, uint8_t ip_version)
{
	return box_has_family(a, ip_version) && box_has_family(b, ip_version);
}

static bool protocols_meet(uint16_t a, uint16_t b)
{
	if (a == b || a == PROTOCOL_ALL || b == PROTOCOL_ALL)
		return true;
	if (a == PROTOCOL_ICMP)
		return b == IPPROTO_ICMP || b == IPPROTO_ICMPV6;
	return b == PROTOCOL_ICMP && (a == IPPROTO_ICMP || a == IPPROTO_ICMPV6);
}

/**
 * boxes_meet() - Whether some packet may match two rules
 *
 * Never wrong where it is false.  True for a few pairs that no packet matches both of: those that
 * have an address in common, but none that is the source's and the destination's family at once.
 */
bool boxes_meet(const struct box *a, const struct box *b)
{
	int first = BOX_SPORT;

	if (!protocols_meet(a->rule->protocol, b->rule->protocol))
		return false;
	/* what has no ports may match two rules for all protocols, whatever their ports */
	if (a->rule->protocol == PROTOCOL_ALL && b->rule->protocol == PROTOCOL_ALL)
		first = BOX_SOURCE;
	for (int d = first; d < BOX_DIMENSIONS; d++)
		if (!ranges_meet(&a->dim[d], &b->dim[d]))
			return false;
	return meet_in_family(a, b, IP_VERSION_4) || meet_in_family(a, b, IP_VERSION_6);
}

/* ---- an ACL ---- */

/* Make the box of a rule. */
static int expand_rule(struct boxes *boxes, const struct policy_rule *rule, enum acl acl)
{
	struct box *box = &boxes->list[boxes->n++];
	int err;

	box->rule = rule;
	err = expand_match(boxes, &rule->source, &box->dim[BOX_SOURCE]);
	if (!err && acl == ACL_PEER)
		err = expand_own(boxes, &rule->destination, &box->dim[BOX_DESTINATION]);
	else if (!err)
		err = expand_match(boxes, &rule->destination, &box->dim[BOX_DESTINATION]);
	if (!err)
		err = expand_sports(boxes, rule, &box->dim[BOX_SPORT]);
	if (!err)
		err = expand_dports(boxes, rule, &box->dim[BOX_DPORT]);
	return err;
}

/**
 * boxes_make() - Expand the rules of an ACL
 * @boxes: to be freed with boxes_free(), whatever is returned
 * @policy: outlives them
 * @acl: which of its ACLs
 *
 * Return: 0; -E2BIG: more than BOXES_RANGES_MAX ranges; -ENOMEM.
 */
int boxes_make(struct boxes *boxes, const struct policy *policy, enum acl acl)
{
	const struct policy_acl *rules = &policy->acl[acl];
	int err = 0;

	*boxes = (struct boxes){.policy = policy};
	boxes->list = calloc(rules->n_rules + 1, sizeof(*boxes->list));
	boxes->sets = calloc(policy->n_sets + 1, sizeof(*boxes->sets));
	if (!boxes->list || !boxes->sets)
		return -ENOMEM;
	for (int allow = 0; allow <= 1; allow++) {
		for (size_t i = 0; i < rules->n_rules && !err; i++)
			if (rules->rules[i].allow == allow)
				err = expand_rule(boxes, &rules->rules[i], acl);
		if (!allow)
			boxes->n_deny = boxes->n;
	}
	return err;
}

/**
 * boxes_free() - Release boxes
 */
void boxes_free(struct boxes *boxes)
{
	for (size_t i = 0; i < boxes->n; i++)
		for (int d = 0; d < BOX_DIMENSIONS; d++)
			if (!boxes->list[i].dim[d].borrowed)
				free(boxes->list[i].dim[d].list);
	for (size_t i = 0; boxes->sets && i < boxes->policy->n_sets; i++)
		free(boxes->sets[i].list);
	free(boxes->sets);
	free(boxes->list);
}
