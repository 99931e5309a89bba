/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy in force for people and for programs.  Text is made from the same JSON values that
 * -j prints, so that the two cannot differ.
 */
#include "cli/policy_print.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "base/table.h"
#include "cli/block_print.h"
#include "cli/timed_print.h"
#include "conntrack/event_print.h"
#include "dataplane/confirm.h"
#include "policy/rule_json.h"

#define N_COLUMNS   11
#define DESCRIPTION "description"
#define ORIGIN	    "origin" /* of rules that are not the user's */

static double age_s(uint64_t then_ns)
{
	return (double)((int64_t)(clock_kernel_ns(CLOCK_MONOTONIC) - then_ns) / NS_PER_MS) / 1000;
}

static void add_names(json_t *rule, const char *key, json_t *names)
{
	if (names)
		json_object_set_new(rule, key, names);
}

/* When the rule decided last, and how long ago that was; null: never. */
static void add_last_hit(json_t *rule, const struct rule *hits)
{
	bool has_hit = hits && hits->last_hit_ns;
	char time[OUTPUT_TIME_LEN];

	json_object_set_new(
		rule, "last_hit",
		has_hit ? json_string(output_time(time, hits->last_hit_ns + flow_clock_offset_ns()))
			: json_null());
	json_object_set_new(rule, "last_hit_s",
			    has_hit ? output_real(age_s(hits->last_hit_ns)) : json_null());
}

/* A rule with its hits, and with the names of its addresses. */
static json_t *json_rule(const struct policy_view *view, const struct policy_rule *rule,
			 enum acl acl, const struct rule *hits)
{
	const struct policy *policy = view->policy;
	json_t *object = policy_rule_json(policy, rule, acl);

	if (!view->numeric) {
		add_names(object, "source_names",
			  policy_match_names_json(&policy->names, &rule->source));
		add_names(object, "destination_names",
			  policy_match_names_json(&policy->names, &rule->destination));
	}
	json_object_set_new(object, "hits",
			    json_pack("{s:I,s:I}", "packets",
				      (json_int_t)(hits ? hits->packets : 0), "bytes",
				      (json_int_t)(hits ? hits->bytes : 0)));
	add_last_hit(object, hits);
	return object;
}

static int compare_ids(const void *a, const void *b)
{
	const struct rule_view *x = a, *y = b;

	return strcmp(x->rule.id, y->rule.id);
}

/* The rules of an ACL with their hits. */
static json_t *json_acl(const struct policy_view *view, enum acl acl, const struct rule_view *by_id)
{
	const struct policy *policy = view->policy;
	size_t n = view->n_rules;
	json_t *list = json_array();

	for (size_t i = 0; i < policy->acl[acl].n_rules; i++) {
		const struct policy_rule *rule = &policy->acl[acl].rules[i];
		struct rule_view key = {};
		const struct rule_view *found;
		json_t *object;

		strncpy(key.rule.id, rule->id, RULE_ID_MAX - 1);
		found = n ? bsearch(&key, by_id, n, sizeof(*by_id), compare_ids) : NULL;
		object = json_rule(view, rule, acl, found ? &found->rule : NULL);
		if (policy->has_netbird && i >= policy->acl[acl].n_own)
			json_object_set_new(object, ORIGIN, json_string("netbird"));
		json_array_append_new(list, object);
	}
	return list;
}

/* Seconds that are left to confirm the policy; null: it is there to stay. */
static json_t *json_confirm(const struct undo *undo)
{
	int64_t left_ns = (int64_t)(undo->deadline_ns - confirm_now_ns());

	if (undo->state != UNDO_PENDING)
		return json_null();
	return output_real(left_ns > 0 ? left_ns / NS_PER_MS / 1e3 : 0);
}

/* Where rules go, and how. */
struct rule_table {
	struct table *table;
	bool human; /* -h */
};

/* "tcp", "47", or with ICMP types "icmp:echo-request,3/4" */
static void join_protocol(const json_t *rule, char *cell, size_t size)
{
	const json_t *protocol = json_object_get(rule, "protocol");
	const json_t *types = json_object_get(rule, "icmp_types");
	int len;

	if (json_is_integer(protocol))
		len = snprintf(cell, size, "%lld", (long long)json_integer_value(protocol));
	else
		len = snprintf(cell, size, "%s%s", json_string_value(protocol), types ? ":" : "");
	if (types)
		policy_join(types, cell + len, size - (size_t)len);
}

/* The addresses of a rule as one cell, by their names where they have some. */
static void join_addresses(const json_t *rule, const char *key, char *cell, size_t size)
{
	const json_t *list = json_object_get(rule, key), *item;
	const char *last = "";
	char names_key[32];
	json_t *names, *named;
	size_t i;

	snprintf(names_key, sizeof(names_key), "%s_names", key);
	names = json_object_get(rule, names_key);
	if (!names) {
		policy_join(list, cell, size);
		return;
	}
	named = json_array();
	json_array_foreach (list, i, item) {
		const char *name =
			json_string_value(json_object_get(names, json_string_value(item)));

		if (!name)
			json_array_append(named, (json_t *)item);
		else if (strcmp(name, last)) /* once for all addresses of a name */
			json_array_append_new(named, json_string(name));
		last = name ? name : "";
	}
	policy_join(named, cell, size);
	json_decref(named);
}

/* Add a rule to the table. */
static int add_row(const struct rule_table *rules, const char *acl, const json_t *rule)
{
	char source[256], destination[256], sports[128], dports[128], protocol[192],
		packets[OUTPUT_COUNT_LEN], last[OUTPUT_DURATION_LEN] = "never";
	const json_t *to = json_object_get(rule, "destination");
	const json_t *last_hit = json_object_get(rule, "last_hit_s");
	const json_t *hits = json_object_get(rule, "hits");
	const char *cells[N_COLUMNS];

	join_addresses(rule, "source", source, sizeof(source));
	join_addresses(rule, "destination", destination, sizeof(destination));
	if (!to)
		strcpy(destination, "local");
	policy_join(json_object_get(rule, "source_ports"), sports, sizeof(sports));
	policy_join(json_object_get(rule, "destination_ports"), dports, sizeof(dports));
	join_protocol(rule, protocol, sizeof(protocol));
	output_count(packets, json_integer_value(json_object_get(hits, "packets")), UNIT_PACKETS,
		     rules->human);
	if (json_is_real(last_hit))
		output_duration(last, json_real_value(last_hit) * NS_PER_S);
	cells[0] = acl;
	cells[1] = json_string_value(json_object_get(rule, "action"));
	cells[2] = json_string_value(json_object_get(rule, "id"));
	cells[3] = source;
	cells[4] = destination;
	cells[5] = protocol;
	cells[6] = sports;
	cells[7] = dports;
	cells[8] = packets;
	cells[9] = last;
	cells[10] = json_string_value(json_object_get(rule, DESCRIPTION)) ?: "";
	return table_row(rules->table, cells);
}

/* Add those rules of both ACLs that are NetBird's, or those that are not. */
static int add_rules(const struct rule_table *table, const json_t *policy, bool of_netbird)
{
	static const struct {
		const char *key;
		const char *name;
	} acls[] = {{"peer_acl", "peer"}, {"route_acl", "route"}};
	int err = 0;

	for (int i = 0; i < 2; i++) {
		const json_t *rules = json_object_get(policy, acls[i].key);

		for (size_t r = 0; r < json_array_size(rules) && !err; r++)
			if (json_is_string(json_object_get(json_array_get(rules, r), ORIGIN)) ==
			    of_netbird)
				err = add_row(table, acls[i].name, json_array_get(rules, r));
	}
	return err;
}

/* A line between the rules of the user and those of NetBird. */
static int add_heading(const struct rule_table *rules)
{
	const char *const cells[N_COLUMNS] = {"NetBird:", "", "", "", "", "", "", "", "", "", ""};

	return table_row(rules->table, cells);
}

/* Say so where the policy in force is not what its file says. */
static void print_drift(const json_t *policy, FILE *file)
{
	const char *drift = json_string_value(json_object_get(policy, "file"));
	const char *path = json_string_value(json_object_get(policy, "policy"));

	if (!strcmp(drift, drift_name(DRIFT_DIFFERS)))
		fprintf(file, "not what %s says now: 'shrike policy diff' tells the differences\n",
			path);
	else if (!strcmp(drift, drift_name(DRIFT_UNREADABLE)))
		fprintf(file, "%s cannot be read, so it may say something else\n", path);
}

/* Print the sets as a table behind the rules. */
static int print_sets(const json_t *sets, FILE *file, struct error *error)
{
	static const struct table_column columns[] = {
		{"SET", TABLE_WRAP, NULL},
		{"PREFIXES", TABLE_RIGHT, NULL},
		{"CONTENT", TABLE_WRAP, NULL},
	};
	struct table *table = table_new(columns, 3, file);
	char content[512], count[24];
	json_t *list;
	const char *name;
	int err = table ? 0 : -ENOMEM;

	json_object_foreach ((json_t *)sets, name, list) {
		const char *const cells[] = {name, count, content};

		policy_join(list, content, sizeof(content));
		if (!json_array_size(list))
			strcpy(content, "(empty)");
		snprintf(count, sizeof(count), "%zu", json_array_size(list));
		if (!err)
			err = table_row(table, cells);
	}
	if (err)
		err = error_no_memory(error);
	else if (json_object_size(sets) && fputc('\n', file) != EOF)
		err = table_print(table, error);
	table_free(table);
	return err;
}

/* Whether a rule of either ACL is described. */
static bool has_descriptions(const json_t *policy)
{
	static const char *const acls[] = {"peer_acl", "route_acl"};
	const json_t *rule;
	size_t i;

	for (int acl = 0; acl < 2; acl++)
		json_array_foreach (json_object_get(policy, acls[acl]), i, rule)
			if (json_object_get(rule, DESCRIPTION))
				return true;
	return false;
}

/* Print what the policy is, above its rules. */
static void print_head(const json_t *policy, FILE *file)
{
	long long n_rules = json_integer_value(json_object_get(policy, "rules"));

	fprintf(file, "generation %lld, policy %s, routing %s, %lld rule%s\n",
		(long long)json_integer_value(json_object_get(policy, "generation")),
		json_string_value(json_object_get(policy, "policy")),
		json_string_value(json_object_get(json_object_get(policy, "mode"), "routing")),
		n_rules, n_rules == 1 ? "" : "s");
	if (json_is_real(json_object_get(policy, "confirm_s")))
		fprintf(file, "waits to be confirmed for %.0f s more\n",
			json_real_value(json_object_get(policy, "confirm_s")));
	print_drift(policy, file);
	block_print(json_object_get(policy, "blocked"), "", file);
}

/* Print the rules as a table. */
static int print_rules(const json_t *policy, bool human, FILE *file, struct error *error)
{
	static const struct table_column columns[N_COLUMNS] = {
		{"ACL", 0, NULL},
		{"ACTION", 0, NULL},
		{"ID", TABLE_WRAP, NULL},
		{"SOURCE", TABLE_WRAP, NULL},
		{"DESTINATION", TABLE_WRAP, NULL},
		{"PROTO", TABLE_WRAP, NULL},
		{"SPORTS", TABLE_WRAP | TABLE_OPTIONAL, "any"},
		{"DPORTS", TABLE_WRAP | TABLE_OPTIONAL, "any"},
		{"PACKETS", TABLE_RIGHT, NULL},
		{"LAST HIT", 0, NULL},
		{"DESCRIPTION", TABLE_WRAP, NULL},
	};
	size_t n_columns = has_descriptions(policy) ? N_COLUMNS : N_COLUMNS - 1;
	struct rule_table rules = {table_new(columns, n_columns, file), human};
	int err = rules.table ? 0 : -ENOMEM;

	if (!err)
		err = add_rules(&rules, policy, false);
	if (!err && json_is_true(json_object_get(policy, "netbird")))
		err = add_heading(&rules);
	if (!err)
		err = add_rules(&rules, policy, true);
	if (err)
		err = error_no_memory(error);
	else if (json_integer_value(json_object_get(policy, "rules")))
		err = table_print(rules.table, error);
	table_free(rules.table);
	return err;
}

/* Print the policy as tables below its settings. */
static int print_text(const json_t *policy, const struct policy_view *view, FILE *file,
		      struct error *error)
{
	int err;

	print_head(policy, file);
	err = print_rules(policy, view->human, file, error);
	if (!err)
		err = print_sets(json_object_get(policy, "sets"), file, error);
	return err ? err
		   : timed_print(json_object_get(policy, "timeouts"), view->has_run, file, error);
}

/**
 * policy_print() - Print the policy in force with the hits of its rules
 * @view: the policy
 * @json: as one JSON object, else as a table
 * @file: where to
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int policy_print(const struct policy_view *view, bool json, FILE *file, struct error *error)
{
	const struct policy *policy = view->policy;
	const struct instance *instance = view->instance;
	size_t n_rules = view->n_rules;
	struct rule_view *by_id = malloc((n_rules + 1) * sizeof(*by_id));
	json_t *object;
	int err;

	if (!by_id)
		return error_no_memory(error);
	if (n_rules) {
		memcpy(by_id, view->rules, n_rules * sizeof(*by_id));
		qsort(by_id, n_rules, sizeof(*by_id), compare_ids);
	}
	object = json_pack(
		"{s:o,s:i,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:s,s:o}", "interface",
		output_json_text(view->interface), "generation", instance->config.generation,
		"policy",
		output_json_text(instance->policy_path[0] ? instance->policy_path : "(default)"),
		"confirm_s", json_confirm(view->undo), "rules",
		(json_int_t)(policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules),
		"mode", policy_mode_json(&instance->config), "peer_acl",
		json_acl(view, ACL_PEER, by_id), "route_acl", json_acl(view, ACL_ROUTE, by_id),
		"sets", policy_sets_json(policy), "timeouts", timed_json(policy), "run",
		view->has_run, "netbird", policy->has_netbird, "file", drift_name(view->drift),
		"blocked", block_json(view->blocked, view->numeric ? NULL : &policy->names));
	free(by_id);
	if (!object)
		return error_no_memory(error);
	if (!view->numeric && policy->names.n)
		json_object_set_new(object, "names", policy_names_json(&policy->names));
	if (json)
		return output_json(object, file, error);
	err = print_text(object, view, file, error);
	json_decref(object);
	return err;
}
