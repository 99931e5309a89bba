/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Both sides are made into the JSON values that `policy show` prints, and these are compared: text
 * is made from the result, so that it cannot differ from -j.
 */
#include "review/diff.h"

#include <errno.h>
#include <string.h>

#include "base/keyed.h"
#include "base/names.h"
#include "base/output.h"
#include "policy/rule_json.h"

/* ---- values ---- */

/* Items of @list that @other does not have, as a list; items are strings or integers. */
static json_t *list_without(const json_t *list, const json_t *other)
{
	json_t *known = json_object(), *left = json_array();
	char key[32];
	size_t i;
	json_t *item;

	for (int pass = 0; pass < 2; pass++) {
		json_array_foreach (pass ? (json_t *)list : (json_t *)other, i, item) {
			const char *text = json_string_value(item);

			if (!text) {
				snprintf(key, sizeof(key), "%lld",
					 (long long)json_integer_value(item));
				text = key;
			}
			if (!pass)
				json_object_set_new(known, text, json_true());
			else if (!json_object_get(known, text))
				json_array_append(left, item);
		}
	}
	json_decref(known);
	return left;
}

/* How a value changes: lists by their items. */
static json_t *change(const json_t *old_side, const json_t *new_side)
{
	bool lists = (json_is_array(old_side) || !old_side) &&
		     (json_is_array(new_side) || !new_side);

	if (old_side && new_side && lists)
		return json_pack("{s:o,s:o}", "added", list_without(new_side, old_side), "removed",
				 list_without(old_side, new_side));
	return json_pack("{s:O?,s:O?}", "old", old_side, "new", new_side);
}

/* Lists are unordered: addresses, ports, prefixes. */
static bool is_nothing(const json_t *how)
{
	const json_t *added = json_object_get(how, "added");

	return added && !json_array_size(added) &&
	       !json_array_size(json_object_get(how, "removed"));
}

/* Changes by key between two objects; an empty object where they are equal. */
static json_t *changes(const json_t *old_side, const json_t *new_side)
{
	json_t *all = json_object(), *value, *other, *how;
	const char *key;

	json_object_foreach ((json_t *)old_side, key, value) {
		other = json_object_get(new_side, key);
		how = other && json_equal(value, other) ? NULL : change(value, other);
		if (how && !is_nothing(how))
			json_object_set(all, key, how);
		json_decref(how);
	}
	json_object_foreach ((json_t *)new_side, key, value)
		if (!json_object_get(old_side, key))
			json_object_set_new(all, key, change(NULL, value));
	return all;
}

/* ---- rules ---- */

/* Every rule of a policy by its id. */
struct rule_index {
	const struct policy *policy;
	struct keyed *items;
	size_t n;
};

static const struct policy_rule *rule_at(const struct policy *policy, size_t index, enum acl *acl)
{
	*acl = index < policy->acl[ACL_PEER].n_rules ? ACL_PEER : ACL_ROUTE;
	if (*acl == ACL_ROUTE)
		index -= policy->acl[ACL_PEER].n_rules;
	return &policy->acl[*acl].rules[index];
}

/* Index the rules of a policy by id. */
static int index_rules(struct rule_index *index, const struct policy *policy)
{
	enum acl acl;

	index->policy = policy;
	index->n = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	index->items = calloc(index->n + 1, sizeof(*index->items));
	if (!index->items)
		return -ENOMEM;
	for (size_t i = 0; i < index->n; i++) {
		const char *id = rule_at(policy, i, &acl)->id;

		index->items[i] = (struct keyed){.key = id, .len = strlen(id), .index = i};
	}
	keyed_sort(index->items, index->n);
	return 0;
}

static json_t *rule_object(const struct policy *policy, size_t index)
{
	enum acl acl;
	const struct policy_rule *rule = rule_at(policy, index, &acl);
	json_t *object = policy_rule_json(policy, rule, acl);

	json_object_set_new(object, "acl", json_string(acl_name(acl)));
	return object;
}

/* Rules of @of that @other has not. */
static json_t *rules_without(const struct policy *of, const struct rule_index *other)
{
	size_t n = of->acl[ACL_PEER].n_rules + of->acl[ACL_ROUTE].n_rules;
	json_t *list = json_array();
	enum acl acl;

	for (size_t i = 0; i < n; i++) {
		const char *id = rule_at(of, i, &acl)->id;

		if (!keyed_find(other->items, other->n, id, strlen(id)))
			json_array_append_new(list, rule_object(of, i));
	}
	return list;
}

/* Rules that both have; noting where the order of evaluation is another one. */
static json_t *rules_changed(const struct rule_index *old_side, const struct policy *new_side,
			     json_t *reordered)
{
	size_t n = new_side->acl[ACL_PEER].n_rules + new_side->acl[ACL_ROUTE].n_rules;
	size_t last[ACL_MAX][2] = {};
	bool listed[ACL_MAX][2] = {};
	json_t *list = json_array();
	enum acl acl, old_acl;

	for (size_t i = 0; i < n; i++) {
		const struct policy_rule *rule = rule_at(new_side, i, &acl), *before;
		const struct keyed *found = keyed_find(old_side->items, old_side->n, rule->id,
						       strlen(rule->id));
		json_t *a, *b, *differ;

		if (!found)
			continue;
		before = rule_at(old_side->policy, found->index, &old_acl);
		if (old_acl == acl && before->allow == rule->allow) {
			if (found->index + 1 < last[acl][rule->allow] &&
			    !listed[acl][rule->allow]) {
				listed[acl][rule->allow] = true;
				json_array_append_new(reordered,
						      json_pack("{s:s,s:s}", "acl", acl_name(acl),
								"first", rule->id));
			}
			last[acl][rule->allow] = found->index + 1;
		}
		a = rule_object(old_side->policy, found->index);
		b = rule_object(new_side, i);
		differ = changes(a, b);
		if (json_object_size(differ))
			json_array_append_new(list,
					      json_pack("{s:s,s:s,s:O}", "id", rule->id, "acl",
							acl_name(acl), "changes", differ));
		json_decref(a);
		json_decref(b);
		json_decref(differ);
	}
	return list;
}

/* Compare the rules by their ids. */
static int diff_rules(const struct policy *old_side, const struct policy *new_side, json_t **rules,
		      struct error *error)
{
	struct rule_index of_old = {}, of_new = {};
	json_t *reordered = json_array();
	int err = index_rules(&of_old, old_side);

	if (!err)
		err = index_rules(&of_new, new_side);
	if (!err)
		*rules = json_pack("{s:o,s:o,s:o,s:O}", "added", rules_without(new_side, &of_old),
				   "removed", rules_without(old_side, &of_new), "changed",
				   rules_changed(&of_old, new_side, reordered), "reordered",
				   reordered);
	json_decref(reordered);
	free(of_old.items);
	free(of_new.items);
	return err || !*rules ? error_no_memory(error) : 0;
}

/* ---- settings ---- */

/* The address and port translations of a policy as a list of texts. */
static json_t *translations(const struct policy *policy)
{
	json_t *list = json_array();
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *rule = &policy->nat_port[i];
		const char *addr = rule->ip_version ? addr_format(&rule->addr, rule->ip_version, a,
								  sizeof(a))
						    : "any";

		json_array_append_new(list, json_sprintf("%s %s port %u to %u",
							 port_protocol_name(rule->l4_proto), addr,
							 rule->port, rule->to));
	}
	for (size_t i = 0; i < policy->n_one_to_one; i++) {
		const struct nat_one_to_one *pair = &policy->one_to_one[i];

		json_array_append_new(
			list,
			json_sprintf(
				"%s as %s",
				addr_format(&pair->original, pair->ip_version, a, sizeof(a)),
				addr_format(&pair->translated, pair->ip_version, b, sizeof(b))));
	}
	return list;
}

static void add_mode(json_t *settings, json_t *mode)
{
	const char *key;
	char name[64];
	json_t *value;

	json_object_foreach (mode, key, value) {
		snprintf(name, sizeof(name), "mode.%s", key);
		json_object_set(settings, name, value);
	}
	json_decref(mode);
}

/* The settings of a policy as one object. */
static json_t *settings_of(const struct policy_side *side)
{
	const struct policy *policy = side->policy;
	json_t *all = json_object();

	add_mode(all, side->config ? policy_mode_json(side->config)
				   : policy_asked_mode_json(&policy->mode));
#define ADD(name, value)     json_object_set_new(all, name, value);
#define LIMIT(name, entries) ADD("limits." #name, json_integer(policy->limits.name))
	POLICY_LIMITS(LIMIT)
#define SIZE_LIMIT(name, mebibytes) LIMIT(name, )
	POLICY_SIZE_LIMITS(SIZE_LIMIT)
#define SWITCH(name, value) ADD(#name, json_boolean(policy->name))
	POLICY_SWITCHES(SWITCH)
	ADD("nat", translations(policy))
#define TIMEOUT(name, seconds, what)                                                               \
	ADD("timeouts." #name, output_real(policy->timeouts.name / NS_PER_MS / 1e3))
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
#undef SWITCH
#undef SIZE_LIMIT
#undef LIMIT
#undef ADD
	return all;
}

/* changes() of two new objects, which are released. */
static json_t *changes_of(json_t *old_side, json_t *new_side)
{
	json_t *all = changes(old_side, new_side);

	json_decref(old_side);
	json_decref(new_side);
	return all;
}

/**
 * policy_diff() - Compare two policies
 * @before: the one in force, or a first one
 * @after: the other one
 * @diff: set to an object: "rules" (lists "added", "removed", "changed", "reordered"), "sets" and
 *	"settings" (changes by name)
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int policy_diff(const struct policy_side *before, const struct policy_side *after, json_t **diff,
		struct error *error)
{
	json_t *rules = NULL;
	int err = diff_rules(before->policy, after->policy, &rules, error);

	if (err)
		return err;
	*diff = json_pack("{s:o,s:o,s:o}", "rules", rules, "sets",
			  changes_of(policy_elements_json(before->policy),
				     policy_elements_json(after->policy)),
			  "settings", changes_of(settings_of(before), settings_of(after)));
	return *diff ? 0 : error_no_memory(error);
}

/**
 * policy_diff_is_empty() - Whether the policies say the same
 * @diff: of policy_diff()
 */
bool policy_diff_is_empty(const json_t *diff)
{
	const char *key;
	json_t *list;

	json_object_foreach (json_object_get(diff, "rules"), key, list)
		if (json_array_size(list))
			return false;
	return !json_object_size(json_object_get(diff, "sets")) &&
	       !json_object_size(json_object_get(diff, "settings"));
}

/* ---- text ---- */

/* Print a value of JSON as text. */
static void print_value(const json_t *value, FILE *file)
{
	char cell[512];

	if (!value || json_is_array(value)) {
		policy_join(value, cell, sizeof(cell));
		fputs(cell, file);
	} else if (json_is_string(value)) {
		fputs(json_string_value(value), file);
	} else if (json_is_real(value)) {
		fprintf(file, "%g s", json_real_value(value));
	} else {
		json_dumpf(value, file, JSON_ENCODE_ANY);
	}
}

/* Print how a value changes. */
static void print_change(const json_t *how, FILE *file)
{
	const json_t *added = json_object_get(how, "added");
	const json_t *removed = json_object_get(how, "removed");
	const json_t *old_side = json_object_get(how, "old"),
		     *new_side = json_object_get(how, "new");

	if (!added) {
		print_value(json_is_null(old_side) ? NULL : old_side, file);
		fputs(" -> ", file);
		print_value(json_is_null(new_side) ? NULL : new_side, file);
		return;
	}
	if (json_array_size(added)) {
		fputc('+', file);
		print_value(added, file);
	}
	if (json_array_size(removed)) {
		fputs(json_array_size(added) ? " -" : "-", file);
		print_value(removed, file);
	}
}

/* Print rules that one policy alone has. */
static void print_rules(const json_t *rules, char sign, FILE *file)
{
	json_t *rule, *value;
	const char *key;
	size_t i;

	json_array_foreach ((json_t *)rules, i, rule) {
		fprintf(file, "%c %s %s:", sign, json_string_value(json_object_get(rule, "acl")),
			json_string_value(json_object_get(rule, "id")));
		json_object_foreach (rule, key, value) {
			if (!strcmp(key, "acl") || !strcmp(key, "id"))
				continue;
			fprintf(file, " %s ", key);
			print_value(value, file);
		}
		fputc('\n', file);
	}
}

/* What a rule's parts, separated by commas, have become. */
static void print_parts(const json_t *by_key, FILE *file)
{
	const char *key, *separator = "";
	json_t *how;

	json_object_foreach ((json_t *)by_key, key, how) {
		fprintf(file, "%s%s ", separator, key);
		print_change(how, file);
		separator = ", ";
	}
	fputc('\n', file);
}

/* A line for each; what comes or goes as a whole has no other side. */
static void print_lines(const json_t *by_key, const char *what, FILE *file)
{
	const char *key;
	json_t *how;

	json_object_foreach ((json_t *)by_key, key, how) {
		const json_t *old_side = json_object_get(how, "old"),
			     *new_side = json_object_get(how, "new");
		bool added = json_is_null(old_side), removed = json_is_null(new_side);

		fprintf(file, "%c %s%s: ", added ? '+' : removed ? '-' : '~', what, key);
		if (added || removed)
			print_value(added ? new_side : old_side, file);
		else
			print_change(how, file);
		fputc('\n', file);
	}
}

/**
 * policy_diff_print() - What policy_diff() has found as lines that begin with +, - or ~
 * @diff: the object
 * @file: where to
 *
 * Return: how many differences there are.
 */
size_t policy_diff_print(const json_t *diff, FILE *file)
{
	const json_t *rules = json_object_get(diff, "rules");
	const json_t *sets = json_object_get(diff, "sets");
	const json_t *settings = json_object_get(diff, "settings");
	const json_t *removed = json_object_get(rules, "removed");
	const json_t *added = json_object_get(rules, "added");
	json_t *changed = json_object_get(rules, "changed");
	json_t *reordered = json_object_get(rules, "reordered"), *item;
	size_t i;

	print_rules(removed, '-', file);
	print_rules(added, '+', file);
	json_array_foreach (changed, i, item) {
		fprintf(file, "~ %s %s: ", json_string_value(json_object_get(item, "acl")),
			json_string_value(json_object_get(item, "id")));
		print_parts(json_object_get(item, "changes"), file);
	}
	json_array_foreach (reordered, i, item)
		fprintf(file, "~ %s: rules are in another order, first %s\n",
			json_string_value(json_object_get(item, "acl")),
			json_string_value(json_object_get(item, "first")));
	print_lines(sets, "set ", file);
	print_lines(settings, "", file);
	return json_array_size(removed) + json_array_size(added) + json_array_size(changed) +
	       json_array_size(reordered) + json_object_size(sets) + json_object_size(settings);
}
