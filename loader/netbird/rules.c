/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/names.h"

#define ID_TEXT_MAX	 (2 * RULE_ID_MAX + PREFIX_TEXT_MAX + 48) /* before it is shortened */
#define SHORT_DIGITS	 8  /* that stand for a destination or a policy */
#define CONTENT_DIGITS	 4  /* that tell equal ids apart */
#define CONTENT_DIGITS_2 16 /* where four of them are equal, too */

/**
 * rules_add() - Add a rule
 * @rules: the rules
 * @rule: is copied; its sources belong to @rules then
 *
 * Return: 0 or -ENOMEM.
 */
int rules_add(struct netbird_rules *rules, const struct netbird_rule *rule)
{
	if (rules->n == rules->room) {
		size_t room = rules->room * 2 + 64;
		struct netbird_rule *larger = realloc(rules->rules, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		rules->rules = larger;
		rules->room = room;
	}
	rules->rules[rules->n++] = *rule;
	return 0;
}

/**
 * rule_add_source() - Add a prefix to the sources of a rule
 *
 * Return: 0 or -ENOMEM.
 */
int rule_add_source(struct netbird_rule *rule, const struct prefix *prefix)
{
	if (rule->n_source == rule->room) {
		size_t room = rule->room ? rule->room * 2 : 1; /* most have one */
		struct prefix *larger = realloc(rule->source, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		rule->source = larger;
		rule->room = room;
	}
	rule->source[rule->n_source++] = *prefix;
	return 0;
}

/**
 * rules_free() - Release all rules
 */
void rules_free(struct netbird_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		free(rules->rules[i].source);
	free(rules->rules);
	*rules = (struct netbird_rules){0};
}

/**
 * rule_destination() - The destination of a rule in words, without "set:"
 * @rule: the rule
 * @text: room for them
 *
 * Return: the words; "" for this host.
 */
const char *rule_destination(const struct netbird_rule *rule, char text[PREFIX_TEXT_MAX])
{
	switch (rule->kind) {
	case DESTINATION_ANY:
		return "any";
	case DESTINATION_PREFIX:
		return prefix_format(&rule->to, text, PREFIX_TEXT_MAX);
	case DESTINATION_SET:
		return rule->set;
	}
	return "";
}

/**
 * rule_protocol() - The protocol of a rule as a policy has it
 * @rule: the rule
 * @text: room for it
 *
 * Return: the word, or the number.
 */
const char *rule_protocol(const struct netbird_rule *rule, char text[8])
{
	const char *name = port_protocol_name(rule->protocol);

	if (rule->protocol == PROTOCOL_ALL)
		return "all";
	if (rule->protocol == PROTOCOL_ICMP)
		return "icmp";
	if (name)
		return name;
	snprintf(text, 8, "%u", rule->protocol);
	return text;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order ? order : (int)x->len - (int)y->len;
}

#define ORDER(field) (((x)->field > (y)->field) - ((x)->field < (y)->field))

/* Rules that are equal here differ in nothing but their sources. */
static int compare_rules(const void *a, const void *b)
{
	const struct netbird_rule *x = a, *y = b;
	int order = ORDER(acl);

	order = order ? order : strcmp(x->policy, y->policy);
	order = order ? order : ORDER(policy_digest);
	order = order ? order : (int)y->deny - (int)x->deny;
	order = order ? order : ORDER(kind);
	if (!order && x->kind == DESTINATION_PREFIX)
		order = compare_prefixes(&x->to, &y->to);
	if (!order && x->kind == DESTINATION_SET)
		order = strcmp(x->set, y->set);
	order = order ? order : ORDER(protocol);
	order = order ? order : ORDER(ports.first);
	return order ? order : ORDER(ports.last);
}

/* Sort the sources, each once. */
static void tidy_sources(struct netbird_rule *rule)
{
	size_t n = 0;

	if (rule->n_source > 1)
		qsort(rule->source, rule->n_source, sizeof(*rule->source), compare_prefixes);
	for (size_t i = 0; i < rule->n_source; i++)
		if (!n || !prefix_equal(&rule->source[n - 1], &rule->source[i]))
			rule->source[n++] = rule->source[i];
	rule->n_source = n;
}

/* Move the sources of a rule to one that differs in nothing else. */
static int move_sources(struct netbird_rule *from, struct netbird_rule *to)
{
	int err = 0;

	to->any_source |= from->any_source;
	for (size_t i = 0; i < from->n_source && !err; i++)
		err = rule_add_source(to, &from->source[i]);
	free(from->source);
	return err;
}

/* Rules that differ only in their sources become one, so that a peer that joins makes no other. */
static int merge(struct netbird_rules *rules)
{
	size_t n = 0;
	int err = 0;

	if (rules->n > 1)
		qsort(rules->rules, rules->n, sizeof(*rules->rules), compare_rules);
	for (size_t i = 0; i < rules->n; i++) {
		struct netbird_rule *rule = &rules->rules[i];

		if (n && !compare_rules(&rules->rules[n - 1], rule))
			err |= move_sources(rule, &rules->rules[n - 1]);
		else
			rules->rules[n++] = *rule;
	}
	rules->n = n;
	for (size_t i = 0; i < n; i++)
		tidy_sources(&rules->rules[i]);
	return err;
}

/* All that makes a rule this rule, its sources apart, which may change. */
static void add_content(const struct netbird_rule *rule, char *id, unsigned int digits)
{
	char text[ID_TEXT_MAX], to[PREFIX_TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%016llx %u %u %s %u %u-%u",
			   (unsigned long long)rule->policy_digest, rule->acl, rule->deny,
			   rule_destination(rule, to), rule->protocol, rule->ports.first,
			   rule->ports.last);
	size_t used = strlen(id);

	id[used] = '#';
	digest_hex(text, len, id + used + 1, digits);
}

/* The id before anything of it is shortened: nb/POLICY/in/tcp/22, nb/POLICY/rt/drop/DEST/tcp/80 */
static void write_id(const struct netbird_rule *rule, const char *policy, const char *to,
		     char id[ID_TEXT_MAX])
{
	char protocol[8], ports[16] = "";

	if (rule->ports.first != rule->ports.last)
		snprintf(ports, sizeof(ports), "/%u-%u", rule->ports.first, rule->ports.last);
	else if (rule->ports.first)
		snprintf(ports, sizeof(ports), "/%u", rule->ports.first);
	snprintf(id, ID_TEXT_MAX, "nb/%s/%s%s%s%s/%s%s", policy,
		 rule->acl == ACL_ROUTE ? "rt" : "in", rule->deny ? "/drop" : "", *to ? "/" : "",
		 to, rule_protocol(rule, protocol), ports);
}

/* Give a rule its id, with so many digits of its content. */
static void give_id(struct netbird_rule *rule, unsigned int digits)
{
	char id[ID_TEXT_MAX], to[PREFIX_TEXT_MAX], short_to[SHORT_DIGITS + 1],
		short_policy[SHORT_DIGITS + 1];
	const char *destination = rule_destination(rule, to);
	size_t room = RULE_ID_MAX - (digits ? digits + 1 : 0);

	write_id(rule, rule->policy, destination, id);
	if (strlen(id) >= room && *destination) {
		destination = digest_hex(destination, strlen(destination), short_to, SHORT_DIGITS);
		write_id(rule, rule->policy, destination, id);
	}
	if (strlen(id) >= room) {
		snprintf(short_policy, sizeof(short_policy), "%08x",
			 (unsigned int)(rule->policy_digest >> 32));
		write_id(rule, short_policy, destination, id);
	}
	if (digits)
		add_content(rule, id, digits);
	memcpy(rule->id, id, strlen(id) + 1);
}

static int compare_ids(const void *a, const void *b)
{
	const struct netbird_rule *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

/* Rules whose ids are equal get some digits of what they are. */
static void part_equal_ids(struct netbird_rule **by_id, size_t n, unsigned int digits)
{
	size_t end;

	if (n > 1)
		qsort(by_id, n, sizeof(*by_id), compare_ids);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && !compare_ids(&by_id[i], &by_id[end]);)
			end++;
		for (size_t same = i; end - i > 1 && same < end; same++)
			give_id(by_id[same], digits);
	}
}

/**
 * rules_finish() - Merge and sort what was collected, and give each rule its id
 * @rules: the rules
 *
 * An id is made of what the rule says, its sources apart, and of nothing else that is in the map:
 * it stays while the rule does.
 *
 * Return: 0 or -ENOMEM.
 */
int rules_finish(struct netbird_rules *rules)
{
	struct netbird_rule **by_id;
	int err = merge(rules);

	if (err)
		return err;
	by_id = calloc(rules->n + 1, sizeof(*by_id));
	if (!by_id)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++) {
		by_id[i] = &rules->rules[i];
		give_id(by_id[i], by_id[i]->is_lossy ? CONTENT_DIGITS : 0);
	}
	part_equal_ids(by_id, rules->n, CONTENT_DIGITS);
	part_equal_ids(by_id, rules->n, CONTENT_DIGITS_2);
	free(by_id);
	return 0;
}
