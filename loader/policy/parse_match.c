/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a rule matches: addresses, ports, ICMP types, protocol.
 */
#include "policy/parse_match.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "policy/icmp_type.h"
#include "policy/parse_names.h"
#include "policy/set_element.h"

#define SET_REFERENCE "set:"
#define SET_NETBIRDS  "nb-" /* what NetBird calls its own sets begins so */
#define WHAT_STANDS   "an address, a prefix, any or set:NAME"
#define WITH_GROUPS   "an address, a prefix, any, set:NAME, broadcast or multicast"

static int expect_word(const struct yaml_doc *doc, const struct yaml_node *node, const char *what,
		       struct error *error)
{
	return yaml_expect(doc, node, YAML_SCALAR, what, error);
}

/* Adds the set that is named after "set:"; the array has room. */
static int match_add_set(const struct yaml_reader *in, const struct yaml_node *item,
			 struct address_match *match, size_t room)
{
	const struct parse *parse = in->context;
	const char *name = item->text + strlen(SET_REFERENCE);
	const struct keyed *found;
	int err = -ENOENT;

	found = keyed_find(parse->set_names, parse->policy->n_sets, name, strlen(name));
	if (!found && !strncmp(name, SET_NETBIRDS, strlen(SET_NETBIRDS)))
		err = parse_missing(in, item, item->text, name);
	if (!found && err == -ENOENT)
		return yaml_error(in->doc, item->position, in->error, "unknown set '%.80s'", name);
	if (!found) {
		match->is_netbirds = true;
		return err;
	}
	if (!match->sets) {
		match->sets = calloc(room, sizeof(*match->sets));
		if (!match->sets)
			return parse_no_memory(in->error);
	}
	match->sets[match->n_sets++] = found->index;
	return 0;
}

/* The group that a word names; 0 for every other word. */
static uint8_t group_of(const char *word)
{
	if (strcmp(word, "broadcast") == 0)
		return GROUP_BROADCAST;
	return strcmp(word, "multicast") == 0 ? GROUP_MULTICAST : 0;
}

/*
 * Say what is wrong with a word of a list of addresses: who has mistyped a name, broadcast or
 * multicast is told these words; what looks like an address is told what is wrong with it.
 */
static int refuse_word(const struct yaml_reader *in, const struct yaml_node *item)
{
	const struct parse *parse = in->context;

	if (names_is_valid(item->text) && parse->policy->names.n)
		return yaml_error(in->doc, item->position, in->error,
				  "unknown name '%.80s', which is no address either", item->text);
	if (parse->groups && !strpbrk(item->text, ".:/"))
		return yaml_error(in->doc, item->position, in->error, "'%.80s' is not " WITH_GROUPS,
				  item->text);
	return yaml_locate(in->doc, item->position, in->error);
}

/* How many prefixes and sets a list can come to: a name may have several addresses. */
static size_t match_room(const struct yaml_reader *in, const struct yaml_node *node)
{
	size_t room = yaml_list_count(node), n;
	const struct yaml_node *item;

	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item))
		if (item->kind == YAML_SCALAR && parse_named(in, item, &n) && n)
			room += n - 1;
	return room;
}

/* Add the prefix, or the addresses of the name, that stands in a list; the array has room. */
static int match_add_prefixes(const struct yaml_reader *in, const struct yaml_node *item,
			      struct address_match *match)
{
	size_t n;
	const struct name_address *named = parse_named(in, item, &n);
	struct prefix *to = &match->prefixes[match->n_prefixes];

	if (!named && prefix_parse(item->text, to, in->error)) {
		int err = parse_missing(in, item, item->text, item->text);

		match->is_netbirds |= !err;
		return err == -ENOENT ? refuse_word(in, item) : err;
	}
	match->is_netbirds |= parse_is_netbirds(in, named);
	for (size_t i = 0; i < n; i++)
		to[i] = names_prefix(&named[i]);
	match->n_prefixes += named ? n : 1;
	return 0;
}

/* Add an item of a list of addresses; the arrays have room. */
static int match_add(const struct yaml_reader *in, const struct yaml_node *item,
		     struct address_match *match, size_t room)
{
	const struct parse *parse = in->context;
	int err;

	err = expect_word(in->doc, item, parse->groups ? WITH_GROUPS : WHAT_STANDS, in->error);
	if (err)
		return err;
	if (strcmp(item->text, "any") == 0) {
		match->any = true;
		return 0;
	}
	if (group_of(item->text) && !parse->groups)
		return yaml_error(in->doc, item->position, in->error,
				  "%s is a destination of peer_acl only", item->text);
	match->groups |= group_of(item->text);
	if (group_of(item->text))
		return 0;
	if (strncmp(item->text, SET_REFERENCE, strlen(SET_REFERENCE)) == 0)
		return match_add_set(in, item, match, room);
	if (!match->prefixes) {
		match->prefixes = calloc(room, sizeof(*match->prefixes));
		if (!match->prefixes)
			return parse_no_memory(in->error);
	}
	return match_add_prefixes(in, item, match);
}

/**
 * parse_match() - Read a list of addresses; @to is a struct address_match
 */
int parse_match(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct address_match *match = to;
	const struct yaml_node *item;
	size_t room;
	int err;

	err = yaml_expect(in->doc, node, YAML_SEQUENCE, "a list of addresses", in->error);
	if (err)
		return err;
	match->any = false; /* which it is where the key is missing */
	room = match_room(in, node);
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		err = yaml_go_on(in->doc, in->error, match_add(in, item, match, room));
		if (err)
			return err;
	}
	return 0;
}

/**
 * parse_destination() - Read the value of destination; @to is a struct address_match
 */
int parse_destination(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct parse *parse = in->context;
	int err;

	parse->groups = parse->acl == ACL_PEER;
	err = parse_match(in, node, to);
	parse->groups = false;
	return err;
}

/* Add an element to a set, which has room for @room of them. */
static int add_element(struct prefix_set *set, const struct set_element *element, size_t room)
{
	if (element->timeout_ns && !set->times) {
		set->times = calloc(room, sizeof(*set->times));
		if (!set->times)
			return -ENOMEM;
	}
	if (set->times)
		set->times[set->n_prefixes].timeout_ns = element->timeout_ns;
	set->prefixes[set->n_prefixes++] = element->prefix;
	return 0;
}

/**
 * parse_prefixes() - Read the prefixes of a named set
 * @doc: for positions
 * @node: the value
 * @set: gets the prefixes
 * @error: what is wrong and where
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int parse_prefixes(const struct yaml_doc *doc, const struct yaml_node *node, struct prefix_set *set,
		   struct error *error)
{
	size_t room = yaml_list_count(node);
	const struct yaml_node *item;
	struct set_element element;
	int err;

	err = yaml_expect(doc, node, YAML_SEQUENCE, "a list of addresses and prefixes", error);
	if (err || room == 0)
		return err;
	set->prefixes = calloc(room, sizeof(*set->prefixes));
	if (!set->prefixes)
		return parse_no_memory(error);
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		err = expect_word(doc, item, "an address or prefix", error);
		if (!err && set_element_parse(item->text, &element, error))
			err = yaml_locate(doc, item->position, error);
		if (!err && add_element(set, &element, room))
			return parse_no_memory(error);
		err = yaml_go_on(doc, error, err);
		if (err)
			return err;
	}
	return 0;
}

/* Read a list of ports and ranges. */
static int parse_ports(const struct yaml_doc *doc, const struct yaml_node *node,
		       struct port_range **ranges, size_t *n, struct error *error)
{
	const struct yaml_node *item;
	int err;

	err = yaml_expect(doc, node, YAML_SEQUENCE, "a list of ports", error);
	if (err)
		return err;
	if (yaml_list_count(node) == 0)
		return yaml_error(doc, node->position, error,
				  "empty list of ports; leave the key out for any port");
	*ranges = calloc(yaml_list_count(node), sizeof(**ranges));
	if (!*ranges)
		return parse_no_memory(error);
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		err = expect_word(doc, item, "a port or a range of ports", error);
		if (!err && ports_parse(item->text, &(*ranges)[*n], error))
			err = yaml_locate(doc, item->position, error);
		if (!err)
			++*n;
		err = yaml_go_on(doc, error, err);
		if (err)
			return err;
	}
	return 0;
}

/**
 * parse_source_ports() - Read the value of source_ports; @to is a struct policy_rule
 */
int parse_source_ports(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_rule *rule = to;

	return parse_ports(in->doc, node, &rule->source_ports, &rule->n_source_ports, in->error);
}

/**
 * parse_destination_ports() - Read the value of destination_ports; @to is a struct policy_rule
 */
int parse_destination_ports(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_rule *rule = to;

	return parse_ports(in->doc, node, &rule->destination_ports, &rule->n_destination_ports,
			   in->error);
}

/**
 * parse_icmp_types() - Read the value of icmp_types; @to is a struct policy_rule
 */
int parse_icmp_types(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	struct policy_rule *rule = to;
	const struct yaml_node *item;
	int err;

	err = yaml_expect(in->doc, node, YAML_SEQUENCE, "a list of ICMP types", in->error);
	if (err)
		return err;
	if (yaml_list_count(node) == 0)
		return yaml_error(in->doc, node->position, in->error,
				  "empty list of ICMP types; leave the key out for any type");
	rule->icmp_types = calloc(yaml_list_count(node), sizeof(*rule->icmp_types));
	if (!rule->icmp_types)
		return parse_no_memory(in->error);
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		err = expect_word(in->doc, item, "an ICMP type", in->error);
		if (!err &&
		    icmp_type_parse(item->text, &rule->icmp_types[rule->n_icmp_types], in->error))
			err = yaml_locate(in->doc, item->position, in->error);
		if (!err)
			rule->n_icmp_types++;
		err = yaml_go_on(in->doc, in->error, err);
		if (err)
			return err;
	}
	return 0;
}

/**
 * parse_protocol() - Read the protocol of a rule; @to is an uint16_t
 */
int parse_protocol(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	int err;

	err = expect_word(in->doc, node, "a protocol", in->error);
	if (err)
		return err;
	if (protocol_parse(node->text, to, in->error))
		return yaml_locate(in->doc, node->position, in->error);
	return 0;
}

/* Families that a match can ever mean; what sets and NetBird's names stand for may change: both. */
static unsigned int match_families(const struct address_match *match)
{
	bool both = match->any || match->n_sets || match->is_netbirds ||
		    match->groups & GROUP_MULTICAST;
	unsigned int families = both ? FAMILY_BOTH : 0;
	size_t i;

	if (match->groups & GROUP_BROADCAST)
		families |= FAMILY_4;
	for (i = 0; i < match->n_prefixes && families != FAMILY_BOTH; i++)
		families |= match->prefixes[i].ip_version == IP_VERSION_4 ? FAMILY_4 : FAMILY_6;
	return families;
}

static unsigned int icmp_families(const struct policy_rule *rule)
{
	unsigned int families = 0;

	for (size_t i = 0; i < rule->n_icmp_types; i++)
		families |= rule->icmp_types[i].families;
	return families;
}

/* Refuse ICMP types of a family that the rule's addresses rule out. */
static int check_icmp_types(const struct yaml_doc *doc, const struct yaml_node *node,
			    const struct policy_rule *rule, struct error *error)
{
	const struct yaml_node *types = yaml_get(node, "icmp_types");
	unsigned int families = icmp_families(rule);
	unsigned int source = match_families(&rule->source);
	unsigned int destination = match_families(&rule->destination);

	if (!rule->n_icmp_types)
		return 0;
	if (rule->protocol != PROTOCOL_ICMP)
		return yaml_error(doc, types->key_position, error,
				  "icmp_types without protocol: icmp, which is ICMPv6, too");
	if ((source && !(source & families)) || (destination && !(destination & families)))
		return yaml_error(doc, types->position, error,
				  "mixed families: no ICMP type is one of the addresses' family");
	return 0;
}

/**
 * parse_check_match() - Check that the parts of a rule fit each other
 * @doc: for positions
 * @node: the rule's mapping
 * @rule: the rule as it was read
 * @error: set where ports or ICMP types are given to a protocol that has none, or where sources,
 *	   destinations and types have no family in common
 *
 * Return: 0 or -EINVAL.
 */
int parse_check_match(const struct yaml_doc *doc, const struct yaml_node *node,
		      const struct policy_rule *rule, struct error *error)
{
	const char *ports_key = rule->n_source_ports ? "source_ports" : "destination_ports";
	unsigned int source = match_families(&rule->source);
	unsigned int destination = match_families(&rule->destination);

	if ((rule->n_source_ports || rule->n_destination_ports) &&
	    !protocol_has_ports(rule->protocol))
		return yaml_error(doc, yaml_get(node, ports_key)->key_position, error,
				  "%s with a protocol that has no ports", ports_key);
	if (source && destination && !(source & destination))
		return yaml_error(doc, yaml_get(node, "destination")->position, error,
				  "mixed families: no source has the family of a destination");
	return check_icmp_types(doc, node, rule, error);
}
