/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "flat.h"

#include <stdlib.h>

#include "samples.h"

struct flat_list {
	struct flat_rule *rules;
	size_t n;
	size_t cap;
};

static void add(struct flat_list *list, const struct flat_rule *rule)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 1024;
		list->rules = realloc(list->rules, list->cap * sizeof(*list->rules));
		if (!list->rules)
			die("out of memory");
	}
	list->rules[list->n++] = *rule;
}

static struct port_range ports_of(const struct port_range *ports, size_t n)
{
	if (n > 1)
		die("a rule with more than one range of ports");
	return n ? *ports : (struct port_range){0, UINT16_MAX};
}

static size_t n_choices(const struct address_match *match)
{
	if (match->n_sets)
		die("a rule with named sets");
	return match->any ? 1 : match->n_prefixes;
}

/* Each source with each destination. */
static void add_rule(struct flat_list *list, const struct policy_rule *rule, enum acl acl,
		     uint8_t ip_version, uint32_t number)
{
	struct flat_rule flat = {
		.sport = ports_of(rule->source_ports, rule->n_source_ports),
		.dport = ports_of(rule->destination_ports, rule->n_destination_ports),
		.protocol = rule->protocol,
		.acl = acl,
		.allow = rule->allow,
		.rule = number,
	};

	if (flat.protocol == PROTOCOL_ICMP)
		flat.protocol = ip_version == 4 ? 1 : 58;
	for (size_t i = 0; i < n_choices(&rule->source); i++) {
		flat.source = rule->source.any ? NULL : &rule->source.prefixes[i];
		for (size_t j = 0; j < n_choices(&rule->destination); j++) {
			flat.destination = rule->destination.any ? NULL
								 : &rule->destination.prefixes[j];
			add(list, &flat);
		}
	}
}

/**
 * flat_rules() - The rules of a set, one prefix to one prefix each, in the order of judgement
 * @set: its rules are of one IP version and name no sets
 * @rules: to be freed
 *
 * Return: how many.
 */
size_t flat_rules(const struct ruleset *set, struct flat_rule **rules)
{
	struct flat_list list = {0};
	uint32_t number = 0;

	for (int acl = 0; acl < ACL_MAX; acl++)
		for (int allow = 0; allow < 2; allow++)
			for (size_t i = 0; i < set->policy.acl[acl].n_rules; i++) {
				const struct policy_rule *rule = &set->policy.acl[acl].rules[i];

				if (rule->allow == allow)
					add_rule(&list, rule, acl, set->ip_version, ++number);
			}
	*rules = list.rules;
	return list.n;
}
