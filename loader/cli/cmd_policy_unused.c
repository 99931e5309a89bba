/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy unused: what nothing needs any more.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "base/table.h"
#include "base/value.h"
#include "cli/cmd_policy.h"
#include "dataplane/attached.h"
#include "review/unused.h"

#define N_COLUMNS 5

enum { OPTION_SINCE = OPTION_COMMAND };

/* What was asked. */
struct asked {
	const char *ifname;
	uint64_t since_ns; /* a duration; 0: since hits are counted */
	bool json;
};

static json_t *time_json(uint64_t time_ns)
{
	char time[OUTPUT_TIME_LEN];

	return time_ns ? json_string(output_time(time, time_ns)) : json_null();
}

/* The rules without hits since a point in time, and those that others cover. */
static json_t *rules_json(const struct unused *unused, uint64_t since_ns)
{
	json_t *list = json_array();

	for (size_t i = 0; i < unused->n; i++) {
		const struct unused_rule *one = &unused->rules[i];

		if (!unused_is(one, since_ns))
			continue;
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:I,s:o,s:o,s:b,s:s?}", "rule",
						one->rule->id, "acl", acl_name(one->acl), "packets",
						(json_int_t)one->packets, "last_hit",
						time_json(one->last_hit_ns), "counted_since",
						time_json(one->counted_ns), "counted_long_enough",
						one->counted_ns <= since_ns || !since_ns,
						"never_reached", one->why));
	}
	return list;
}

static json_t *empty_sets_json(const struct policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < policy->n_sets; i++)
		if (!policy->sets[i].n_prefixes)
			json_array_append_new(list, json_string(policy->sets[i].name));
	return list;
}

/* "2026-11-28 10:02": seconds do not matter here */
static const char *minutes(const json_t *time, const char *none, char text[OUTPUT_TIME_LEN])
{
	if (!json_is_string(time))
		return none;
	snprintf(text, OUTPUT_TIME_LEN, "%.10s %.5sZ", json_string_value(time),
		 json_string_value(time) + strlen("2026-11-28T"));
	return text;
}

/* Print the rules as a table. */
static int print_rules(const json_t *rules, struct error *error)
{
	static const struct table_column columns[N_COLUMNS] = {
		{"ACL", 0, NULL},	    {"ID", TABLE_WRAP, NULL},  {"LAST HIT", 0, NULL},
		{"COUNTED SINCE", 0, NULL}, {"WHY", TABLE_WRAP, NULL},
	};
	struct table *table = table_new(columns, N_COLUMNS, stdout);
	const json_t *rule;
	int err = table ? 0 : -ENOMEM;
	size_t i;

	json_array_foreach (rules, i, rule) {
		char last[OUTPUT_TIME_LEN], since[OUTPUT_TIME_LEN];
		const char *why = json_string_value(json_object_get(rule, "never_reached"));
		const char *acl = json_string_value(json_object_get(rule, "acl"));
		const char *const cells[N_COLUMNS] = {
			acl,
			json_string_value(json_object_get(rule, "rule")),
			minutes(json_object_get(rule, "last_hit"), "never", last),
			minutes(json_object_get(rule, "counted_since"), "", since),
			why ? why
			: json_is_true(json_object_get(rule, "counted_long_enough"))
				? "no hits"
				: "no hits, but not counted for that long",
		};

		if (!err)
			err = table_row(table, cells);
	}
	err = err ? error_no_memory(error) : table_print(table, error);
	table_free(table);
	return err;
}

static int print_text(const json_t *object, struct error *error)
{
	const json_t *rules = json_object_get(object, "rules"), *set;
	const json_t *sets = json_object_get(object, "empty_sets");
	char since[OUTPUT_TIME_LEN];
	int err = json_array_size(rules) ? print_rules(rules, error) : 0;
	size_t i;

	json_array_foreach (sets, i, set)
		printf("set %s has no members\n", json_string_value(set));
	if (!err && !json_array_size(rules) && !json_array_size(sets))
		puts("nothing: every rule has hits");
	if (json_is_false(json_object_get(object, "counted_long_enough")))
		fprintf(stderr, "shrike: warning: hits are counted since %s, and not for longer\n",
			minutes(json_object_get(object, "counted_since"), "", since));
	return err ? err : output_flush(stdout, error);
}

/* Print what is unused of a policy. */
static int print(const struct asked *asked, const struct attached *attached,
		 const struct policy *policy, const struct unused *unused, struct error *error)
{
	uint64_t now_ns = clock_ns(CLOCK_REALTIME), since_ns = 0;
	json_t *object;
	int err;

	if (asked->since_ns)
		since_ns = now_ns - asked->since_ns;
	object = json_pack(
		"{s:o,s:I,s:o,s:o,s:b,s:o,s:o}", "interface", output_json_text(asked->ifname),
		"generation", (json_int_t)attached->instance.config.generation, "since",
		time_json(since_ns), "counted_since", time_json(unused->counted_ns),
		"counted_long_enough", !since_ns || unused->counted_ns <= since_ns, "rules",
		rules_json(unused, since_ns), "empty_sets", empty_sets_json(policy));
	if (!object)
		return error_no_memory(error);
	if (asked->json)
		return output_json(object, stdout, error);
	err = print_text(object, error);
	json_decref(object);
	return err;
}

/* Look at the policy in force, and print what is unused. */
static int find(const struct asked *asked, int ifindex, struct error *error)
{
	struct policy *policy = NULL;
	struct unused unused = {};
	struct attached attached;
	int err = attached_open(ifindex, &attached, error);

	if (err)
		return error_prefix(error, "%s", asked->ifname);
	err = attached_policy(&attached, &policy, error);
	if (!err)
		err = unused_find(asked->ifname, &attached, policy, &unused, error);
	if (!err)
		err = print(asked, &attached, policy, &unused, error);
	unused_free(&unused);
	policy_free(policy);
	attached_close(&attached);
	return err;
}

/**
 * policy_command_unused() - shrike policy unused
 */
int policy_command_unused(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"since", required_argument, NULL, OPTION_SINCE},
		COMMON_LONG_OPTIONS,
		{},
	};
	char name[IF_NAMESIZE];
	struct asked asked = {.ifname = name};
	struct error error;
	int option, ifindex, err;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == OPTION_SINCE && since_parse(optarg, &asked.since_ns, &error))
			return command_fail(&error);
		asked.json |= option == 'j';
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	err = policy_command_interface(argv[optind], name, &ifindex, &error);
	if (!err)
		err = find(&asked, ifindex, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
