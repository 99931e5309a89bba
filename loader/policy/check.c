/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Warnings about sets and unreachable rules.
 *
 * A rule is unreachable where ONE rule in front of it, in the order of evaluation (the deny rules
 * of its ACL, then the allow rules, each in the order of the file), matches all that it matches.
 * Rules that only several others cover together are not found here (review/cover.h).  A set covers
 * nothing but itself, and nothing but itself or any covers it, because what is in it may change at
 * any time.
 *
 * Comparing all pairs of 100,000 rules would take minutes.  A rule is compared with those only
 * that list an address element (prefix, set or any) containing its own first source or first
 * destination, whichever are fewer; and the work is bounded by COMPARE_MAX.  What is not compared
 * for that is not said here: review/cover.h looks at every rule that is not warned of.
 */
#include "policy/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keyed.h"
#include "policy/icmp_type.h"

#define COMPARE_MAX    UINT64_C(50000000) /* pairs of prefixes per ACL; about half a second */
#define PREFIX_LENGTHS 129

struct checker {
	const struct policy *policy;
	policy_warn_fn warn;
	void *context;
	bool *dead;
};

enum element_kind { ELEMENT_ANY, ELEMENT_PREFIX, ELEMENT_SET, ELEMENT_GROUP };

/* One item of a list of addresses, comparable as bytes. */
struct element {
	union addr addr;
	uint32_t set; /* or enum destination_group */
	uint8_t kind; /* enum element_kind */
	uint8_t ip_version;
	uint8_t len;
	uint8_t pad;
};
_Static_assert(sizeof(struct element) == 24, "struct element is compared as bytes");

/* Which rules list an element, in the order of evaluation. */
struct element_index {
	struct element *elements;
	struct keyed *items; /* sorted; index is the rule's rank */
	size_t *group_len;   /* of the items with one key, at the first of them */
	size_t n;
	bool has_len[2][PREFIX_LENGTHS]; /* by is-IPv6 and prefix length */
};

struct ranking {
	const struct policy_rule **rules; /* in the order of evaluation */
	size_t n;
	struct element_index sources;
	struct element_index destinations;
	uint64_t compared;
};

static void warn_about(const struct checker *checker, struct position at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void warn_about(const struct checker *checker, struct position at, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	checker->warn(checker->context, at, text);
}

static struct element any_element(void)
{
	return (struct element){.kind = ELEMENT_ANY};
}

static struct element prefix_element(const struct prefix *prefix)
{
	return (struct element){.kind = ELEMENT_PREFIX,
				.addr = prefix->addr,
				.ip_version = prefix->ip_version,
				.len = prefix->len};
}

static struct element set_element(size_t set)
{
	return (struct element){.kind = ELEMENT_SET, .set = (uint32_t)set};
}

static struct element group_element(uint8_t group)
{
	return (struct element){.kind = ELEMENT_GROUP, .set = group};
}

/* Elements that stand for addresses: not the groups. */
static size_t match_addresses(const struct address_match *match)
{
	return match->any ? 1 : match->n_prefixes + match->n_sets;
}

static size_t match_count(const struct address_match *match)
{
	return match_addresses(match) + (size_t)__builtin_popcount(match->groups);
}

/* The address, set or group with a number. */
static struct element match_element(const struct address_match *match, size_t i)
{
	size_t n = match_addresses(match);

	if (i == n)
		return group_element(match->groups & -match->groups);
	if (i > n)
		return group_element(match->groups & (match->groups - 1));
	if (match->any)
		return any_element();
	if (i < match->n_prefixes)
		return prefix_element(&match->prefixes[i]);
	return set_element(match->sets[i - match->n_prefixes]);
}

/* Notes that a rule never decides. */
static void mark_dead(const struct checker *checker, const struct policy_rule *rule)
{
	const struct policy_acl *peer = &checker->policy->acl[ACL_PEER];
	const struct policy_acl *route = &checker->policy->acl[ACL_ROUTE];

	if (!checker->dead)
		return;
	if (rule >= peer->rules && rule < peer->rules + peer->n_rules)
		checker->dead[rule - peer->rules] = true;
	else
		checker->dead[peer->n_rules + (rule - route->rules)] = true;
}

/* Warn about prefixes that are twice in a set. */
static int check_duplicates(const struct checker *checker, const struct prefix_set *set,
			    struct error *error)
{
	struct element *elements;
	const struct keyed *duplicate;
	char text[PREFIX_TEXT_MAX];
	struct keyed *items;
	int err = 0;
	size_t i;

	elements = calloc(set->n_prefixes, sizeof(*elements));
	items = calloc(set->n_prefixes, sizeof(*items));
	if (!elements || !items) {
		err = error_no_memory_for(error, "policy check");
		goto out;
	}
	for (i = 0; i < set->n_prefixes; i++) {
		elements[i] = prefix_element(&set->prefixes[i]);
		items[i] = (struct keyed){&elements[i], sizeof(elements[i]), i};
	}
	keyed_sort(items, set->n_prefixes);
	duplicate = keyed_duplicate(items, set->n_prefixes);
	if (duplicate)
		warn_about(checker, set->position, "set '%s' lists %s more than once", set->name,
			   prefix_format(&set->prefixes[duplicate->index], text, sizeof(text)));
out:
	free(items);
	free(elements);
	return err;
}

static void mark_used(const struct address_match *match, bool *used)
{
	size_t i;

	for (i = 0; i < match->n_sets; i++)
		used[match->sets[i]] = true;
}

/* Warn about sets that are empty or not used, and about duplicates in sets. */
static int check_sets(const struct checker *checker, struct error *error)
{
	const struct policy *policy = checker->policy;
	const struct prefix_set *set;
	size_t acl, i;
	int err = 0;
	bool *used;

	if (policy->n_sets == 0)
		return 0;
	used = calloc(policy->n_sets, sizeof(*used));
	if (!used)
		return error_no_memory_for(error, "policy check");
	for (acl = 0; acl < ACL_MAX; acl++) {
		for (i = 0; i < policy->acl[acl].n_rules; i++) {
			mark_used(&policy->acl[acl].rules[i].source, used);
			mark_used(&policy->acl[acl].rules[i].destination, used);
		}
	}
	for (i = 0; i < policy->n_sets && !err; i++) {
		set = &policy->sets[i];
		if (!used[i])
			warn_about(checker, set->position, "set '%s' is not used", set->name);
		if (set->n_prefixes == 0)
			warn_about(checker, set->position, "set '%s' is empty", set->name);
		else
			err = check_duplicates(checker, set, error);
	}
	free(used);
	return err;
}

/* Whether all addresses of @inner are in @outer, as far as single elements show. */
static bool match_covers(const struct address_match *outer, const struct address_match *inner)
{
	size_t i, j;

	if (inner->groups & ~outer->groups)
		return false;
	if (outer->any || inner->any)
		return outer->any;
	for (i = 0; i < inner->n_prefixes; i++) {
		for (j = 0; j < outer->n_prefixes; j++) {
			if (prefix_contains(&outer->prefixes[j], &inner->prefixes[i]))
				break;
		}
		if (j == outer->n_prefixes)
			return false;
	}
	for (i = 0; i < inner->n_sets; i++) {
		for (j = 0; j < outer->n_sets && outer->sets[j] != inner->sets[i]; j++)
			;
		if (j == outer->n_sets)
			return false;
	}
	return true;
}

/* Whether each range of @inner is in one of @outer. */
static bool ports_cover(const struct port_range *outer, size_t n_outer,
			const struct port_range *inner, size_t n_inner)
{
	size_t i, j;

	if (n_outer == 0 || n_inner == 0)
		return n_outer == 0;
	for (i = 0; i < n_inner; i++) {
		for (j = 0; j < n_outer; j++) {
			if (outer[j].first <= inner[i].first && inner[i].last <= outer[j].last)
				break;
		}
		if (j == n_outer)
			return false;
	}
	return true;
}

static bool type_covers(const struct icmp_type *outer, const struct icmp_type *inner,
			uint8_t ip_version)
{
	struct port_range a, b;

	if (!icmp_type_range(inner, ip_version, &b))
		return true;
	return icmp_type_range(outer, ip_version, &a) && a.first <= b.first && b.last <= a.last;
}

/* Whether each ICMP type of @inner is among those of @outer. */
static bool types_cover(const struct policy_rule *outer, const struct policy_rule *inner,
			uint8_t ip_version)
{
	size_t i, j;

	if (outer->n_icmp_types == 0 || inner->n_icmp_types == 0)
		return outer->n_icmp_types == 0;
	for (i = 0; i < inner->n_icmp_types; i++) {
		for (j = 0; j < outer->n_icmp_types; j++) {
			if (type_covers(&outer->icmp_types[j], &inner->icmp_types[i], ip_version))
				break;
		}
		if (j == outer->n_icmp_types)
			return false;
	}
	return true;
}

/* Whether every packet that @inner matches is matched by @outer; counts the work. */
static bool rule_covers(const struct policy_rule *outer, const struct policy_rule *inner,
			uint64_t *compared)
{
	*compared += 1;
	if (outer->protocol != PROTOCOL_ALL && outer->protocol != inner->protocol)
		return false;
	*compared += outer->n_destination_ports * inner->n_destination_ports +
		     outer->n_source_ports * inner->n_source_ports +
		     outer->n_icmp_types * inner->n_icmp_types;
	if (!ports_cover(outer->destination_ports, outer->n_destination_ports,
			 inner->destination_ports, inner->n_destination_ports) ||
	    !ports_cover(outer->source_ports, outer->n_source_ports, inner->source_ports,
			 inner->n_source_ports))
		return false;
	if (!types_cover(outer, inner, IP_VERSION_4) || !types_cover(outer, inner, IP_VERSION_6))
		return false;
	*compared += match_count(&outer->source) * match_count(&inner->source) +
		     match_count(&outer->destination) * match_count(&inner->destination);
	return match_covers(&outer->source, &inner->source) &&
	       match_covers(&outer->destination, &inner->destination);
}

static const struct address_match *rule_match(const struct policy_rule *rule, bool destination)
{
	return destination ? &rule->destination : &rule->source;
}

static void index_free(struct element_index *index)
{
	free(index->elements);
	free(index->items);
	free(index->group_len);
}

static void index_group(struct element_index *index)
{
	size_t i, first = 0;

	keyed_sort(index->items, index->n);
	for (i = 0; i < index->n; i++) {
		if (memcmp(index->items[i].key, index->items[first].key, sizeof(struct element)) !=
		    0)
			first = i;
		index->group_len[first]++;
	}
}

/* Index the elements of all rules of a ranking. */
static int index_build(struct element_index *index, const struct ranking *ranking, bool destination,
		       struct error *error)
{
	const struct address_match *match;
	struct element *element;
	size_t rank, i, n = 0;

	for (rank = 0; rank < ranking->n; rank++)
		n += match_count(rule_match(ranking->rules[rank], destination));
	if (n == 0)
		return 0;
	index->elements = calloc(n, sizeof(*index->elements));
	index->items = calloc(n, sizeof(*index->items));
	index->group_len = calloc(n, sizeof(*index->group_len));
	if (!index->elements || !index->items || !index->group_len)
		return error_no_memory_for(error, "policy check");
	for (rank = 0; rank < ranking->n; rank++) {
		match = rule_match(ranking->rules[rank], destination);
		for (i = 0; i < match_count(match); i++) {
			element = &index->elements[index->n];
			*element = match_element(match, i);
			index->items[index->n++] = (struct keyed){element, sizeof(*element), rank};
			if (element->kind == ELEMENT_PREFIX)
				index->has_len[element->ip_version == IP_VERSION_6][element->len] =
					true;
		}
	}
	index_group(index);
	return 0;
}

/* The elements that contain another: runs of an index, at most one per prefix length. */
struct containers {
	const struct keyed *groups[PREFIX_LENGTHS + 1];
	size_t n;
	size_t n_rules; /* in all groups together */
};

static void add_container(const struct element_index *index, const struct element *element,
			  struct containers *containers)
{
	const struct keyed *group;

	group = keyed_find(index->items, index->n, element, sizeof(*element));
	if (!group)
		return;
	containers->groups[containers->n++] = group;
	containers->n_rules += index->group_len[group - index->items];
}

/* Find the rules whose element contains an element. */
static void find_containers(const struct element_index *index, const struct address_match *match,
			    struct containers *containers)
{
	struct element element = any_element();
	struct prefix prefix;
	int len;

	containers->n = 0;
	containers->n_rules = 0;
	add_container(index, &element, containers);
	if (match->any)
		return;
	if (match->n_prefixes == 0) {
		element = match_element(match, 0);
		add_container(index, &element, containers);
		return;
	}
	prefix = match->prefixes[0];
	for (len = prefix.len; len >= 0; len--) {
		if (!index->has_len[prefix.ip_version == IP_VERSION_6][len])
			continue;
		prefix_truncate(&prefix, (uint8_t)len);
		element = prefix_element(&prefix);
		add_container(index, &element, containers);
	}
}

/* The first rule in front of @rank that covers it; @rank itself where there is none. */
static size_t find_cover(struct ranking *ranking, const struct element_index *index,
			 const struct containers *containers, size_t rank)
{
	const struct keyed *item, *end;
	size_t i, best = rank;

	for (i = 0; i < containers->n; i++) {
		item = containers->groups[i];
		end = item + index->group_len[item - index->items];
		for (; item < end && item->index < best; item++) {
			if (ranking->compared > COMPARE_MAX)
				return best;
			if (rule_covers(ranking->rules[item->index], ranking->rules[rank],
					&ranking->compared))
				best = item->index;
		}
	}
	return best;
}

/* Warn about a rule that matches nothing, or that one earlier rule makes useless. */
static void check_rule(const struct checker *checker, struct ranking *ranking, size_t rank)
{
	const struct policy_rule *rule = ranking->rules[rank];
	struct containers by_source, by_destination;
	const struct policy_rule *cover;
	char place[POLICY_PLACE_LEN];
	uint64_t ignored = 0;
	bool repeats;
	size_t found;

	if (match_count(&rule->source) == 0 || match_count(&rule->destination) == 0) {
		warn_about(checker, rule->position,
			   "rule '%s' matches nothing: its %s list is empty", rule->id,
			   match_count(&rule->source) == 0 ? "source" : "destination");
		mark_dead(checker, rule);
		return;
	}
	find_containers(&ranking->sources, &rule->source, &by_source);
	find_containers(&ranking->destinations, &rule->destination, &by_destination);
	if (by_source.n_rules <= by_destination.n_rules)
		found = find_cover(ranking, &ranking->sources, &by_source, rank);
	else
		found = find_cover(ranking, &ranking->destinations, &by_destination, rank);
	if (found == rank)
		return;
	cover = ranking->rules[found];
	repeats = cover->allow == rule->allow && rule_covers(rule, cover, &ignored);
	warn_about(checker, rule->position, "rule '%s' %s rule '%s' in %s", rule->id,
		   repeats ? "repeats" : "is never reached: all it matches is matched before by",
		   cover->id, policy_place_text(checker->policy, cover->position, place));
	mark_dead(checker, rule);
}

static void rank_rules(struct ranking *ranking, const struct policy_acl *acl)
{
	size_t i;
	int allow;

	for (allow = 0; allow <= 1; allow++) {
		for (i = 0; i < acl->n_rules; i++) {
			if (acl->rules[i].allow == (bool)allow)
				ranking->rules[ranking->n++] = &acl->rules[i];
		}
	}
}

/* Check the rules of an ACL in the order in which they decide. */
static int check_acl(const struct checker *checker, const struct policy_acl *acl,
		     struct error *error)
{
	struct ranking ranking = {0};
	size_t rank;
	int err;

	if (acl->n_rules == 0)
		return 0;
	ranking.rules = calloc(acl->n_rules, sizeof(*ranking.rules));
	if (!ranking.rules)
		return error_no_memory_for(error, "policy check");
	rank_rules(&ranking, acl);
	err = index_build(&ranking.sources, &ranking, false, error);
	if (!err)
		err = index_build(&ranking.destinations, &ranking, true, error);
	if (err)
		goto out;
	for (rank = 0; rank < ranking.n && ranking.compared <= COMPARE_MAX; rank++)
		check_rule(checker, &ranking, rank);
out:
	index_free(&ranking.sources);
	index_free(&ranking.destinations);
	free(ranking.rules);
	return err;
}

/* Whether a prefix has addresses that only a group stands for, and no others. */
static bool is_of_group(const struct prefix *prefix)
{
	static const uint8_t all[4] = {255, 255, 255, 255};
	const uint8_t *bytes = prefix->addr.bytes;

	if (prefix->ip_version == IP_VERSION_6)
		return prefix->len >= 8 && bytes[0] == 0xff;
	if (prefix->len == 32 && memcmp(bytes + 12, all, sizeof(all)) == 0)
		return true;
	return prefix->len >= 4 && (bytes[12] & 0xf0) == 0xe0;
}

/* Prefixes of peer_acl's destinations that match nothing. */
static void check_groups(const struct checker *checker)
{
	const struct policy_acl *acl = &checker->policy->acl[ACL_PEER];
	char text[PREFIX_TEXT_MAX];
	size_t i, j;

	for (i = 0; i < acl->n_rules; i++) {
		const struct address_match *match = &acl->rules[i].destination;

		for (j = 0; j < match->n_prefixes && !is_of_group(&match->prefixes[j]); j++)
			;
		if (j < match->n_prefixes)
			warn_about(checker, acl->rules[i].position,
				   "rule '%s' names %s, which matches nothing: only the words "
				   "broadcast "
				   "and multicast stand for such destinations",
				   acl->rules[i].id,
				   prefix_format(&match->prefixes[j], text, sizeof(text)));
	}
}

/**
 * policy_check() - Find what a valid policy's author should know
 * @policy: the policy
 * @warn: called for each warning: sets first, then each ACL in the order of evaluation
 * @context: for @warn
 * @dead: gets true for each rule that is warned of; peer_acl's rules, then route_acl's, in the order
 *	of the file; NULL: not asked for
 * @error: set where memory ran out
 *
 * Warns of sets that are empty, unused or list a prefix twice, of rules or destinations that match
 * nothing, and of rules that repeat or are covered by one rule evaluated before them.
 *
 * Return: 0 or -ENOMEM, warnings or not.
 */
int policy_check(const struct policy *policy, policy_warn_fn warn, void *context, bool *dead,
		 struct error *error)
{
	const struct checker checker = {policy, warn, context, dead};
	size_t acl;
	int err;

	err = check_sets(&checker, error);
	check_groups(&checker);
	for (acl = 0; acl < ACL_MAX && !err; acl++)
		err = check_acl(&checker, &policy->acl[acl], error);
	return err;
}
