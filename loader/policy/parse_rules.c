/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules and the named sets they refer to.
 */
#include "policy/parse_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/include.h"
#include "policy/parse_match.h"

#define NETBIRD_IDS	"nb/" /* how the ids of NetBird's rules begin */
#define DESCRIPTION_MAX 256   /* bytes */

static int make_room(struct policy *policy, struct parse *parse, size_t more)
{
	size_t n = policy->n_sets + more;
	struct prefix_set *sets = reallocarray(policy->sets, n, sizeof(*sets));
	struct keyed *names = reallocarray(parse->set_names, n, sizeof(*names));

	policy->sets = sets ? sets : policy->sets;
	parse->set_names = names ? names : parse->set_names;
	if (!sets || !names)
		return -ENOMEM;
	memset(sets + policy->n_sets, 0, more * sizeof(*sets));
	return 0;
}

/* Whether a set of that name is among the first @n, which may be wrong. */
static int find_set(const struct yaml_doc *doc, const struct yaml_node *node,
		    const struct parse *parse, size_t n, struct error *error)
{
	const struct keyed *known =
		n ? keyed_find(parse->set_names, n, node->key, strlen(node->key)) : NULL;
	struct position at;
	const char *path;

	if (!known || !parse->is_unique)
		return known ? 1 : 0;
	at = parse->policy->sets[known->index].position;
	path = yaml_path(doc, &at);
	return yaml_error(doc, node->key_position, error,
			  "duplicate set '%.80s', which %.200s:%u has", node->key, path, at.line);
}

/**
 * parse_sets() - Read the sets, which rules before and after them refer to
 * @doc: for positions
 * @node: the value of the key "sets"
 * @parse: gets the sets, behind those that it has, and their index by name
 * @error: what is wrong and where
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int parse_sets(const struct yaml_doc *doc, const struct yaml_node *node, struct parse *parse,
	       struct error *error)
{
	struct policy *policy = parse->policy;
	size_t n_own = policy->n_sets;
	const struct yaml_node *child;
	struct prefix_set *set;
	int err;

	err = yaml_expect(doc, node, YAML_MAPPING, NULL, error);
	if (err || node->n_children == 0)
		return err;
	if (make_room(policy, parse, node->n_children))
		return parse_no_memory(error);
	for (child = node->first; child; child = child->next) {
		err = find_set(doc, child, parse, n_own, error);
		if (err > 0)
			continue; /* the user's set stands for that of NetBird's part */
		err = yaml_go_on(doc, error, err);
		if (err)
			return err;
		set = &policy->sets[policy->n_sets];
		set->position = child->key_position;
		parse->set_names[policy->n_sets] = (struct keyed){
			.key = child->key,
			.len = strlen(child->key),
			.index = policy->n_sets,
		};
		policy->n_sets++;
		err = parse_name(&(struct yaml_reader){.doc = doc, .error = error},
				 child->key_position, "set name", child->key, &set->name);
		if (!err)
			err = parse_prefixes(doc, child, set, error);
		err = yaml_go_on(doc, error, err);
		if (err)
			return err;
	}
	keyed_sort(parse->set_names, policy->n_sets);
	return 0;
}

static int parse_id(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	const struct parse *parse = in->context;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "an id", in->error);
	/* or a map that comes might have a rule of the same id, and could not come into force */
	if (!err && parse->expects_netbird && !parse->in_part &&
	    !strncmp(node->text, NETBIRD_IDS, strlen(NETBIRD_IDS)))
		return yaml_error(in->doc, node->position, in->error,
				  "ids that begin with " NETBIRD_IDS
				  " are those of NetBird's rules, "
				  "which is followed");
	return err ? err : parse_name(in, node->position, "id", node->text, to);
}

static int parse_action(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const char *const names[] = {"deny", "allow", NULL};
	bool *allow = to;
	unsigned int choice;
	int err;

	err = yaml_read_choice(in->doc, node, names, &choice, in->error);
	if (!err)
		*allow = choice;
	return err;
}

/* Read what a rule is for, which is shown with it and means nothing else. */
static int parse_description(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	char **description = to;
	int err = yaml_expect(in->doc, node, YAML_SCALAR, "a text", in->error);

	if (err)
		return err;
	if (strlen(node->text) > DESCRIPTION_MAX)
		return yaml_error(in->doc, node->position, in->error,
				  "a description has at most %d bytes", DESCRIPTION_MAX);
	*description = strdup(node->text);
	return *description ? 0 : parse_no_memory(in->error);
}

static const struct yaml_field rule_fields[] = {
	{"id", parse_id, offsetof(struct policy_rule, id)},
	{"description", parse_description, offsetof(struct policy_rule, description)},
	{"action", parse_action, offsetof(struct policy_rule, allow)},
	{"source", parse_match, offsetof(struct policy_rule, source)},
	{"destination", parse_destination, offsetof(struct policy_rule, destination)},
	{"protocol", parse_protocol, offsetof(struct policy_rule, protocol)},
	{"source_ports", parse_source_ports, 0},
	{"destination_ports", parse_destination_ports, 0},
	{"icmp_types", parse_icmp_types, 0},
};

/* Read a rule; what is not given matches everything. */
static int parse_rule(const struct yaml_doc *doc, const struct yaml_node *node,
		      struct policy_rule *rule, struct parse *parse, struct error *error)
{
	size_t n_fields = sizeof(rule_fields) / sizeof(rule_fields[0]);
	const struct yaml_reader in = {doc, parse, error};
	size_t n_errors = yaml_n_errors(doc);
	int err;

	parse->rule = rule;
	rule->position = node->position;
	rule->protocol = PROTOCOL_ALL;
	rule->source.any = true;
	rule->destination.any = true;
	err = yaml_read_fields(&in, node, rule_fields, n_fields, rule);
	if (!err)
		err = yaml_go_on(doc, error, yaml_require(doc, node, "id", error));
	if (!err)
		err = yaml_go_on(doc, error, yaml_require(doc, node, "action", error));
	/* what is wrong by itself can fit nothing else */
	if (!err && yaml_n_errors(doc) == n_errors)
		err = parse_check_match(doc, node, rule, error);
	return err;
}

/* Read rules of an ACL, behind those that it has. */
static int parse_acl(const struct yaml_doc *doc, const struct yaml_node *node, enum acl acl,
		     struct parse *parse, struct error *error)
{
	struct policy_acl *list = &parse->policy->acl[acl];
	size_t n = list->n_rules + node->n_children;
	const struct yaml_node *child;
	struct policy_rule *rules;
	int err;

	err = yaml_expect(doc, node, YAML_SEQUENCE, NULL, error);
	if (err || node->n_children == 0)
		return err;
	rules = reallocarray(list->rules, n, sizeof(*rules));
	if (!rules)
		return parse_no_memory(error);
	memset(rules + list->n_rules, 0, node->n_children * sizeof(*rules));
	list->rules = rules;
	parse->acl = acl;
	for (child = node->first; child; child = child->next) {
		err = parse_rule(doc, child, &list->rules[list->n_rules++], parse, error);
		err = yaml_go_on(doc, error, err);
		if (err)
			return err;
	}
	parse->rule = NULL;
	return 0;
}

/**
 * parse_peer_acl() - Read the rules of peer_acl
 */
int parse_peer_acl(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	(void)to;
	return parse_acl(in->doc, node, ACL_PEER, in->context, in->error);
}

/**
 * parse_route_acl() - Read the rules of route_acl
 */
int parse_route_acl(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	(void)to;
	return parse_acl(in->doc, node, ACL_ROUTE, in->context, in->error);
}

/* Notes the ids of one ACL behind the @n that are there. */
static size_t collect_ids(const struct yaml_node *root, const char *acl_key,
			  const struct yaml_node **places, struct keyed *ids, size_t n)
{
	const struct yaml_node *acl = yaml_get(root, acl_key);
	const struct yaml_node *rule;

	for (rule = acl && acl->kind == YAML_SEQUENCE ? acl->first : NULL; rule;
	     rule = rule->next) {
		places[n] = yaml_get(rule, "id");
		if (!places[n] || places[n]->kind != YAML_SCALAR)
			continue; /* an error that has been told */
		ids[n] = (struct keyed){
			.key = places[n]->text, .len = strlen(places[n]->text), .index = n};
		n++;
	}
	return n;
}

/* Notes the ids of both ACLs of a mapping that has them. */
static size_t collect_both(const struct yaml_node *mapping, const struct yaml_node **places,
			   struct keyed *ids, size_t n)
{
	n = collect_ids(mapping, "peer_acl", places, ids, n);
	return collect_ids(mapping, "route_acl", places, ids, n);
}

/*
 * The ids of the policy's own rules, in the order of evaluation, and from @n_own on of NetBird's;
 * returns how many.
 */
static size_t collect_all_ids(const struct yaml_node *root, const struct yaml_node **places,
			      struct keyed *ids, size_t *n_own)
{
	const struct yaml_node *included = yaml_get(root, INCLUDED_KEY), *file;
	const struct yaml_node *part = yaml_get(root, "netbird");
	size_t n = collect_both(root, places, ids, 0);

	file = included && included->kind == YAML_MAPPING ? included->first : NULL;
	for (; file; file = file->next)
		n = collect_both(file, places, ids, n);
	*n_own = n;
	return part ? collect_both(part, places, ids, n) : n;
}

/* Say where else an id is. */
static int duplicate_error(const struct yaml_doc *doc, const struct yaml_node *first,
			   const struct yaml_node *second, struct error *error)
{
	struct position at = first->position, here = second->position;
	const char *path = yaml_path(doc, &at);

	if (path == yaml_path(doc, &here))
		return yaml_error(doc, second->position, error,
				  "duplicate id '%.80s', which line %u has already", second->text,
				  at.line);
	return yaml_error(doc, second->position, error,
			  "duplicate id '%.80s', which %.200s:%u has already", second->text, path,
			  at.line);
}

/**
 * parse_unique_ids() - Check that no two rules of the policy have the same id
 * @doc: for positions
 * @root: the policy's mapping, already read
 * @policy: what was read from it
 * @error: names the second rule with an id, peer_acl being before route_acl; or the one that has
 *	   an id of NetBird's
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int parse_unique_ids(const struct yaml_doc *doc, const struct yaml_node *root,
		     const struct policy *policy, struct error *error)
{
	size_t n = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	const struct keyed *duplicate, *first;
	const struct yaml_node **places;
	struct keyed *ids;
	size_t n_own;
	int err = 0;

	if (n == 0)
		return 0;
	places = calloc(n, sizeof(*places));
	ids = calloc(n, sizeof(*ids));
	if (!places || !ids) {
		err = parse_no_memory(error);
		goto out;
	}
	n = collect_all_ids(root, places, ids, &n_own);
	keyed_sort(ids, n);
	duplicate = keyed_duplicate(ids, n);
	first = duplicate ? duplicate - 1 : NULL;
	if (duplicate && duplicate->index < n_own)
		err = duplicate_error(doc, places[first->index], places[duplicate->index], error);
	else if (duplicate && first->index < n_own)
		err = yaml_error(doc, places[first->index]->position, error,
				 "duplicate id '%.80s', which a rule of NetBird's has",
				 (const char *)duplicate->key);
	else if (duplicate)
		err = error_input(error, "NetBird's rule '%.80s': duplicate id",
				  (const char *)duplicate->key);
out:
	free(ids);
	free(places);
	return err;
}
