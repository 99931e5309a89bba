/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * First the compiled tables are asked about a few packets of each rule: nearly every rule that can
 * decide is found to do so at once.  For the others the space of their packets is divided along the
 * edges of the rules before them, until a part is found that none of those covers, or none is left.
 */
#include "review/cover.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/walk.h"
#include "review/boxes.h"

#define PROBES	     24
#define RULE_WORK    2000000u		 /* of one search; some ms */
#define TOTAL_WORK   UINT64_C(100000000) /* of an ACL; a second or two */
#define OVERLAPS_MAX 100		 /* warnings of one kind */
#define NAMED_MAX    3			 /* rules in one warning */
#define PROTOCOLS    256
#define NAMES_LEN    512

struct cover {
	const struct policy *policy;
	const struct classifier *classifier;
	const bool *dead;
	bool *covered;
	policy_warn_fn warn;
	void *context;
	enum acl acl;
	struct boxes boxes;
	uint64_t work;
	uint64_t random;
	size_t n_unknown; /* rules for which the search was given up */
	const struct policy_rule *unknown;
};

static void warn_at(const struct cover *c, struct position at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void warn_at(const struct cover *c, struct position at, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	c->warn(c->context, at, text);
}

/* The place of a rule among those of both ACLs. */
static size_t place_of(const struct cover *c, const struct policy_rule *rule)
{
	size_t first = c->acl == ACL_ROUTE ? c->policy->acl[ACL_PEER].n_rules : 0;

	return first + (size_t)(rule - c->policy->acl[c->acl].rules);
}

static bool is_dead(const struct cover *c, const struct policy_rule *rule)
{
	return c->dead[place_of(c, rule)];
}

/* ---- asking the tables ---- */

/* Numbers that differ; it does not matter which (xorshift). */
static uint64_t next_random(struct cover *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

/* A value of the ranges that is in @within too: the first, the last or any. */
static bool pick(struct cover *c, const struct ranges *ranges, const struct range *within,
		 unsigned int probe, point *value)
{
	for (int attempt = 0; attempt < 4 && ranges->n; attempt++) {
		struct range range =
			ranges->list[probe + attempt < ranges->n ? probe + attempt
								 : next_random(c) % ranges->n];

		if (range.first < within->first)
			range.first = within->first;
		if (range.last > within->last)
			range.last = within->last;
		if (range.first > range.last)
			continue;
		*value = probe % 3 == 0	  ? range.first
			 : probe % 3 == 1 ? range.last
			 : range.last - range.first == ~(point)0
				 ? next_random(c)
				 : range.first + next_random(c) % (range.last - range.first + 1);
		return true;
	}
	return false;
}

static uint8_t pick_protocol(const struct box *box, uint8_t ip_version, unsigned int probe)
{
#define PROTOCOL(id, name, number) number,
	static const uint8_t some[] = {PORT_PROTOCOLS(PROTOCOL) IPPROTO_GRE, IPPROTO_ICMP};
#undef PROTOCOL
	uint16_t protocol = box->rule->protocol;

	if (protocol == PROTOCOL_ICMP)
		return ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	return protocol == PROTOCOL_ALL ? some[probe / 2 % sizeof(some)] : protocol;
}

/* Pick a key of a box at its edges or at random. */
static bool pick_key(struct cover *c, const struct box *box, unsigned int probe,
		     struct classifier_key *key)
{
	static const struct range ports = {0, UINT16_MAX};
	uint8_t ip_version = probe % 2 ? IP_VERSION_6 : IP_VERSION_4;
	struct range family = box_family(ip_version, 0), dports;
	point source, destination, sport, dport;
	uint8_t l4_proto;

	probe /= 2;
	l4_proto = pick_protocol(box, ip_version, probe);
	dports = box_dports(ip_version, l4_proto);
	if (!pick(c, &box->dim[BOX_SOURCE], &family, probe, &source) ||
	    !pick(c, &box->dim[BOX_DESTINATION], &family, probe, &destination) ||
	    !pick(c, &box->dim[BOX_SPORT], &ports, probe, &sport) ||
	    !pick(c, &box->dim[BOX_DPORT], &dports, probe, &dport))
		return false;
	*key = (struct classifier_key){
		.ip_version = ip_version,
		.l4_proto = l4_proto,
		.local_kind = point_group(destination),
	};
	point_to_addr(source, &key->source);
	point_to_addr(destination, &key->destination);
	if (l4_has_ports(l4_proto)) {
		key->sport = sport;
		key->dport = dport;
	} else if (protocol_matches(PROTOCOL_ICMP, ip_version, l4_proto)) {
		key->icmp_type = dport >> 8;
		key->icmp_code = dport;
	}
	return true;
}

/* Whether the tables name the rule for one of a few packets. */
static bool decides_a_probe(struct cover *c, size_t rank)
{
	size_t index = rank + (c->acl == ACL_ROUTE ? c->policy->acl[ACL_PEER].n_rules : 0);
	struct classifier_key key;

	for (unsigned int probe = 0; probe < PROBES; probe++)
		if (pick_key(c, &c->boxes.list[rank], probe, &key) &&
		    classifier_lookup(c->classifier, &key, c->acl) == index + 1)
			return true;
	return false;
}

/* ---- dividing the space of a rule's packets ---- */

/*
 * struct search - one rule against those before it that it meets
 * @others: in the order of evaluation; @whole: per dimension, whether it contains all of the rule
 * @used: what the rule's packets were found to be covered by
 */
struct search {
	const struct box *box;
	const struct box **others;
	bool (*whole)[BOX_DIMENSIONS];
	bool *used;
	size_t n;
	uint64_t work;
	struct range dports; /* that packets of the protocol can have */
	uint8_t ip_version;
	bool given_up;
};

static bool is_covered(struct search *s, int dim, const uint32_t *active, size_t n);

/* Whether a value is in one of the ranges. */
static bool ranges_have(const struct ranges *ranges, point value)
{
	size_t low = ranges_from(ranges, value);

	return low < ranges->n && ranges->list[low].first <= value;
}

static int compare_points(const void *a, const void *b)
{
	const point *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The other rules that still count, as numbers in search.others. */
struct active {
	const uint32_t *list;
	size_t n;
};

/* Where in @range something begins: at its first value, and at the edges of what is active. */
static size_t find_edges(const struct search *s, int dim, struct range range, struct active active,
			 point *edges)
{
	size_t len = 0;

	edges[len++] = range.first;
	for (size_t i = 0; i < active.n; i++) {
		const struct ranges *ranges = &s->others[active.list[i]]->dim[dim];

		for (size_t j = 0; j < ranges->n; j++) {
			if (ranges->list[j].first > range.first &&
			    ranges->list[j].first <= range.last)
				edges[len++] = ranges->list[j].first;
			if (ranges->list[j].last >= range.first &&
			    ranges->list[j].last < range.last)
				edges[len++] = ranges->list[j].last + 1;
		}
	}
	qsort(edges, len, sizeof(*edges), compare_points);
	return len;
}

/* Whether the active rules cover a range of a dimension together. */
static bool is_range_covered(struct search *s, int dim, struct range range, const uint32_t *active,
			     size_t n)
{
	size_t room = 1, n_edges;
	uint32_t *left;
	point *edges;
	bool covered = true;

	for (size_t i = 0; i < n; i++)
		room += 2 * s->others[active[i]]->dim[dim].n;
	s->work += room;
	edges = malloc(room * sizeof(*edges));
	left = malloc((n + 1) * sizeof(*left));
	if (!edges || !left || s->work > RULE_WORK) {
		s->given_up = true;
	} else {
		n_edges = find_edges(s, dim, range, (struct active){active, n}, edges);
		for (size_t e = 0; e < n_edges && covered && !s->given_up; e++) {
			size_t n_left = 0;

			if (e && edges[e] == edges[e - 1])
				continue;
			s->work += n;
			for (size_t i = 0; i < n; i++)
				if (ranges_have(&s->others[active[i]]->dim[dim], edges[e]))
					left[n_left++] = active[i];
			covered = is_covered(s, dim + 1, left, n_left);
		}
	}
	free(edges);
	free(left);
	return covered;
}

/* What of a range packets of the family and protocol can have: addresses are in two parts. */
static struct range clip(const struct search *s, int dim, int part, struct range range)
{
	struct range within = {.first = 1, .last = 0};

	if (dim >= BOX_SOURCE)
		within = box_family(s->ip_version, part);
	else if (!part)
		within = dim == BOX_DPORT ? s->dports : range;
	if (range.first < within.first)
		range.first = within.first;
	if (range.last > within.last)
		range.last = within.last;
	return range;
}

/* Whether the @active rules cover all that is left of the rule, from dimension @dim on. */
static bool is_covered(struct search *s, int dim, const uint32_t *active, size_t n)
{
	const struct ranges *ranges;

	if (!n || s->given_up)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = dim;

		while (d < BOX_DIMENSIONS && s->whole[active[i]][d])
			d++;
		if (d == BOX_DIMENSIONS) {
			s->used[active[i]] = true;
			return true;
		}
	}
	ranges = &s->box->dim[dim];
	for (size_t i = 0; i < ranges->n; i++) {
		for (int part = 0; part < 2; part++) {
			struct range range = clip(s, dim, part, ranges->list[i]);

			if (range.first <= range.last &&
			    !is_range_covered(s, dim, range, active, n))
				return false;
		}
	}
	return true;
}

/* The first dimension that packets of a protocol have. */
static int first_dimension(const struct search *s, uint8_t l4_proto)
{
	if (l4_has_ports(l4_proto))
		return BOX_SPORT;
	return protocol_matches(PROTOCOL_ICMP, s->ip_version, l4_proto) ? BOX_DPORT : BOX_SOURCE;
}

/* Whether other rules cover the box for one protocol. */
static bool is_protocol_covered(struct search *s, uint8_t l4_proto, uint32_t *active, size_t *last)
{
	int first = first_dimension(s, l4_proto);
	const struct ranges *dports = &s->box->dim[BOX_DPORT];
	size_t n = 0, sum = 0;

	s->dports = box_dports(s->ip_version, l4_proto);
	if (first == BOX_DPORT &&
	    !ranges_meet(dports, &(struct ranges){.list = &s->dports, .n = 1}))
		return true; /* the rule names ICMP types of the other family only */
	for (size_t i = 0; i < s->n; i++) {
		if (!protocol_matches(s->others[i]->rule->protocol, s->ip_version, l4_proto))
			continue;
		active[n++] = i;
		if (s->others[i]->rule->protocol != PROTOCOL_ALL)
			sum++;
	}
	s->work += s->n;
	/* protocols that no rule names are all alike */
	if (first == BOX_SOURCE && !sum && *last == n)
		return true;
	if (first == BOX_SOURCE && !sum)
		*last = n;
	return is_covered(s, first, active, n);
}

/* Every family and protocol that the rule matches. */
static bool search(struct search *s, uint32_t *active)
{
	for (int v = 0; v < 2; v++) {
		size_t last = SIZE_MAX;

		s->ip_version = v ? IP_VERSION_6 : IP_VERSION_4;
		if (!box_has_family(s->box, s->ip_version))
			continue;
		for (int p = 0; p < PROTOCOLS; p++)
			if (protocol_matches(s->box->rule->protocol, s->ip_version, p) &&
			    !is_protocol_covered(s, p, active, &last))
				return false;
	}
	return !s->given_up;
}

static void search_free(struct search *s)
{
	free(s->others);
	free(s->whole);
	free(s->used);
}

/* The rules before @rank that it meets. */
static int gather(struct cover *c, size_t rank, struct search *s)
{
	const struct box *box = &c->boxes.list[rank];

	*s = (struct search){.box = box};
	s->others = malloc((rank + 1) * sizeof(*s->others));
	s->whole = malloc((rank + 1) * sizeof(*s->whole));
	s->used = calloc(rank + 1, sizeof(*s->used));
	if (!s->others || !s->whole || !s->used)
		return -ENOMEM;
	c->work += rank;
	for (size_t i = 0; i < rank; i++) {
		const struct box *other = &c->boxes.list[i];

		if (!boxes_meet(other, box))
			continue;
		for (int d = 0; d < BOX_DIMENSIONS; d++) {
			c->work += other->dim[d].n + box->dim[d].n;
			s->whole[s->n][d] = ranges_contain(&other->dim[d], &box->dim[d]);
		}
		s->others[s->n++] = other;
	}
	return 0;
}

/* Warn about a rule that others together cover, and name some of them. */
static void warn_covered(const struct cover *c, const struct search *s)
{
	char names[NAMES_LEN] = "", place[POLICY_PLACE_LEN];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		size_t used = strlen(names);

		if (s->used[i] && n++ < NAMED_MAX)
			snprintf(names + used, sizeof(names) - used, "%s'%s' in %s",
				 used ? ", " : "", s->others[i]->rule->id,
				 policy_place_text(c->policy, s->others[i]->rule->position, place));
	}
	if (n > NAMED_MAX)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " and %zu more",
			 n - NAMED_MAX);
	warn_at(c, s->box->rule->position,
		"rule '%s' is never reached: all it matches is matched before by rule%s %s%s",
		s->box->rule->id, n == 1 ? "" : "s", names,
		n == 1 ? ", as sets are now" : " together");
}

/* Say so if rules before it cover a rule together; -ENOMEM. */
static int check_covered(struct cover *c, size_t rank)
{
	const struct policy_rule *rule = c->boxes.list[rank].rule;
	uint32_t *active = NULL;
	struct search s = {.box = NULL};
	bool covered = false;
	int err = 0;

	if (is_dead(c, rule) || decides_a_probe(c, rank))
		return 0;
	if (c->work <= TOTAL_WORK) {
		err = gather(c, rank, &s);
		active = malloc((s.n + 1) * sizeof(*active));
		if (!active)
			err = -ENOMEM;
		if (!err)
			covered = search(&s, active);
		c->work += s.work;
	}
	if (!err && covered && s.n) {
		if (c->covered)
			c->covered[place_of(c, rule)] = true;
		warn_covered(c, &s);
	}
	if (!err && (!s.box || s.given_up)) {
		if (!c->n_unknown++)
			c->unknown = rule;
	}
	free(active);
	search_free(&s);
	return err;
}

/* ---- allow rules from which denials take a part ---- */

/* Warn about a rule that denies override in part. */
static bool check_overlap(struct cover *c, size_t rank)
{
	const struct box *box = &c->boxes.list[rank];
	const struct policy_rule *deny = NULL;
	char more[32] = "", place[POLICY_PLACE_LEN];
	size_t n = 0;

	if (is_dead(c, box->rule))
		return false;
	for (size_t i = 0; i < c->boxes.n_deny; i++) {
		if (is_dead(c, c->boxes.list[i].rule) || !boxes_meet(&c->boxes.list[i], box))
			continue;
		if (!n++)
			deny = c->boxes.list[i].rule;
	}
	c->work += c->boxes.n_deny;
	if (!n)
		return false;
	if (n > 1)
		snprintf(more, sizeof(more), " and %zu more", n - 1);
	warn_at(c, box->rule->position, "rule '%s' is partly overridden by deny rule '%s' in %s%s",
		box->rule->id, deny->id, policy_place_text(c->policy, deny->position, place), more);
	return true;
}

/* Look for rules that denies override in part, within limits of work and warnings. */
static void check_overlaps(struct cover *c)
{
	size_t rank = c->boxes.n_deny, warned = 0;

	c->work = 0;
	for (; rank < c->boxes.n && warned < OVERLAPS_MAX && c->work <= TOTAL_WORK / 10; rank++)
		warned += check_overlap(c, rank);
	if (rank < c->boxes.n && c->boxes.n_deny)
		warn_at(c, c->boxes.list[rank].rule->position,
			"%s: whether deny rules override others in part was not looked for from "
			"rule "
			"'%s' on",
			warned == OVERLAPS_MAX ? "many rules are overridden in part"
					       : "too many rules",
			c->boxes.list[rank].rule->id);
}

/* Find the rules of an ACL that others cover or override. */
static int cover_acl(struct cover *c)
{
	int err = boxes_make(&c->boxes, c->policy, c->acl);

	c->work = 0;
	c->n_unknown = 0;
	for (size_t rank = 1; rank < c->boxes.n && !err; rank++)
		err = check_covered(c, rank);
	if (!err && c->n_unknown)
		warn_at(c, c->unknown->position,
			"of %zu rules, the first being '%s', it takes too long to find out whether "
			"others together are always before them",
			c->n_unknown, c->unknown->id);
	if (!err)
		check_overlaps(c);
	boxes_free(&c->boxes);
	return err;
}

/**
 * policy_cover() - Find rules that others together make useless, or override in part
 * @input: the policy and what is known of it
 * @warn: called for each warning
 * @context: for @warn
 * @error: set where memory ran out
 *
 * Return: 0 or -ENOMEM, warnings or not.
 */
int policy_cover(const struct cover_input *input, policy_warn_fn warn, void *context,
		 struct error *error)
{
	struct cover c = {
		.policy = input->policy,
		.classifier = input->classifier,
		.dead = input->dead,
		.covered = input->covered,
		.warn = warn,
		.context = context,
		.random = 0x9e3779b97f4a7c15,
	};
	int err;

	for (c.acl = 0; c.acl < ACL_MAX; c.acl++) {
		err = input->policy->acl[c.acl].n_rules ? cover_acl(&c) : 0;
		if (err == -E2BIG)
			warn_at(&c, input->policy->acl[c.acl].rules[0].position,
				"the lists and sets of this ACL are too long to find out which "
				"rules override others together or in part");
		else if (err)
			return error_set(error, -err, "policy check: %s", strerror(-err));
	}
	return 0;
}
