/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules of a rule set as nftables has them.
 *
 * A verdict of a rule set is: no if a rule that denies matches, else yes if one that allows does.
 * So the order within the denials does not matter, nor within the allowances, and rules that look
 * at the same fields can be elements of one set.  Where fields have ranges that is a concatenated
 * interval set; its elements must not overlap, so rules that do go to as many sets as it takes.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "flat.h"
#include "nft.h"
#include "samples.h"

#define LAYERS_MAX 64 /* sets of one kind; beyond, this form is none */

enum field { SADDR, DADDR, PROTOCOL, SPORT, DPORT, FIELDS };

static const char *const field_names[] = {"ip saddr", "ip daddr", "meta l4proto", "th sport",
					  "th dport"};
static const char *const field_types[] = {"ipv4_addr", "ipv4_addr", "inet_proto", "inet_service",
					  "inet_service"};

struct element {
	uint32_t first[FIELDS];
	uint32_t last[FIELDS];
	uint32_t layer;
};

/* Rules of one verdict that look at the same fields. */
struct kind {
	struct element *elements;
	size_t n;
	size_t cap;
	uint32_t layers;
};

#define KINDS	   (1 << (FIELDS + 2))
#define KIND_ALLOW (1 << (FIELDS + 1))
#define KIND_RANGE (1 << FIELDS) /* of the bits of fields, some have ranges */

static const uint32_t field_max[] = {UINT32_MAX, UINT32_MAX, 255, 65535, 65535};

static void add_element(struct kind *kinds, struct element element, bool allow)
{
	uint32_t which = allow ? KIND_ALLOW : 0;
	struct kind *kind;

	for (int f = 0; f < FIELDS; f++) {
		if (!element.first[f] && element.last[f] == field_max[f])
			continue;
		which |= 1 << f;
		if (element.first[f] != element.last[f])
			which |= KIND_RANGE;
	}
	kind = &kinds[which];
	if (kind->n == kind->cap) {
		kind->cap = kind->cap ? 2 * kind->cap : 64;
		kind->elements = realloc(kind->elements, kind->cap * sizeof(element));
		if (!kind->elements)
			die("out of memory");
	}
	kind->elements[kind->n++] = element;
}

static void set_prefix(struct element *element, enum field field, const struct prefix *prefix)
{
	uint32_t host = prefix && prefix->len < 32 ? UINT32_MAX >> prefix->len : 0;

	element->first[field] = prefix ? ntohl(prefix->addr.word[3]) & ~host : 0;
	element->last[field] = prefix ? element->first[field] | host : UINT32_MAX;
}

static void set_range(struct element *element, enum field field, uint32_t first, uint32_t last)
{
	element->first[field] = first;
	element->last[field] = last;
}

static void add_flat(struct kind *kinds, const struct flat_rule *rule)
{
	static const struct port_range others[] = {{0, 5}, {7, 16}, {18, 255}};
	static const uint8_t with_ports[] = {6, 17};
	bool ports = rule->sport.first || rule->sport.last != UINT16_MAX || rule->dport.first ||
		     rule->dport.last != UINT16_MAX;
	struct element element = {0};
	uint32_t n_with = rule->protocol == PROTOCOL_ALL && ports ? 2 : 1;

	set_prefix(&element, SADDR, rule->source);
	set_prefix(&element, DADDR, rule->destination);
	set_range(&element, SPORT, 0, UINT16_MAX);
	set_range(&element, DPORT, 0, UINT16_MAX);
	for (int i = 0; n_with == 2 && i < 3; i++) {
		set_range(&element, PROTOCOL, others[i].first, others[i].last);
		add_element(kinds, element, rule->allow);
	}
	if (n_with == 2 || l4_has_ports(rule->protocol)) {
		set_range(&element, SPORT, rule->sport.first, rule->sport.last);
		set_range(&element, DPORT, rule->dport.first, rule->dport.last);
	}
	for (uint32_t i = 0; i < n_with; i++) {
		uint32_t protocol = n_with == 2 ? with_ports[i] : rule->protocol;

		if (protocol == PROTOCOL_ALL)
			set_range(&element, PROTOCOL, 0, 255);
		else
			set_range(&element, PROTOCOL, protocol, protocol);
		add_element(kinds, element, rule->allow);
	}
}

static bool overlap(const struct element *a, const struct element *b)
{
	for (int f = 0; f < FIELDS; f++)
		if (a->first[f] > b->last[f] || b->first[f] > a->last[f])
			return false;
	return true;
}

/* The first layer that has nothing that overlaps with element @i. */
static uint32_t free_layer(const struct kind *kind, size_t i)
{
	uint64_t taken = 0;

	for (size_t j = 0; j < i; j++)
		if (overlap(&kind->elements[i], &kind->elements[j]))
			taken |= 1ull << kind->elements[j].layer;
	return ~taken ? __builtin_ctzll(~taken) : LAYERS_MAX;
}

static bool divide(struct kind *kind, bool one_layer)
{
	kind->layers = 1;
	if (one_layer)
		return true;
	for (size_t i = 0; i < kind->n; i++) {
		struct element *element = &kind->elements[i];

		element->layer = free_layer(kind, i);
		if (element->layer == LAYERS_MAX)
			return false;
		if (element->layer >= kind->layers)
			kind->layers = element->layer + 1;
	}
	return true;
}

static void write_value(FILE *text, enum field field, uint32_t value)
{
	struct in_addr addr = {htonl(value)};
	char dotted[INET_ADDRSTRLEN];

	if (field <= DADDR)
		fputs(inet_ntop(AF_INET, &addr, dotted, sizeof(dotted)), text);
	else
		fprintf(text, "%u", value);
}

static void write_span(FILE *text, enum field field, uint32_t first, uint32_t last)
{
	write_value(text, field, first);
	if (last == first)
		return;
	fputc('-', text);
	write_value(text, field, last);
}

/* The fields of a kind, as in "A . B . C". */
static void write_fields(FILE *text, uint32_t which, const char *const *names)
{
	for (int f = 0; f < FIELDS; f++)
		if (which >> f & 1)
			fprintf(text, "%s%s", which & ((1 << f) - 1) ? " . " : "", names[f]);
}

static void write_element(FILE *text, uint32_t which, const struct element *element)
{
	for (int f = 0; f < FIELDS; f++) {
		if (!(which >> f & 1))
			continue;
		if (which & ((1 << f) - 1))
			fputs(" . ", text);
		write_span(text, f, element->first[f], element->last[f]);
	}
}

static void write_set(FILE *text, uint32_t which, const struct kind *kind, uint32_t layer)
{
	const char *separator = "";

	fprintf(text, "set k%u_%u { type ", which, layer);
	write_fields(text, which, field_types);
	if (which & KIND_RANGE)
		fputs("; flags interval; auto-merge", text);
	fputs("; elements = { ", text);
	for (size_t i = 0; i < kind->n; i++) {
		if (kind->elements[i].layer != layer)
			continue;
		fputs(separator, text);
		write_element(text, which, &kind->elements[i]);
		separator = ", ";
	}
	fputs(" } }\n", text);
}

static void write_lookup(FILE *text, uint32_t which, uint32_t layer)
{
	if (which & (KIND_RANGE - 1)) {
		write_fields(text, which, field_names);
		fprintf(text, " @k%u_%u ", which, layer);
	}
	fputs(which & KIND_ALLOW ? "accept\n" : "drop\n", text);
}

static bool make_kinds(const struct ruleset *set, struct kind *kinds)
{
	struct flat_rule *rules;
	size_t n = flat_rules(set, &rules);
	bool possible = true;

	for (size_t i = 0; i < n; i++)
		add_flat(kinds, &rules[i]);
	free(rules);
	for (uint32_t which = 0; possible && which < KINDS; which++) {
		uint32_t fields = which & (KIND_RANGE - 1);

		/* Hashes take equal elements as one, and sets of one field merge intervals. */
		if (kinds[which].n)
			possible = divide(&kinds[which],
					  !(which & KIND_RANGE) || !(fields & (fields - 1)));
	}
	return possible;
}

#define RULES_CHAIN                                                                                \
	"chain rules { type filter hook prerouting priority -300; policy %s;\n" /* its rules */

static bool write_sets(const struct ruleset *set, FILE *text)
{
	struct kind *kinds = calloc(KINDS, sizeof(*kinds));
	bool possible;

	if (!kinds)
		die("out of memory");
	possible = make_kinds(set, kinds);
	for (uint32_t which = 0; possible && which < KINDS; which++)
		for (uint32_t layer = 0; which & (KIND_RANGE - 1) && layer < kinds[which].layers;
		     layer++)
			write_set(text, which, &kinds[which], layer);
	fprintf(text, RULES_CHAIN, "drop");
	for (uint32_t which = 0; possible && which < KINDS; which++)
		for (uint32_t layer = 0; layer < kinds[which].layers; layer++)
			write_lookup(text, which, layer);
	for (uint32_t which = 0; which < KINDS; which++)
		free(kinds[which].elements);
	free(kinds);
	return possible;
}

/* ---- a rule for a rule ---- */

static bool is_within(const struct prefix *inner, const struct prefix *outer)
{
	struct element a, b;

	set_prefix(&a, SADDR, inner);
	set_prefix(&b, SADDR, outer);
	return a.first[SADDR] >= b.first[SADDR] && a.last[SADDR] <= b.last[SADDR];
}

/* Prefixes without those within others of them, which sets would not take. */
static void write_match(FILE *text, enum field field, const struct address_match *match)
{
	const char *separator = "{ ";

	if (match->any)
		return;
	fprintf(text, "%s ", field_names[field]);
	for (size_t i = 0; i < match->n_prefixes; i++) {
		const struct prefix *prefix = &match->prefixes[i];
		bool within = false;

		for (size_t j = 0; j < match->n_prefixes; j++)
			within |= j != i && is_within(prefix, &match->prefixes[j]) &&
				  (j < i || !is_within(&match->prefixes[j], prefix));
		if (within)
			continue;
		if (match->n_prefixes > 1)
			fputs(separator, text);
		write_value(text, field, ntohl(prefix->addr.word[3]));
		fprintf(text, "/%u", prefix->len);
		separator = ", ";
	}
	fputs(match->n_prefixes > 1 ? " } " : " ", text);
}

static void write_ports(FILE *text, enum field field, const struct port_range *ports, size_t n)
{
	if (!n || (!ports->first && ports->last == UINT16_MAX))
		return;
	fprintf(text, "%s ", field_names[field]);
	write_span(text, field, ports->first, ports->last);
	fputc(' ', text);
}

static void write_rule(FILE *text, const struct policy_rule *rule)
{
	bool some = rule->n_source_ports || rule->n_destination_ports;
	const char *verdict = rule->allow ? "accept\n" : "drop\n";

	write_match(text, SADDR, &rule->source);
	write_match(text, DADDR, &rule->destination);
	if (rule->protocol == PROTOCOL_ALL && some)
		fputs("meta l4proto { 6, 17 } ", text);
	else if (rule->protocol != PROTOCOL_ALL)
		fprintf(text, "meta l4proto %u ",
			rule->protocol == PROTOCOL_ICMP ? 1 : rule->protocol);
	if (protocol_has_ports(rule->protocol)) {
		write_ports(text, SPORT, rule->source_ports, rule->n_source_ports);
		write_ports(text, DPORT, rule->destination_ports, rule->n_destination_ports);
	}
	fputs(verdict, text);
	if (rule->protocol != PROTOCOL_ALL || !some)
		return;
	write_match(text, SADDR, &rule->source);
	write_match(text, DADDR, &rule->destination);
	fprintf(text, "meta l4proto != { 6, 17 } %s", verdict);
}

static void write_linear(const struct ruleset *set, FILE *text)
{
	fprintf(text, RULES_CHAIN, "drop");
	for (int acl = 0; acl < ACL_MAX; acl++)
		for (int allow = 0; allow < 2; allow++)
			for (size_t i = 0; i < set->policy.acl[acl].n_rules; i++)
				if (set->policy.acl[acl].rules[i].allow == allow)
					write_rule(text, &set->policy.acl[acl].rules[i]);
}

/**
 * nft_write_rules() - Write what nft -f is to read
 * @set: rules of IPv4, in one of the two ACLs only
 * @form: how
 * @text: where to
 *
 * What the rules allow comes to a second chain, which counts and ends it.
 *
 * Return: whether the rules can be had in this form.
 */
bool nft_write_rules(const struct ruleset *set, enum nft_form form, FILE *text)
{
	bool possible = true;

	fputs("table ip bench {\n"
	      "chain allowed { type filter hook prerouting priority -200; counter drop; }\n",
	      text);
	if (form == NFT_EMPTY)
		fprintf(text, RULES_CHAIN, "accept");
	else if (form == NFT_LINEAR)
		write_linear(set, text);
	else
		possible = write_sets(set, text);
	fputs("}\n}\n", text);
	return possible;
}
