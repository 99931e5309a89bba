/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/rulesets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local.h"

/* A reproducible random number below @below, which is at least 1. */
static uint32_t ruleset_random(struct ruleset *set, uint32_t below)
{
	set->random ^= set->random << 13;
	set->random ^= set->random >> 7;
	set->random ^= set->random << 17;
	return (set->random * 0x2545f4914f6cdd1dull >> 32) % below;
}

static void *take(struct ruleset *set, size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);

	if (!(set->n_pool & (set->n_pool - 1)))
		set->pool = realloc(set->pool,
				    (set->n_pool ? 2 * set->n_pool : 1) * sizeof(void *));
	if (!memory || !set->pool)
		abort();
	set->pool[set->n_pool++] = memory;
	return memory;
}

/* ---- addresses ---- */

static union addr addr_v4(uint32_t host)
{
	union addr addr = {.word = {0, 0, htonl(0xffff), htonl(host)}};

	return addr;
}

/* The bits of an address behind its prefix: all @to. */
static void set_host_bits(union addr *addr, uint8_t ip_version, uint8_t len, int to)
{
	int from = len + (ip_version == 4 ? 96 : 0);

	for (int bit = from; bit < 128; bit++) {
		uint8_t mask = 0x80 >> bit % 8;

		addr->bytes[bit / 8] = to ? addr->bytes[bit / 8] | mask
					  : addr->bytes[bit / 8] & ~mask;
	}
}

static void random_host_bits(struct ruleset *set, union addr *addr, uint8_t ip_version, uint8_t len)
{
	int from = len + (ip_version == 4 ? 96 : 0);

	for (int bit = from; bit < 128; bit++)
		if (ruleset_random(set, 2))
			addr->bytes[bit / 8] ^= 0x80 >> bit % 8;
}

static void step(union addr *addr, uint8_t ip_version, int by)
{
	int carry = by;

	for (int i = 15; i >= (ip_version == 4 ? 12 : 0) && carry; i--) {
		int value = addr->bytes[i] + carry;

		addr->bytes[i] = value;
		carry = value < 0 ? -1 : value > 255 ? 1 : 0;
	}
}

static struct prefix prefix(union addr addr, uint8_t ip_version, uint8_t len)
{
	set_host_bits(&addr, ip_version, len, 0);
	return (struct prefix){.addr = addr, .ip_version = ip_version, .len = len};
}

/* An address under one of @bases blocks: /16 of IPv4, /48 of IPv6. */
static union addr addr_under(struct ruleset *set, uint8_t ip_version, uint32_t bases)
{
	uint32_t base = ruleset_random(set, bases) * 2654435761u;
	union addr addr = addr_v4(base);

	if (ip_version == 6) {
		addr.word[0] = htonl(0x20010db8);
		addr.word[1] = htonl(base);
		addr.word[2] = addr.word[3] = 0;
	}
	random_host_bits(set, &addr, ip_version, ip_version == 4 ? 16 : 48);
	return addr;
}

static struct prefix random_prefix(struct ruleset *set, uint8_t ip_version, uint32_t bases)
{
	static const uint8_t len4[] = {0, 12, 16, 20, 23, 24, 28, 31, 32, 32};
	static const uint8_t len6[] = {0, 32, 48, 56, 63, 64, 65, 96, 127, 128};
	uint32_t i = ruleset_random(set, 40);
	uint8_t len = ip_version == 4 ? len4[i < 10 ? i : 2 + i % 8] : len6[i < 10 ? i : 2 + i % 8];

	return prefix(addr_under(set, ip_version, bases), ip_version, len);
}

static struct address_match match_one(struct ruleset *set, struct prefix one)
{
	struct address_match match = {.n_prefixes = 1};

	match.prefixes = take(set, 1, sizeof(one));
	*match.prefixes = one;
	return match;
}

static const struct address_match any_address = {.any = true};

/* ---- ports ---- */

static struct port_range *one_range(struct ruleset *set, uint16_t first, uint16_t last)
{
	struct port_range *range = take(set, 1, sizeof(*range));

	range->first = first;
	range->last = last;
	return range;
}

static void set_dports(struct ruleset *set, struct policy_rule *rule, uint32_t kinds, uint32_t kind)
{
	uint16_t first = 1 + kind * 131 % 9000;

	if (rule->protocol != 6 && rule->protocol != 17)
		return;
	if (kind < kinds / 8)
		return;
	rule->n_destination_ports = 1;
	rule->destination_ports = one_range(set, first, first + (kind % 5 ? 0 : kind % 700));
}

/* ---- families ---- */

static struct address_match random_match(struct ruleset *set, uint8_t ip_version)
{
	struct address_match match = {0};

	if (!ruleset_random(set, 6))
		return any_address;
	match.n_prefixes = ruleset_random(set, 4);
	match.prefixes = take(set, match.n_prefixes, sizeof(*match.prefixes));
	for (size_t i = 0; i < match.n_prefixes; i++) {
		uint8_t other = ruleset_random(set, 8) ? ip_version : 10 - ip_version;

		match.prefixes[i] = random_prefix(set, other, 3);
	}
	if (!ruleset_random(set, 4)) {
		match.n_sets = 1;
		match.sets = take(set, 1, sizeof(*match.sets));
		match.sets[0] = ruleset_random(set, set->policy.n_sets);
	}
	return match;
}

static struct port_range *random_ports(struct ruleset *set, size_t *n)
{
	struct port_range *ranges;

	*n = ruleset_random(set, 2) ? 0 : 1 + ruleset_random(set, 3);
	ranges = take(set, *n, sizeof(*ranges));
	for (size_t i = 0; i < *n; i++) {
		ranges[i].first = ruleset_random(set, 3) ? ruleset_random(set, 30)
							 : 65535 - ruleset_random(set, 3);
		ranges[i].last = ranges[i].first < 60 ? ranges[i].first + ruleset_random(set, 5)
						      : 65535;
	}
	return ranges;
}

static void random_rule(struct ruleset *set, struct policy_rule *rule, bool routed)
{
	static const uint16_t protocols[] = {6, 6,  17, 6, 17, PROTOCOL_ALL, PROTOCOL_ICMP,
					     1, 58, 47, 0};

	rule->source = random_match(set, set->ip_version);
	rule->destination = routed ? random_match(set, set->ip_version) : any_address;
	rule->protocol = protocols[ruleset_random(set, 11)];
	rule->source_ports = random_ports(set, &rule->n_source_ports);
	rule->destination_ports = random_ports(set, &rule->n_destination_ports);
	rule->allow = ruleset_random(set, 10) > 2;
}

static union addr mesh_peer(uint8_t ip_version, uint32_t peer)
{
	union addr addr = addr_v4(0x64400000 | (peer * 2654435761u >> 10));

	if (ip_version == 6) {
		addr.word[0] = htonl(0xfd00abcd);
		addr.word[1] = htonl(0x12340000);
		addr.word[2] = htonl(peer * 2246822519u);
		addr.word[3] = htonl(peer);
	}
	return addr;
}

/* One of a few services, open to one of many peers that is in the service's group. */
static void mesh_rule(struct ruleset *set, struct policy_rule *rule, size_t n_rules)
{
	static const uint16_t protocols[] = {6, 6, 6, 17, 17, PROTOCOL_ICMP, PROTOCOL_ALL};
	uint32_t peers = n_rules / 10 + 4, kind = ruleset_random(set, n_rules > 5000 ? 155 : 40);
	uint32_t group = kind % 40, member = ruleset_random(set, peers / 20 + 1);

	rule->protocol = protocols[kind % 7];
	rule->allow = kind % 10 != 9 || rule->protocol > 255;
	set_dports(set, rule, 40, kind);
	rule->destination = any_address;
	rule->source = any_address;
	if (ruleset_random(set, 500))
		rule->source = match_one(
			set, prefix(mesh_peer(set->ip_version, (member * 40 + group * 7) % peers),
				    set->ip_version, set->ip_version == 4 ? 32 : 128));
}

static struct address_match firewall_match(struct ruleset *set, size_t n_rules)
{
	struct address_match match = {0};
	uint64_t saved = set->random;

	if (ruleset_random(set, 100) < 12)
		return any_address;
	/* One of n/3 lists, made from its number. */
	saved = set->random;
	set->random = (1 + ruleset_random(set, n_rules / 3 + 3)) * 0x9e3779b97f4a7c15ull;
	match.n_prefixes = ruleset_random(set, 10) < 7 ? 1 : 2 + ruleset_random(set, 3);
	match.prefixes = take(set, match.n_prefixes, sizeof(*match.prefixes));
	for (size_t i = 0; i < match.n_prefixes; i++) {
		uint32_t k = ruleset_random(set, 100);
		uint8_t len = k < 8 ? 16 : k < 18 ? 20 : k < 55 ? 24 : k < 66 ? 28 : 32;

		match.prefixes[i] = prefix(addr_under(set, set->ip_version, n_rules / 50 + 4),
					   set->ip_version,
					   set->ip_version == 4 ? len
					   : len == 32		? 128
								: 32 + len);
	}
	set->random = saved;
	ruleset_random(set, 2);
	return match;
}

static void firewall_rule(struct ruleset *set, struct policy_rule *rule, size_t n_rules)
{
	static const uint16_t protocols[] = {6, 6, 6, 6, 6, 6, 17, 17, PROTOCOL_ICMP, PROTOCOL_ALL};
	uint32_t kind = ruleset_random(set, n_rules < 1000 ? 60 : 400);

	rule->source = firewall_match(set, n_rules);
	rule->destination = firewall_match(set, n_rules);
	rule->protocol = protocols[ruleset_random(set, 10)];
	if (rule->source.any && rule->destination.any)
		rule->protocol = 6;
	rule->allow = ruleset_random(set, 100) >= 30;
	set_dports(set, rule, 400, rule->source.any && rule->destination.any ? 399 : kind);
	if (rule->protocol < 256 && !ruleset_random(set, 10)) {
		rule->n_source_ports = 1;
		rule->source_ports = one_range(set, 1024, 65535);
	}
}

/* The rules of a service are near to each other, but not in one piece. */
static void service_rule(struct ruleset *set, struct policy_rule *rule, size_t index)
{
	uint32_t service = index / 4 + ruleset_random(set, 50);
	uint8_t len = set->ip_version == 4 ? 24 : 64;
	union addr addr = mesh_peer(set->ip_version, ruleset_random(set, 300));

	rule->source = match_one(set, prefix(addr, set->ip_version, len + service % 9));
	addr = mesh_peer(set->ip_version, service % 1000);
	rule->destination = match_one(set, prefix(addr, set->ip_version, len));
	rule->protocol = service % 3 ? 6 : 17;
	rule->allow = service % 7;
	set_dports(set, rule, 8, service % 50);
}

/* Nested and shifted prefixes of one address, wide ranges of ports. */
static void hostile_rule(struct ruleset *set, struct policy_rule *rule)
{
	uint8_t bits = set->ip_version == 4 ? 32 : 128;
	union addr addr = mesh_peer(set->ip_version, ruleset_random(set, 40));
	uint16_t first = ruleset_random(set, 65536);

	rule->source = match_one(set, prefix(addr, set->ip_version, ruleset_random(set, bits + 1)));
	addr = mesh_peer(set->ip_version, ruleset_random(set, 40));
	random_host_bits(set, &addr, set->ip_version, bits - 8);
	rule->destination = match_one(set,
				      prefix(addr, set->ip_version, ruleset_random(set, bits + 1)));
	rule->protocol = ruleset_random(set, 3) ? 6 : PROTOCOL_ALL;
	rule->allow = ruleset_random(set, 2);
	rule->n_destination_ports = rule->n_source_ports = 1;
	rule->destination_ports = one_range(set, first, first + ruleset_random(set, 65536 - first));
	first = ruleset_random(set, 65536);
	rule->source_ports = one_range(set, first, first + ruleset_random(set, 65536 - first));
}

static void make_sets(struct ruleset *set)
{
	set->policy.n_sets = 4;
	set->policy.sets = take(set, set->policy.n_sets, sizeof(*set->policy.sets));
	for (size_t i = 0; i < set->policy.n_sets; i++) {
		struct prefix_set *named = &set->policy.sets[i];

		named->n_prefixes = i * 3;
		named->prefixes = take(set, named->n_prefixes, sizeof(*named->prefixes));
		for (size_t j = 0; j < named->n_prefixes; j++)
			named->prefixes[j] = random_prefix(set, ruleset_random(set, 2) ? 4 : 6, 3);
	}
}

static void make_rule(struct ruleset *set, enum ruleset_family family, struct policy_rule *rule,
		      size_t n_rules, size_t index, enum acl acl)
{
	switch (family) {
	case RULESET_RANDOM:
		random_rule(set, rule, acl == ACL_ROUTE);
		break;
	case RULESET_MESH:
		mesh_rule(set, rule, n_rules);
		break;
	case RULESET_FIREWALL:
		firewall_rule(set, rule, n_rules);
		break;
	case RULESET_HOSTILE:
		hostile_rule(set, rule);
		break;
	case RULESET_SERVICES:
		service_rule(set, rule, index);
		break;
	}
}

/**
 * ruleset_make() - Make a policy
 * @family: of what kind
 * @ip_version: of its addresses (RULESET_RANDOM has some of the other)
 * @n_rules: how many
 * @seed: the same policy for the same seed, not 0
 *
 * Return: the policy, to be freed with ruleset_free(); aborts without memory.
 */
struct ruleset *ruleset_make(enum ruleset_family family, uint8_t ip_version, size_t n_rules,
			     uint64_t seed)
{
	struct ruleset *set = calloc(1, sizeof(*set));
	size_t n_peer = family == RULESET_MESH ? n_rules : 0;

	if (!set)
		abort();
	if (family == RULESET_RANDOM)
		n_peer = n_rules / 2;
	set->random = seed * 0x9e3779b97f4a7c15ull;
	set->ip_version = ip_version;
	make_sets(set);
	for (int acl = 0; acl < ACL_MAX; acl++) {
		struct policy_acl *rules = &set->policy.acl[acl];

		rules->n_rules = acl == ACL_PEER ? n_peer : n_rules - n_peer;
		rules->rules = take(set, rules->n_rules, sizeof(*rules->rules));
		for (size_t i = 0; i < rules->n_rules; i++)
			make_rule(set, family, &rules->rules[i], n_rules, i, acl);
	}
	return set;
}

static struct icmp_type random_type(struct ruleset *set)
{
	static const struct icmp_type named[] = {
		{FAMILY_BOTH, {8, 128}, true, 0}, {FAMILY_BOTH, {3, 1}, true, 0},
		{FAMILY_4, {3, 0}, false, 4},	  {FAMILY_6, {0, 2}, true, 0},
		{FAMILY_BOTH, {5, 137}, true, 0}, {FAMILY_6, {0, 135}, true, 0},
	};
	struct icmp_type type = {.families = FAMILY_BOTH, .any_code = ruleset_random(set, 2)};

	if (ruleset_random(set, 3))
		return named[ruleset_random(set, sizeof(named) / sizeof(*named))];
	type.number[0] = type.number[1] = ruleset_random(set, 4) ? ruleset_random(set, 12)
								 : 255 - ruleset_random(set, 2);
	if (!type.any_code)
		type.code = ruleset_random(set, 4) ? ruleset_random(set, 4) : 255;
	return type;
}

static void name_types(struct ruleset *set, struct policy_rule *rule)
{
	rule->protocol = PROTOCOL_ICMP;
	rule->n_source_ports = rule->n_destination_ports = 0;
	rule->n_icmp_types = 1 + ruleset_random(set, 3);
	rule->icmp_types = take(set, rule->n_icmp_types, sizeof(*rule->icmp_types));
	for (size_t i = 0; i < rule->n_icmp_types; i++)
		rule->icmp_types[i] = random_type(set);
}

static void name_groups(struct ruleset *set, struct policy_rule *rule)
{
	if (ruleset_random(set, 3))
		rule->destination = random_match(set, set->ip_version);
	rule->destination.groups = ruleset_random(set, 4);
}

/**
 * ruleset_name_groups_and_types() - Have some of the rules name groups, and some ICMP types
 * @set: any; half of peer_acl's rules get a destination, and a fifth of all become rules of ICMP
 */
void ruleset_name_groups_and_types(struct ruleset *set)
{
	for (int acl = 0; acl < ACL_MAX; acl++) {
		for (size_t i = 0; i < set->policy.acl[acl].n_rules; i++) {
			struct policy_rule *rule = &set->policy.acl[acl].rules[i];

			if (!ruleset_random(set, 5) || rule->protocol == PROTOCOL_ICMP)
				name_types(set, rule);
			if (acl == ACL_PEER && ruleset_random(set, 2))
				name_groups(set, rule);
		}
	}
}

/**
 * ruleset_free() - Release a policy
 */
void ruleset_free(struct ruleset *set)
{
	for (size_t i = 0; i < set->n_pool; i++)
		free(set->pool[i]);
	free(set->pool);
	free(set);
}

/* ---- packets ---- */

static union addr near_match(struct ruleset *set, const struct address_match *match,
			     uint8_t *ip_version)
{
	const struct prefix *prefixes = match->prefixes;
	size_t n = match->n_prefixes;
	union addr addr;
	uint32_t i;

	if (match->n_sets && (!n || ruleset_random(set, 2))) {
		prefixes = set->policy.sets[match->sets[0]].prefixes;
		n = set->policy.sets[match->sets[0]].n_prefixes;
	}
	if (match->any || !n)
		return addr_under(set, *ip_version, 4);
	i = ruleset_random(set, n);
	addr = prefixes[i].addr;
	*ip_version = prefixes[i].ip_version;
	switch (ruleset_random(set, 8)) {
	case 0:
		set_host_bits(&addr, *ip_version, prefixes[i].len, 1);
		break;
	case 1:
		set_host_bits(&addr, *ip_version, prefixes[i].len, 1);
		step(&addr, *ip_version, 1);
		break;
	case 2:
		step(&addr, *ip_version, -1);
		break;
	case 3:
		break;
	default:
		random_host_bits(set, &addr, *ip_version, prefixes[i].len);
	}
	return addr;
}

static uint16_t near_port(struct ruleset *set, const struct port_range *ranges, size_t n)
{
	const struct port_range *range;

	if (!n)
		return ruleset_random(set, 65536);
	range = &ranges[ruleset_random(set, n)];
	switch (ruleset_random(set, 6)) {
	case 0:
		return range->first - 1;
	case 1:
		return range->last + 1;
	case 2:
		return range->last;
	case 3:
		return range->first;
	default:
		return range->first + ruleset_random(set, range->last - range->first + 1);
	}
}

static uint8_t near_protocol(struct ruleset *set, uint16_t protocol, uint8_t ip_version)
{
	static const uint8_t others[] = {1, 6, 6, 17, 58, 47};

	if (protocol == PROTOCOL_ICMP && ruleset_random(set, 4))
		return ip_version == 4 ? 1 : 58;

	if (protocol < 256 && ruleset_random(set, 12))
		return protocol;
	return others[ruleset_random(set, 6)];
}

/* The type and code of an ICMP packet. */
static void set_type(struct ruleset *set, const struct policy_rule *rule,
		     struct classifier_key *key)
{
	key->icmp_type = ruleset_random(set, 256);
	key->icmp_code = ruleset_random(set, 3);
	if (rule->n_icmp_types && ruleset_random(set, 8)) {
		const struct icmp_type *type =
			&rule->icmp_types[ruleset_random(set, rule->n_icmp_types)];

		key->icmp_type = type->number[key->ip_version == 6];
		if (!ruleset_random(set, 8))
			key->icmp_type += ruleset_random(set, 2) ? 1 : -1;
		if (!type->any_code && ruleset_random(set, 2))
			key->icmp_code = type->code;
	}
}

/* Has a packet for this host go to a group instead, whose address shows its kind. */
static void set_group(struct ruleset *set, const struct policy_rule *rule,
		      struct classifier_key *key)
{
	uint32_t group = ruleset_random(set, rule->destination.groups ? 3 : 40);

	if (group == 0 && ruleset_random(set, 2) && key->ip_version == 4)
		key->destination = addr_v4(0xffffffff);
	if (key->ip_version == 4 && (group == 0 || key->destination.word[3] == 0xffffffff)) {
		key->local_kind = LOCAL_BROADCAST; /* a directed one may be any address */
		return;
	}
	if (group == 1 && key->ip_version == 4)
		key->destination.bytes[12] = 224 + ruleset_random(set, 16);
	else if (group == 1)
		key->destination.bytes[0] = 0xff;
	if (key->ip_version == 4 ? (key->destination.bytes[12] & 0xf0) == 224
				 : key->destination.bytes[0] == 0xff)
		key->local_kind = LOCAL_MULTICAST;
}

/**
 * ruleset_packet() - A packet in or near the boundaries of a rule
 * @set: the rules
 * @acl: the ACL to ask about it: the rule's, mostly
 */
struct classifier_key ruleset_packet(struct ruleset *set, enum acl *acl)
{
	size_t n_peer = set->policy.acl[ACL_PEER].n_rules;
	size_t n = n_peer + set->policy.acl[ACL_ROUTE].n_rules;
	uint32_t i = ruleset_random(set, n);
	const struct policy_rule *rule;
	struct classifier_key key = {0};
	uint8_t ip_version = set->ip_version, other = set->ip_version;

	*acl = i < n_peer ? ACL_PEER : ACL_ROUTE;
	rule = &set->policy.acl[*acl].rules[*acl == ACL_PEER ? i : i - n_peer];
	key.source = near_match(set, &rule->source, &ip_version);
	other = ip_version;
	key.destination = near_match(set, &rule->destination, &other);
	if (other != ip_version)
		key.destination = addr_under(set, ip_version, 3);
	key.ip_version = ip_version;
	key.l4_proto = near_protocol(set, rule->protocol, ip_version);
	key.sport = near_port(set, rule->source_ports, rule->n_source_ports);
	key.dport = near_port(set, rule->destination_ports, rule->n_destination_ports);
	set_type(set, rule, &key);
	set_group(set, rule, &key);
	if (!ruleset_random(set, 50))
		*acl = !*acl;
	return key;
}
