/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/not_routed.h"

#include <stdio.h>

/* What a rule has to do with an address of this host. */
enum relation {
	RELATION_NONE,
	RELATION_COVERS, /* a prefix or a set of the rule has it */
	RELATION_NAMES,	 /* the rule has it alone */
};

static bool prefixes_meet(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, b) || prefix_contains(b, a);
}

/* The prefixes of a match: its own, and behind them those of its sets; NULL beyond the last. */
static const struct prefix *prefix_at(const struct policy *policy,
				      const struct address_match *match, size_t at)
{
	if (at < match->n_prefixes)
		return &match->prefixes[at];
	at -= match->n_prefixes;
	for (size_t s = 0; s < match->n_sets; s++) {
		const struct prefix_set *set = &policy->sets[match->sets[s]];

		if (at < set->n_prefixes)
			return &set->prefixes[at];
		at -= set->n_prefixes;
	}
	return NULL;
}

/* A rule for any destination is about all that is routed, and surely meant so. */
static enum relation relation_of(const struct policy *policy, const struct address_match *match,
				 const struct interface_address *address)
{
	enum relation found = RELATION_NONE;
	const struct prefix *prefix;

	for (size_t i = 0; (prefix = prefix_at(policy, match, i)); i++) {
		if (!prefix->len ||
		    !prefix_contains_addr(prefix, &address->addr, address->ip_version))
			continue;
		if (i < match->n_prefixes && prefix->len == prefix_bits(prefix->ip_version))
			return RELATION_NAMES;
		found = RELATION_COVERS;
	}
	return found;
}

static bool sources_meet(const struct policy *policy, const struct address_match *a,
			 const struct address_match *b)
{
	const struct prefix *of_a, *of_b;

	if (a->any || b->any)
		return true;
	for (size_t i = 0; (of_a = prefix_at(policy, a, i)); i++)
		for (size_t j = 0; (of_b = prefix_at(policy, b, j)); j++)
			if (prefixes_meet(of_a, of_b))
				return true;
	return false;
}

static bool ports_meet(const struct policy_rule *a, const struct policy_rule *b)
{
	if (!a->n_destination_ports || !b->n_destination_ports)
		return true;
	for (size_t i = 0; i < a->n_destination_ports; i++)
		for (size_t j = 0; j < b->n_destination_ports; j++)
			if (a->destination_ports[i].first <= b->destination_ports[j].last &&
			    b->destination_ports[j].first <= a->destination_ports[i].last)
				return true;
	return false;
}

/* Whether a rule of peer_acl allows some of what the rule would, so that its author knows. */
static bool is_thought_of(const struct policy *policy, const struct policy_rule *rule,
			  const struct interface_address *address)
{
	const struct policy_acl *acl = &policy->acl[ACL_PEER];

	for (size_t i = 0; i < acl->n_rules; i++) {
		const struct policy_rule *own = &acl->rules[i];

		if (own->allow &&
		    (own->protocol == rule->protocol || own->protocol == PROTOCOL_ALL ||
		     rule->protocol == PROTOCOL_ALL) &&
		    ports_meet(own, rule) && sources_meet(policy, &own->source, &rule->source) &&
		    (own->destination.any ||
		     relation_of(policy, &own->destination, address) != RELATION_NONE))
			return true;
	}
	return false;
}

static bool is_reached_from_elsewhere(const struct interface_address *address)
{
	const uint8_t *bytes = address->addr.bytes;

	if (address->ip_version == IP_VERSION_4)
		return bytes[12] != 127 && !(bytes[12] == 169 && bytes[13] == 254);
	return (address->addr.half[0] || bytes[15] != 1) &&
	       !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

/* The warning about a rule and an address; false: there is none. */
static bool describe(const struct policy *policy, const struct policy_rule *rule,
		     const struct interface_address *address, char *text, size_t size)
{
	enum relation relation = relation_of(policy, &rule->destination, address);
	bool is_lacking = rule->allow && is_reached_from_elsewhere(address) &&
			  !is_thought_of(policy, rule, address);
	char digits[ADDR_TEXT_MAX];

	if (relation == RELATION_NONE || (relation == RELATION_COVERS && !is_lacking))
		return false;
	addr_format(&address->addr, address->ip_version, digits, sizeof(digits));
	snprintf(text, size,
		 "rule '%s' of route_acl %s %s, an address of this host: traffic to it is not "
		 "routed%s",
		 rule->id, relation == RELATION_NAMES ? "names" : "covers", digits,
		 is_lacking ? "; to allow it, add a peer_acl rule" : ", and peer_acl decides");
	return true;
}

/**
 * policy_check_local() - Find destinations of route_acl that are addresses of this host
 * @policy: the policy
 * @addresses: of this host
 * @n: how many
 * @warn: called once for each rule with such a destination
 * @context: for @warn
 *
 * Networks that this host has an address in are usual: of them it is warned only where the rule
 * allows, and none of peer_acl allows some of the same.
 */
void policy_check_local(const struct policy *policy, const struct interface_address *addresses,
			size_t n, policy_warn_fn warn, void *context)
{
	const struct policy_acl *acl = &policy->acl[ACL_ROUTE];
	char text[RULE_ID_MAX + 256];

	for (size_t i = 0; i < acl->n_rules; i++)
		for (size_t j = 0; j < n; j++)
			if (describe(policy, &acl->rules[i], &addresses[j], text, sizeof(text))) {
				warn(context, acl->rules[i].position, text);
				break;
			}
}
