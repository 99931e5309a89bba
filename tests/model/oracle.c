/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/oracle.h"

static bool in_prefix(const struct prefix *prefix, const union addr *addr, uint8_t ip_version)
{
	int skip = prefix->ip_version == 4 ? 96 : 0;

	if (prefix->ip_version != ip_version)
		return false;
	for (int bit = skip; bit < skip + prefix->len; bit++)
		if ((prefix->addr.bytes[bit / 8] ^ addr->bytes[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static bool in_prefixes(const struct prefix *prefixes, size_t n, const union addr *addr,
			uint8_t ip_version)
{
	for (size_t i = 0; i < n; i++)
		if (in_prefix(&prefixes[i], addr, ip_version))
			return true;
	return false;
}

static bool matches_address(const struct policy *policy, const struct address_match *match,
			    const union addr *addr, uint8_t ip_version)
{
	if (match->any)
		return true;
	if (in_prefixes(match->prefixes, match->n_prefixes, addr, ip_version))
		return true;
	for (size_t i = 0; i < match->n_sets; i++) {
		const struct prefix_set *set = &policy->sets[match->sets[i]];

		if (in_prefixes(set->prefixes, set->n_prefixes, addr, ip_version))
			return true;
	}
	return false;
}

static bool matches_destination(const struct policy *policy, const struct policy_rule *rule,
				const struct classifier_key *key, enum acl acl)
{
	if (acl == ACL_PEER && key->local_kind == LOCAL_BROADCAST)
		return rule->destination.groups & GROUP_BROADCAST;
	if (acl == ACL_PEER && key->local_kind == LOCAL_MULTICAST)
		return rule->destination.groups & GROUP_MULTICAST;
	return matches_address(policy, &rule->destination, &key->destination, key->ip_version);
}

static bool matches_type(const struct policy_rule *rule, const struct classifier_key *key)
{
	int ipv6 = key->ip_version == 6;

	for (size_t i = 0; i < rule->n_icmp_types; i++) {
		const struct icmp_type *type = &rule->icmp_types[i];

		if (type->families & (ipv6 ? FAMILY_6 : FAMILY_4) &&
		    type->number[ipv6] == key->icmp_type &&
		    (type->any_code || type->code == key->icmp_code))
			return true;
	}
	return rule->n_icmp_types == 0;
}

static bool matches_port(const struct port_range *ranges, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (ranges[i].first <= port && port <= ranges[i].last)
			return true;
	return n == 0;
}

static bool matches_protocol(uint16_t protocol, const struct classifier_key *key)
{
	if (protocol == PROTOCOL_ICMP)
		return key->ip_version == 4 ? key->l4_proto == 1 : key->l4_proto == 58;
	return protocol == PROTOCOL_ALL || protocol == key->l4_proto;
}

static bool matches(const struct policy *policy, const struct policy_rule *rule,
		    const struct classifier_key *key, enum acl acl)
{
	if (!matches_protocol(rule->protocol, key))
		return false;
	if (!matches_address(policy, &rule->source, &key->source, key->ip_version) ||
	    !matches_destination(policy, rule, key, acl))
		return false;
	if (rule->protocol == PROTOCOL_ICMP)
		return matches_type(rule, key);
	if (key->l4_proto != 6 && key->l4_proto != 17)
		return true;
	return matches_port(rule->source_ports, rule->n_source_ports, key->sport) &&
	       matches_port(rule->destination_ports, rule->n_destination_ports, key->dport);
}

/**
 * oracle_lookup() - The first rule of an ACL that matches a packet
 * @policy: the rules
 * @overlay: prefixes that the route ACL's built-in rule denies
 * @n_overlay: how many
 * @key: the packet
 * @acl: whose rules
 *
 * Return: the rule's index + 1 where peer rules come before route rules and, in each, built-in
 * rules before denials before allowances; 0 if no rule matches.
 */
uint32_t oracle_lookup(const struct policy *policy, const struct prefix *overlay, size_t n_overlay,
		       const struct classifier_key *key, enum acl acl)
{
	uint32_t index = acl == ACL_ROUTE ? policy->acl[ACL_PEER].n_rules : 0;
	const struct policy_acl *rules = &policy->acl[acl];

	if (acl == ACL_ROUTE && n_overlay) {
		index++;
		if (in_prefixes(overlay, n_overlay, &key->destination, key->ip_version))
			return index;
	}
	for (int allow = 0; allow <= 1; allow++) {
		for (size_t i = 0; i < rules->n_rules; i++) {
			if (rules->rules[i].allow != allow)
				continue;
			index++;
			if (matches(policy, &rules->rules[i], key, acl))
				return index;
		}
	}
	return 0;
}
