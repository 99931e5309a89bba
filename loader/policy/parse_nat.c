/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Address and port translation.
 */
#include "policy/parse_nat.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "masquerade.h"
#include "nat.h"

/* An address of a translation and where it stands. */
static int parse_addr(const struct yaml_doc *doc, const struct yaml_node *node, union addr *addr,
		      uint8_t *ip_version, struct error *error)
{
	int err;

	err = yaml_expect(doc, node, YAML_SCALAR, "an address", error);
	if (err)
		return err;
	if (addr_parse(node->text, addr, ip_version, error))
		return yaml_locate(doc, node->position, error);
	return 0;
}

static const struct yaml_field one_to_one_fields[] = {
	{"original", NULL, 0},
	{"translated", NULL, 0},
};

/* Read a pair of nat.one_to_one. */
static int parse_one_to_one(const struct yaml_doc *doc, const struct yaml_node *node,
			    struct nat_one_to_one *pair, struct error *error)
{
	const struct yaml_reader in = {.doc = doc, .error = error};
	uint8_t original_version, translated_version;
	int err;

	pair->position = node->position;
	err = yaml_read_fields(&in, node, one_to_one_fields, 2, pair);
	if (!err)
		err = yaml_require(doc, node, "original", error);
	if (!err)
		err = yaml_require(doc, node, "translated", error);
	if (!err)
		err = parse_addr(doc, yaml_get(node, "original"), &pair->original,
				 &original_version, error);
	if (!err)
		err = parse_addr(doc, yaml_get(node, "translated"), &pair->translated,
				 &translated_version, error);
	if (err)
		return err;
	if (original_version != translated_version)
		return yaml_error(doc, yaml_get(node, "translated")->position, error,
				  "mixed families: an IPv4 address translates to an IPv4 address, "
				  "IPv6 to IPv6");
	pair->ip_version = original_version;
	return 0;
}

/* Refuses the second list item with a key; @keys are the items' keys in their order. */
static int refuse_duplicate(const struct yaml_doc *doc, const struct yaml_node *list,
			    struct keyed *keys, const char *what, struct error *error)
{
	const struct yaml_node *item = list->first;
	const struct keyed *duplicate;
	size_t i;

	keyed_sort(keys, list->n_children);
	duplicate = keyed_duplicate(keys, list->n_children);
	if (!duplicate)
		return 0;
	for (i = 0; i < duplicate->index; i++)
		item = item->next;
	return yaml_error(doc, item->position, error, "duplicate %s", what);
}

/* Refuse pairs that share an address. */
static int check_one_to_one(const struct yaml_doc *doc, const struct yaml_node *node,
			    const struct policy *policy, struct error *error)
{
	const struct nat_one_to_one *pairs = policy->one_to_one;
	struct keyed *keys;
	size_t i;
	int err;

	keys = calloc(policy->n_one_to_one, sizeof(*keys));
	if (!keys)
		return parse_no_memory(error);
	for (i = 0; i < policy->n_one_to_one; i++)
		keys[i] = (struct keyed){&pairs[i].original, sizeof(union addr), i};
	err = refuse_duplicate(doc, node, keys, "original address", error);
	for (i = 0; i < policy->n_one_to_one; i++)
		keys[i] = (struct keyed){&pairs[i].translated, sizeof(union addr), i};
	if (!err)
		err = refuse_duplicate(doc, node, keys, "translated address", error);
	free(keys);
	return err;
}

/* Read nat.one_to_one. */
static int parse_one_to_ones(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy *policy = ((struct parse *)in->context)->policy;
	const struct yaml_node *child;
	int err;

	(void)to;
	err = yaml_expect(in->doc, node, YAML_SEQUENCE, NULL, in->error);
	if (err || node->n_children == 0)
		return err;
	policy->one_to_one = calloc(node->n_children, sizeof(*policy->one_to_one));
	if (!policy->one_to_one)
		return parse_no_memory(in->error);
	for (child = node->first; child; child = child->next) {
		err = parse_one_to_one(in->doc, child, &policy->one_to_one[policy->n_one_to_one++],
				       in->error);
		err = yaml_go_on(in->doc, in->error, err);
		if (err)
			return err;
	}
	if (yaml_n_errors(in->doc))
		return 0; /* values may be missing */
	return check_one_to_one(in->doc, node, policy, in->error);
}

/* Read the protocol of a port translation. */
static int parse_nat_protocol(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
#define NAME(id, name, number)	 [PORT_PROTOCOL_##id] = #name,
#define NUMBER(id, name, number) [PORT_PROTOCOL_##id] = number,
	static const char *const names[] = {[PORT_PROTOCOL_MAX] = NULL, PORT_PROTOCOLS(NAME)};
	static const uint8_t numbers[] = {PORT_PROTOCOLS(NUMBER)};
#undef NAME
#undef NUMBER
	uint8_t *l4_proto = to;
	unsigned int choice;
	int err;

	err = yaml_read_choice(in->doc, node, names, &choice, in->error);
	if (!err)
		*l4_proto = numbers[choice];
	return err;
}

/* Read a port of a port translation. */
static int parse_nat_port(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	uint16_t *port = to;
	uint64_t number;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "a port", in->error);
	if (err)
		return err;
	if (number_parse(node->text, 1, UINT16_MAX, &number, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	*port = (uint16_t)number;
	return 0;
}

static int parse_nat_address(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct nat_port_rule *rule = to;

	return parse_addr(in->doc, node, &rule->addr, &rule->ip_version, in->error);
}

static const struct yaml_field nat_port_fields[] = {
	{"protocol", parse_nat_protocol, offsetof(struct nat_port_rule, l4_proto)},
	{"port", parse_nat_port, offsetof(struct nat_port_rule, port)},
	{"to", parse_nat_port, offsetof(struct nat_port_rule, to)},
	{"address", parse_nat_address, 0},
};

/* Refuse translations of a list that share a port. */
static int check_nat_ports(const struct yaml_doc *doc, const struct yaml_node *node,
			   const struct nat_port_rule *rules, struct error *error)
{
	struct nat_port_key *values;
	struct keyed *keys;
	size_t i;
	int err;

	keys = calloc(node->n_children, sizeof(*keys));
	values = calloc(node->n_children, sizeof(*values));
	if (!keys || !values) {
		err = parse_no_memory(error);
		goto out;
	}
	for (i = 0; i < node->n_children; i++) {
		values[i].addr = rules[i].addr;
		values[i].port = rules[i].port;
		values[i].l4_proto = rules[i].l4_proto;
		keys[i] = (struct keyed){&values[i], sizeof(values[i]), i};
	}
	err = refuse_duplicate(doc, node, keys, "address, protocol and port", error);
out:
	free(values);
	free(keys);
	return err;
}

/* Read a translation of a port. */
static int parse_nat_rule(const struct yaml_reader *in, const struct yaml_node *node,
			  struct nat_port_rule *rule)
{
	static const char *const required[] = {"protocol", "port", "to"};
	const size_t n_fields = sizeof(nat_port_fields) / sizeof(nat_port_fields[0]);
	int err;

	rule->position = node->position;
	err = yaml_read_fields(in, node, nat_port_fields, n_fields, rule);
	for (size_t i = 0; !err && i < sizeof(required) / sizeof(required[0]); i++)
		err = yaml_require(in->doc, node, required[i], in->error);
	return err;
}

/* Of the translations behind the first @n_known keep those whose port none of these has. */
static void keep_unknown(struct policy *policy, size_t n_known)
{
	size_t n = n_known;

	for (size_t i = n_known; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *rule = &policy->nat_port[i];
		size_t j = 0;

		while (j < n_known && (policy->nat_port[j].port != rule->port ||
				       policy->nat_port[j].l4_proto != rule->l4_proto))
			j++;
		if (j == n_known)
			policy->nat_port[n++] = *rule;
	}
	policy->n_nat_port = n;
}

/* Read nat.port, behind what is there already, which counts. */
static int parse_nat_ports(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy *policy = ((struct parse *)in->context)->policy;
	size_t n_known = policy->n_nat_port;
	const struct yaml_node *child;
	struct nat_port_rule *rules;
	int err;

	(void)to;
	err = yaml_expect(in->doc, node, YAML_SEQUENCE, NULL, in->error);
	if (err || node->n_children == 0)
		return err;
	rules = reallocarray(policy->nat_port, n_known + node->n_children, sizeof(*rules));
	if (!rules)
		return parse_no_memory(in->error);
	memset(rules + n_known, 0, node->n_children * sizeof(*rules));
	policy->nat_port = rules;
	for (child = node->first; child && !err; child = child->next)
		err = yaml_go_on(in->doc, in->error,
				 parse_nat_rule(in, child, &rules[policy->n_nat_port++]));
	if (!err && !yaml_n_errors(in->doc)) /* else values may be missing */
		err = check_nat_ports(in->doc, node, rules + n_known, in->error);
	if (!err)
		keep_unknown(policy, n_known);
	return err;
}

/* Whether the value is the word "auto". */
static bool is_auto(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && !strcmp(node->text, "auto");
}

/* Read nat.uplinks. */
static int parse_uplinks(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_uplinks *uplinks = &((struct parse *)in->context)->policy->uplinks;
	const struct yaml_node *child;
	size_t n = yaml_list_count(node);
	int err;

	(void)to;
	if (is_auto(node))
		return 0;
	err = yaml_expect(in->doc, node, YAML_SEQUENCE, "auto or a list of interfaces", in->error);
	if (err)
		return err;
	if (!n || n > UPLINKS_MAX)
		return yaml_error(in->doc, node->position, in->error,
				  "from 1 to %d uplinks can be named", UPLINKS_MAX);
	uplinks->names = calloc(n, sizeof(*uplinks->names));
	if (!uplinks->names)
		return parse_no_memory(in->error);
	for (child = yaml_list_first(node); child; child = yaml_list_next(node, child)) {
		err = yaml_expect(in->doc, child, YAML_SCALAR, "an interface", in->error);
		if (err)
			return err;
		if (!*child->text || strlen(child->text) >= POLICY_IFNAME_SIZE)
			return yaml_error(in->doc, child->position, in->error,
					  "'%.64s' is not an interface name", child->text);
		strcpy(uplinks->names[uplinks->n_names++], child->text);
	}
	return 0;
}

/* Read nat.source. */
static int parse_source(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_uplinks *uplinks = &((struct parse *)in->context)->policy->uplinks;
	uint8_t ip_version;
	union addr addr;
	int err;

	(void)to;
	if (is_auto(node))
		return 0;
	err = parse_addr(in->doc, node, &addr, &ip_version, in->error);
	if (!err)
		uplinks->source[ip_version == IP_VERSION_6] = addr;
	return err;
}

/* Read nat.port_range. */
static int parse_port_range(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_uplinks *uplinks = &((struct parse *)in->context)->policy->uplinks;
	int err;

	(void)to;
	if (is_auto(node))
		return 0;
	err = yaml_expect(in->doc, node, YAML_SCALAR, "auto, or a range of ports", in->error);
	if (err)
		return err;
	if (port_range_parse(node->text, &uplinks->ports, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	if (uplinks->ports.first < 1024)
		return yaml_error(in->doc, node->position, in->error,
				  "ports below 1024 are not for flows of peers");
	return 0;
}

/**
 * parse_nat() - Read the value of nat; the context is a struct parse
 */
int parse_nat(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {
		{"one_to_one", parse_one_to_ones, 0}, {"port", parse_nat_ports, 0},
		{"uplinks", parse_uplinks, 0},	      {"source", parse_source, 0},
		{"port_range", parse_port_range, 0},
	};

	return yaml_read_fields(in, node, fields, sizeof(fields) / sizeof(fields[0]), to);
}

/**
 * parse_part_nat() - Read the value of nat in NetBird's part; the context is a struct parse
 */
int parse_part_nat(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const struct yaml_field fields[] = {{"port", parse_nat_ports, 0}};

	return yaml_read_fields(in, node, fields, 1, to);
}
