/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules to lists: what each rule says about each dimension, equal statements only once.
 *
 * A statement becomes disjoint spans of values.  A rule that names every address of the only
 * family it can match is a rule from anywhere that is limited to that family, and the protocol
 * dimension knows families: so 0.0.0.0/0 costs no more than any.
 */
#include "classify/lists.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classify/partition.h"
#include "classify/tables.h"
#include "policy/icmp_type.h"

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return point_compare(&x->first, &y->first);
}

/* Sorts spans and joins those that touch; returns how many are left. */
static size_t join_spans(struct span *spans, size_t n)
{
	size_t kept = 0;

	if (n > 1)
		qsort(spans, n, sizeof(*spans), compare_spans);
	for (size_t i = 0; i < n; i++) {
		struct span *last = kept ? &spans[kept - 1] : NULL;
		struct point next = last ? point_next(last->last) : (struct point){0, 0};
		bool touches = last && ((next.hi == 0 && next.lo == 0) ||
					point_compare(&spans[i].first, &next) <= 0);

		if (!touches)
			spans[kept++] = spans[i];
		else if (point_compare(&spans[i].last, &last->last) > 0)
			last->last = spans[i].last;
	}
	return kept;
}

/* The addresses of a prefix. */
static struct span prefix_span(const struct prefix *prefix)
{
	struct span span = {0};
	uint64_t low;

	if (prefix->ip_version == IP_VERSION_4) {
		low = prefix->len >= 32 ? 0 : UINT32_MAX >> prefix->len;
		span.first.lo = be32toh(prefix->addr.word[3]) & ~low;
		span.last.lo = span.first.lo | low;
		return span;
	}
	low = prefix->len >= 64 ? 0 : UINT64_MAX >> prefix->len;
	span.first.hi = be64toh(prefix->addr.half[0]) & ~low;
	span.last.hi = span.first.hi | low;
	low = prefix->len <= 64	   ? UINT64_MAX
	      : prefix->len >= 128 ? 0
				   : UINT64_MAX >> (prefix->len - 64);
	span.first.lo = be64toh(prefix->addr.half[1]) & ~low;
	span.last.lo = span.first.lo | low;
	return span;
}

/* ---- addresses ---- */

#define GROUP_PREFIXES 3

static const struct prefix broadcast[] = {
	{.addr.bytes = {[10] = 255, 255, 255, 255, 255, 255}, .ip_version = 4, .len = 32},
};
static const struct prefix multicast[] = {
	{.addr.bytes = {[10] = 255, 255, 224}, .ip_version = 4, .len = 4},
	{.addr.bytes = {255}, .ip_version = 6, .len = 8},
};

static size_t count_prefixes(const struct build *build, const struct address_match *match)
{
	size_t n = match->n_prefixes + GROUP_PREFIXES;

	for (size_t i = 0; i < match->n_sets; i++)
		n += build->policy->sets[match->sets[i]].n_prefixes;
	return n;
}

static void gather(struct list *list, const struct prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum space space = prefixes[i].ip_version == IP_VERSION_4 ? SPACE_IPV4 : SPACE_IPV6;

		list->spans[space][list->n_spans[space]++] = prefix_span(&prefixes[i]);
	}
}

/* Joins a list's spans and notes of which families it has some, and all, values. */
static void finish_list(struct list *list)
{
	for (enum space space = 0; space < SPACES; space++) {
		struct span *spans = list->spans[space];
		struct point last = space_last(space);

		list->n_spans[space] = join_spans(spans, list->n_spans[space]);
		if (!list->n_spans[space])
			continue;
		list->families |= 1 << space;
		if (!spans->first.hi && !spans->first.lo && !point_compare(&spans->last, &last))
			list->any |= 1 << space;
	}
}

/* Set the spans of a list to the addresses of a match, sorted and joined. */
static int fill_addresses(struct build *build, const struct address_match *match, size_t n,
			  struct list *list)
{
	list->spans[SPACE_IPV4] = malloc((n + 1) * sizeof(struct span));
	list->spans[SPACE_IPV6] = malloc((n + 1) * sizeof(struct span));
	if (!list->spans[SPACE_IPV4] || !list->spans[SPACE_IPV6])
		return tables_out_of_memory(build);
	gather(list, match->prefixes, match->n_prefixes);
	for (size_t i = 0; i < match->n_sets; i++) {
		const struct prefix_set *set = &build->policy->sets[match->sets[i]];

		gather(list, set->prefixes, set->n_prefixes);
	}
	if (match->groups & GROUP_BROADCAST)
		gather(list, broadcast, 1);
	if (match->groups & GROUP_MULTICAST)
		gather(list, multicast, 2);
	finish_list(list);
	return 0;
}

/* ---- interning ---- */

/* A statement: of addresses, of ports or of ICMP types. */
struct statement {
	const struct build *build;
	enum classify_dimension dimension;
	const struct address_match *addresses;
	const struct port_range *ports;
	size_t n_ports;
	const struct icmp_type *types;
	size_t n_types;
};

/* What a rule says about one dimension. */
static struct statement statement_of(const struct build *build, enum classify_dimension dimension,
				     const struct policy_rule *rule)
{
	struct statement s = {.build = build, .dimension = dimension};

	switch (dimension) {
	case CLASSIFY_SOURCE:
		s.addresses = &rule->source;
		break;
	case CLASSIFY_DESTINATION:
		s.addresses = &rule->destination;
		break;
	case CLASSIFY_SPORT:
		s.ports = rule->source_ports;
		s.n_ports = rule->n_source_ports;
		break;
	default:
		s.ports = rule->destination_ports;
		s.n_ports = rule->n_destination_ports;
		s.types = rule->icmp_types;
		s.n_types = rule->n_icmp_types;
	}
	return s;
}

/* An ICMP type as a number that no other one has. */
static uint64_t type_key(const struct icmp_type *type)
{
	return (uint64_t)type->families << 32 | (uint64_t)type->any_code << 24 |
	       (uint64_t)type->number[0] << 16 | (uint64_t)type->number[1] << 8 | type->code;
}

/* A hash that equal statements share. */
static uint64_t statement_hash(const struct statement *s)
{
	uint64_t hash = s->build->seed[0];

	for (size_t i = 0; i < s->n_ports; i++)
		hash = intern_mix(hash, (uint64_t)s->ports[i].first << 16 | s->ports[i].last);
	for (size_t i = 0; i < s->n_types; i++)
		hash = intern_mix(hash, type_key(&s->types[i]));
	if (!s->addresses)
		return hash;
	hash = intern_mix(hash, s->addresses->groups);
	for (size_t i = 0; i < s->addresses->n_sets; i++)
		hash = intern_mix(hash, s->addresses->sets[i]);
	for (size_t i = 0; i < s->addresses->n_prefixes; i++) {
		const struct prefix *p = &s->addresses->prefixes[i];

		hash = intern_mix(hash, p->addr.half[0]);
		hash = intern_mix(hash, p->addr.half[1]);
		hash = intern_mix(hash, (uint64_t)p->ip_version << 8 | p->len);
	}
	return hash;
}

/* Whether two matches name the same sets, prefixes and groups in the same order. */
static bool same_addresses(const struct address_match *a, const struct address_match *b)
{
	if (a->n_sets != b->n_sets || a->n_prefixes != b->n_prefixes || a->groups != b->groups)
		return false;
	for (size_t i = 0; i < a->n_sets; i++)
		if (a->sets[i] != b->sets[i])
			return false;
	for (size_t i = 0; i < a->n_prefixes; i++) {
		const struct prefix *p = &a->prefixes[i], *q = &b->prefixes[i];

		if (p->ip_version != q->ip_version || p->len != q->len ||
		    memcmp(&p->addr, &q->addr, sizeof(p->addr)))
			return false;
	}
	return true;
}

/* Interned numbers are those of the first rule that makes the statement. */
static bool same_statement(const void *context, uint32_t item)
{
	const struct statement *a = context;
	struct statement b = statement_of(a->build, a->dimension, a->build->c->items[item].rule);

	if (a->addresses)
		return same_addresses(a->addresses, b.addresses);
	if (a->n_ports != b.n_ports || a->n_types != b.n_types)
		return false;
	for (size_t i = 0; i < a->n_types; i++)
		if (type_key(&a->types[i]) != type_key(&b.types[i]))
			return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].first != b.ports[i].first || a->ports[i].last != b.ports[i].last)
			return false;
	return true;
}

static void add_span(struct list *list, enum space space, uint16_t first, uint16_t last)
{
	list->spans[space][list->n_spans[space]++] = (struct span){{0, first}, {0, last}};
}

/* Ports are of no meaning to ICMP: a rule for all protocols matches every type. */
static int fill_ports(struct build *build, const struct statement *s, struct list *list)
{
	struct port_range range;

	for (enum space space = SPACE_PORT; space <= SPACE_ICMP6; space++) {
		list->spans[space] = malloc((s->n_ports + s->n_types + 1) * sizeof(struct span));
		if (!list->spans[space])
			return tables_out_of_memory(build);
		if (space != SPACE_PORT && s->n_ports)
			add_span(list, space, 0, UINT16_MAX);
	}
	for (size_t i = 0; i < s->n_ports; i++)
		add_span(list, SPACE_PORT, s->ports[i].first, s->ports[i].last);
	for (size_t i = 0; i < s->n_types; i++) {
		if (icmp_type_range(&s->types[i], IP_VERSION_4, &range))
			add_span(list, SPACE_ICMP4, range.first, range.last);
		if (icmp_type_range(&s->types[i], IP_VERSION_6, &range))
			add_span(list, SPACE_ICMP6, range.first, range.last);
	}
	finish_list(list);
	return 0;
}

/* Append an empty list to a dimension. */
static int list_new(struct build *build, struct dimension *d, struct list **list)
{
	if (d->n_lists == d->lists_cap) {
		size_t cap = d->lists_cap ? d->lists_cap * 2 : 64;
		struct list *lists = realloc(d->lists, cap * sizeof(*lists));

		if (!lists)
			return tables_out_of_memory(build);
		d->lists = lists;
		d->lists_cap = cap;
	}
	*list = &d->lists[d->n_lists++];
	**list = (struct list){0};
	return 0;
}

/* Append the list of a statement to its dimension. */
static int add_list(struct build *build, const struct statement *s)
{
	struct dimension *d = &build->dimensions[s->dimension];
	size_t n = s->addresses ? count_prefixes(build, s->addresses) : s->n_ports + s->n_types;
	struct list *list;
	int err;

	if (n > LISTS_SPANS_MAX - d->n_spans)
		return error_set(
			build->error, E2BIG,
			"the rules are too large: their lists expand to more than %u ranges",
			LISTS_SPANS_MAX);
	d->n_spans += n;
	err = list_new(build, d, &list);
	if (err)
		return err;
	return s->addresses ? fill_addresses(build, s->addresses, n, list)
			    : fill_ports(build, s, list);
}

static bool is_unrestricted(const struct statement *s, const struct policy_rule *rule)
{
	if (s->addresses)
		return s->addresses->any;
	return !s->n_types && (!s->n_ports || !protocol_has_ports(rule->protocol));
}

/* The list of one rule in one dimension. */
static int intern_statement(struct build *build, uint32_t index, enum classify_dimension dimension)
{
	struct dimension *d = &build->dimensions[dimension];
	struct item *item = &build->c->items[index];
	struct statement s = statement_of(build, dimension, item->rule);
	uint64_t hash;
	uint32_t same;
	int err;

	item->list[dimension] = LIST_ANY;
	if (is_unrestricted(&s, item->rule))
		return 0;
	hash = statement_hash(&s);
	same = intern_find(&d->list_table, hash, same_statement, &s);
	if (same != INTERN_NONE) {
		item->list[dimension] = build->c->items[same].list[dimension];
		return 0;
	}
	item->list[dimension] = d->n_lists;
	err = add_list(build, &s);
	if (err)
		return err;
	return intern_add(&d->list_table, hash, index) ? tables_out_of_memory(build) : 0;
}

/* ---- scopes and protocols ---- */

/* In which scopes a rule can match. */
static uint8_t rule_scopes(const struct item *item)
{
	const struct address_match *to = &item->rule->destination;
	uint8_t scopes = 0;

	if (item->acl == ACL_ROUTE)
		return 1 << CLASSIFY_ROUTED;
	if (to->any || to->n_prefixes || to->n_sets)
		scopes |= 1 << CLASSIFY_LOCAL;
	if (to->groups & GROUP_BROADCAST)
		scopes |= 1 << CLASSIFY_BROADCAST;
	if (to->groups & GROUP_MULTICAST)
		scopes |= 1 << CLASSIFY_MULTICAST;
	return scopes;
}

struct protocol_lookup {
	const struct dimension *dimension;
	struct list wanted;
};

static bool same_protocol(const void *context, uint32_t index)
{
	const struct protocol_lookup *lookup = context;
	const struct list *list = &lookup->dimension->lists[index];

	return list->protocol == lookup->wanted.protocol && list->scopes == lookup->wanted.scopes &&
	       list->families == lookup->wanted.families;
}

/* The list of one rule whose families are known. */
static int intern_protocol(struct build *build, struct item *item)
{
	struct dimension *d = &build->dimensions[CLASSIFY_PROTOCOL];
	struct protocol_lookup lookup = {
		.dimension = d,
		.wanted = {.families = item->families,
			   .scopes = rule_scopes(item),
			   .protocol = item->rule->protocol},
	};
	uint64_t hash = intern_mix(build->seed[0], (uint64_t)lookup.wanted.protocol << 16 |
							   lookup.wanted.scopes << 8 |
							   lookup.wanted.families);
	uint32_t number = intern_find(&d->list_table, hash, same_protocol, &lookup);
	struct list *list;
	int err;

	if (number == INTERN_NONE) {
		number = d->n_lists;
		err = list_new(build, d, &list);
		if (err)
			return err;
		*list = lookup.wanted;
		if (intern_add(&d->list_table, hash, number))
			return tables_out_of_memory(build);
	}
	item->list[CLASSIFY_PROTOCOL] = number;
	return 0;
}

/**
 * lists_protocol_matches() - Whether rules of a protocol list match a protocol
 * @list: of CLASSIFY_PROTOCOL, not LIST_ANY
 * @scope: of the packet
 * @family: SPACE_IPV4 or SPACE_IPV6
 * @l4_proto: protocol number of the packet
 */
bool lists_protocol_matches(const struct list *list, enum classify_scope scope, enum space family,
			    uint8_t l4_proto)
{
	if (!(list->scopes >> scope & 1) || !(list->families >> family & 1))
		return false;
	if (list->protocol == PROTOCOL_ALL)
		return true;
	if (list->protocol == PROTOCOL_ICMP)
		return l4_proto == (family == SPACE_IPV4 ? 1 : 58);
	return l4_proto == list->protocol;
}

/* ---- all of it ---- */

/* Families that a rule can match, and whether its addresses restrict anything in them. */
static int restrict_families(struct build *build, struct item *item)
{
	item->families = FAMILY_IPV4 | FAMILY_IPV6;
	for (int d = CLASSIFY_SOURCE; d <= CLASSIFY_DESTINATION; d++)
		if (item->list[d] != LIST_ANY)
			item->families &= build->dimensions[d].lists[item->list[d]].families;
	for (int d = CLASSIFY_SOURCE; d <= CLASSIFY_DESTINATION; d++) {
		const struct list *list = &build->dimensions[d].lists[item->list[d]];

		if (item->list[d] != LIST_ANY && !(item->families & ~list->any))
			item->list[d] = LIST_ANY;
	}
	return intern_protocol(build, item);
}

static int start_lists(struct build *build)
{
	struct list *list;
	int err = 0;

	for (int d = 0; !err && d < CLASSIFY_DIMENSIONS; d++)
		err = list_new(build, &build->dimensions[d], &list);
	return err;
}

/* Which rules each list of a dimension has, in ascending order. */
static int gather_members(struct build *build, enum classify_dimension dimension)
{
	struct dimension *d = &build->dimensions[dimension];
	const struct classifier *c = build->c;
	uint32_t *start;

	start = calloc(d->n_lists + 2, sizeof(*start));
	d->member_start = start;
	d->members = malloc((c->n_items + 1) * sizeof(*d->members));
	if (!start || !d->members)
		return tables_out_of_memory(build);
	for (size_t i = 0; i < c->n_items; i++)
		start[c->items[i].list[dimension] + 2]++;
	for (size_t i = 2; i < d->n_lists + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < c->n_items; i++)
		d->members[start[c->items[i].list[dimension] + 1]++] = i;
	return 0;
}

/**
 * lists_make() - Fill in the lists of every rule and every dimension
 * @build: has its rules in order
 *
 * Return: 0, -ENOMEM, or -E2BIG if lists expand beyond LISTS_SPANS_MAX.
 */
int lists_make(struct build *build)
{
	int err = start_lists(build);

	for (uint32_t i = 0; !err && i < build->c->n_items; i++) {
		for (int d = CLASSIFY_SOURCE; !err && d < CLASSIFY_PROTOCOL; d++)
			err = intern_statement(build, i, d);
	}
	/* Only now: interned lists are found by the rule that brought them. */
	for (size_t i = 0; !err && i < build->c->n_items; i++)
		err = restrict_families(build, &build->c->items[i]);
	for (int d = 0; !err && d < CLASSIFY_DIMENSIONS; d++)
		err = gather_members(build, d);
	return err;
}

/**
 * lists_free() - Release the lists and classes of all dimensions
 * @build: may be at any step
 */
void lists_free(struct build *build)
{
	for (int i = 0; i < CLASSIFY_DIMENSIONS; i++) {
		struct dimension *d = &build->dimensions[i];

		for (size_t j = 0; j < d->n_lists; j++)
			for (int space = 0; space < SPACES; space++)
				free(d->lists[j].spans[space]);
		free(d->lists);
		free(d->member_start);
		free(d->members);
		intern_free(&d->list_table);
		partition_free(d);
	}
}
