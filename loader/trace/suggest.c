/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trace/suggest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

enum field {
	FIELD_PORT,
	FIELD_SOURCE,
	FIELD_DESTINATION,
	FIELDS,
	FIELD_NONE = FIELDS,
};

/* Distinct values, ascending; ports are in the last half word. */
struct values {
	union addr *list;
	size_t n;
};

/* What packets of a rule have in common. */
struct common {
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t acl;
	uint8_t group;
};

/* Packets that have each value of a field with each value of the others. */
struct cluster {
	struct values field[FIELDS];
	uint64_t packets;
	uint64_t first_ns;
	uint64_t last_ns;
	size_t kinds;
	struct common common;
};

static int compare_values(const struct values *a, const struct values *b)
{
	int order = (a->n > b->n) - (a->n < b->n);

	return order ? order : memcmp(a->list, b->list, a->n * sizeof(*a->list));
}

/* Order clusters by all but one field. */
static int compare_others(const struct cluster *a, const struct cluster *b, enum field but)
{
	int order = memcmp(&a->common, &b->common, sizeof(a->common));

	for (enum field field = 0; field < FIELDS && !order; field++)
		if (field != but)
			order = compare_values(&a->field[field], &b->field[field]);
	return order;
}

static int by_others(const void *a, const void *b, void *but)
{
	return compare_others(a, b, *(enum field *)but);
}

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(union addr));
}

static int by_packets(const void *a, const void *b)
{
	const struct cluster *x = a, *y = b;
	int order = (x->packets < y->packets) - (x->packets > y->packets);

	return order ? order : compare_others(x, y, FIELD_NONE);
}

static void cluster_free(struct cluster *cluster)
{
	for (enum field field = 0; field < FIELDS; field++)
		free(cluster->field[field].list);
}

/* The cluster of one kind of packet. */
static int cluster_of(const struct suggest_packet *packet, struct cluster *cluster)
{
	static const union addr none;
	const union addr port = {.word[3] = htonl(packet->port)};
	const union addr *const values[FIELDS] = {
		[FIELD_PORT] = &port,
		[FIELD_SOURCE] = &packet->source,
		[FIELD_DESTINATION] = packet->group ? &none : &packet->destination,
	};

	*cluster = (struct cluster){
		.packets = packet->packets,
		.first_ns = packet->first_ns,
		.last_ns = packet->last_ns,
		.kinds = 1,
		.common = {packet->ip_version, packet->l4_proto, packet->acl, packet->group},
	};
	for (enum field field = 0; field < FIELDS; field++) {
		union addr *list = malloc(sizeof(*list));

		if (!list)
			return -ENOMEM;
		*list = *values[field];
		cluster->field[field] = (struct values){list, 1};
	}
	return 0;
}

/* Put clusters that differ in a field, if in any, into the first of them. */
static int unite(struct cluster *clusters, size_t n, enum field field)
{
	struct values *to = field == FIELD_NONE ? NULL : &clusters->field[field];
	size_t n_values = 0;
	union addr *list;

	for (size_t i = 0; i < n && to; i++)
		n_values += clusters[i].field[field].n;
	list = to ? realloc(to->list, n_values * sizeof(*list)) : NULL;
	if (to && !list)
		return -ENOMEM;
	if (to)
		to->list = list;
	for (size_t i = 1; i < n; i++) {
		const struct cluster *from = &clusters[i];

		if (to)
			memcpy(to->list + to->n, from->field[field].list,
			       from->field[field].n * sizeof(*list));
		if (to)
			to->n += from->field[field].n;
		clusters->packets += from->packets;
		clusters->kinds += from->kinds;
		if (from->first_ns < clusters->first_ns)
			clusters->first_ns = from->first_ns;
		if (from->last_ns > clusters->last_ns)
			clusters->last_ns = from->last_ns;
	}
	if (to)
		qsort(to->list, to->n, sizeof(*to->list), by_value);
	return 0;
}

/*
 * Unite what differs in one field only; with FIELD_NONE, what does not differ.  On failure all
 * clusters are still there, to be freed.
 */
static int merge(struct cluster *clusters, size_t *n, enum field field)
{
	size_t merged = 0, end;
	int err = 0;

	qsort_r(clusters, *n, sizeof(*clusters), by_others, &field);
	for (size_t i = 0; i < *n; i = end) {
		for (end = i + 1; end < *n && !compare_others(&clusters[i], &clusters[end], field);)
			end++;
		if (!err && end - i > 1)
			err = unite(&clusters[i], end - i, field);
		for (size_t k = i + 1; k < end; k++)
			cluster_free(&clusters[k]);
		clusters[merged++] = clusters[i];
	}
	*n = merged;
	return err;
}

/* Unite clusters until no two differ in one field only. */
static int merge_all(struct cluster *clusters, size_t *n)
{
	int err = merge(clusters, n, FIELD_NONE);
	size_t before = *n + 1;

	while (!err && *n < before) {
		before = *n;
		for (enum field field = 0; field < FIELDS && !err; field++)
			err = merge(clusters, n, field);
	}
	return err;
}

/* The largest prefix that begins at the first of some addresses, and of which all are there. */
static size_t leading_prefix(const union addr *list, size_t n, uint8_t ip_version,
			     struct prefix *prefix)
{
	size_t count = 1;

	*prefix = (struct prefix){*list, ip_version, prefix_bits(ip_version)};
	while (prefix->len && 2 * count <= n) {
		struct prefix wider = *prefix;

		prefix_truncate(&wider, prefix->len - 1);
		if (memcmp(&wider.addr, list, sizeof(*list)) ||
		    !prefix_contains_addr(&wider, &list[2 * count - 1], ip_version))
			break;
		*prefix = wider;
		count *= 2;
	}
	return count;
}

static int set_addresses(const struct cluster *cluster, const struct values *values,
			 struct address_match *match)
{
	match->prefixes = calloc(values->n, sizeof(*match->prefixes));
	if (!match->prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < values->n;)
		i += leading_prefix(&values->list[i], values->n - i, cluster->common.ip_version,
				    &match->prefixes[match->n_prefixes++]);
	return 0;
}

static uint16_t port_at(const struct values *values, size_t i)
{
	return (uint16_t)ntohl(values->list[i].word[3]);
}

/* Ports next to each other become a range. */
static int set_ports(const struct values *values, struct policy_rule *rule)
{
	struct port_range *list = calloc(values->n, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < values->n; i++) {
		uint16_t port = port_at(values, i);

		if (n && list[n - 1].last + 1 == port)
			list[n - 1].last = port;
		else
			list[n++] = (struct port_range){port, port};
	}
	rule->destination_ports = list;
	rule->n_destination_ports = n;
	return 0;
}

static int set_types(const struct values *values, struct policy_rule *rule)
{
	rule->icmp_types = calloc(values->n, sizeof(*rule->icmp_types));
	if (!rule->icmp_types)
		return -ENOMEM;
	for (size_t i = 0; i < values->n; i++) {
		uint16_t port = port_at(values, i);

		rule->icmp_types[i] = (struct icmp_type){
			.families = FAMILY_BOTH,
			.number = {port >> 8, port >> 8},
			.code = port & 0xff,
		};
	}
	rule->n_icmp_types = values->n;
	return 0;
}

/* Make the rule of a cluster. */
static int make_rule(const struct cluster *cluster, struct suggestion *suggestion)
{
	const struct common *common = &cluster->common;
	bool is_icmp = l4_is_icmp(common->l4_proto, common->ip_version);
	struct policy_rule *rule = &suggestion->rule;
	int err;

	*suggestion = (struct suggestion){
		.rule = {.destination.groups = common->group,
			 .protocol = is_icmp ? PROTOCOL_ICMP : common->l4_proto,
			 .allow = true},
		.acl = common->acl,
		.packets = cluster->packets,
		.first_ns = cluster->first_ns,
		.last_ns = cluster->last_ns,
		.kinds = cluster->kinds,
	};
	err = set_addresses(cluster, &cluster->field[FIELD_SOURCE], &rule->source);
	if (!err && !common->group)
		err = set_addresses(cluster, &cluster->field[FIELD_DESTINATION],
				    &rule->destination);
	if (!err && is_icmp)
		err = set_types(&cluster->field[FIELD_PORT], rule);
	else if (!err && l4_has_ports(common->l4_proto))
		err = set_ports(&cluster->field[FIELD_PORT], rule);
	return err;
}

/* Make the rules of all clusters. */
static int make_rules(const struct cluster *clusters, size_t n, struct suggestions *suggestions)
{
	int err = 0;

	suggestions->list = calloc(n + 1, sizeof(*suggestions->list));
	if (!suggestions->list)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = make_rule(&clusters[i], &suggestions->list[suggestions->n++]);
	return err;
}

/**
 * suggest_rules() - The rules that allow packets, and no others
 * @packets: the packets, some of them perhaps of the same kind
 * @n: of them
 * @suggestions: is filled, for suggestions_free() also on failure
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int suggest_rules(const struct suggest_packet *packets, size_t n, struct suggestions *suggestions,
		  struct error *error)
{
	struct cluster *clusters = calloc(n + 1, sizeof(*clusters));
	size_t n_clusters = 0;
	int err = clusters ? 0 : -ENOMEM;

	*suggestions = (struct suggestions){.n = 0};
	while (!err && n_clusters < n) {
		err = cluster_of(&packets[n_clusters], &clusters[n_clusters]);
		n_clusters++;
	}
	if (!err)
		err = merge_all(clusters, &n_clusters);
	if (!err) {
		qsort(clusters, n_clusters, sizeof(*clusters), by_packets);
		err = make_rules(clusters, n_clusters, suggestions);
	}
	for (size_t i = 0; i < n_clusters; i++)
		cluster_free(&clusters[i]);
	free(clusters);
	return err ? error_no_memory(error) : 0;
}

/**
 * suggestions_free() - Free what suggest_rules() has made
 */
void suggestions_free(struct suggestions *suggestions)
{
	for (size_t i = 0; i < suggestions->n; i++) {
		struct policy_rule *rule = &suggestions->list[i].rule;

		free(rule->source.prefixes);
		free(rule->destination.prefixes);
		free(rule->destination_ports);
		free(rule->icmp_types);
	}
	free(suggestions->list);
	*suggestions = (struct suggestions){.n = 0};
}
