/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy history and rollback: the policies that were in force.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/table.h"
#include "base/value.h"
#include "change_record.h"
#include "cli/change_print.h"
#include "cli/cmd_policy.h"
#include "dataplane/history.h"
#include "dataplane/history_maps.h"
#include "follow/follow_status.h"
#include "policy/parse.h"
#include "review/diff.h"
#include "simulate/policy_tests.h"

#define N_COLUMNS     5
#define CAUSE_NETBIRD "netbird"

/* What was in force, and what that has changed. */
struct step {
	struct history_entry entry;
	json_t *diff; /* NULL: nothing is known of what was before */
};

static void step_free(struct step *step)
{
	history_entry_free(&step->entry);
	json_decref(step->diff);
}

/* What differs between two policies of the history; one that is none any more differs in all. */
static int compare(const struct history_entry *old, const struct history_entry *new, json_t **diff,
		   struct error *error)
{
	struct policy *before = NULL, *after = NULL;
	struct error ignored;
	int err = policy_parse(old->path, old->text, old->len, &before, &ignored);

	if (!err)
		err = policy_parse(new->path, new->text, new->len, &after, &ignored);
	*diff = NULL;
	if (!err)
		err = policy_diff(&(struct policy_side){before, NULL},
				  &(struct policy_side){after, NULL}, diff, error);
	policy_free(before);
	policy_free(after);
	return err == -EINVAL ? 0 : err;
}

/* Read a policy of the history, and what has changed with it against that at @before, if any. */
static int read_step(const char *ifname, uint32_t number, uint32_t before, struct step *step,
		     struct error *error)
{
	struct history_entry old;
	int err;

	*step = (struct step){.diff = NULL};
	err = history_read(ifname, number, &step->entry, error);
	if (err || !before)
		return err;
	if (history_read(ifname, before, &old, error))
		return 0; /* nothing is known of it */
	err = compare(&old, &step->entry, &step->diff, error);
	history_entry_free(&old);
	if (err)
		step_free(step);
	return err;
}

static json_t *uid_json(uint32_t uid)
{
	return uid == CHANGE_NO_UID ? json_null() : json_integer(uid);
}

static json_t *step_json(const struct step *step)
{
	const struct history_entry *entry = &step->entry;
	char time[OUTPUT_TIME_LEN];

	return json_pack("{s:I,s:s,s:I,s:s,s:o,s:o,s:o,s:o}", "number", (json_int_t)entry->number,
			 "time", output_time(time, entry->time_ns), "generation",
			 (json_int_t)entry->generation, "cause", entry->cause, "uid",
			 uid_json(entry->uid), "sudo_uid", uid_json(entry->sudo_uid), "policy",
			 entry->path ? output_json_text(entry->path) : json_null(), "changes",
			 step->diff ? json_incref(step->diff) : json_null());
}

static void format_who(const struct history_entry *entry, char *text, size_t size)
{
	int len = 0;

	*text = '\0';
	if (entry->uid != CHANGE_NO_UID)
		len = snprintf(text, size, "uid %u", entry->uid);
	if (entry->sudo_uid != CHANGE_NO_UID)
		snprintf(text + len, size - (size_t)len, "%ssudo of uid %u", len ? ", " : "",
			 entry->sudo_uid);
}

/* "+1 -0 ~2 rules, 1 set, 3 settings" */
static void format_changes(const json_t *diff, char *text, size_t size)
{
	const json_t *rules = json_object_get(diff, "rules");
	size_t sets = json_object_size(json_object_get(diff, "sets"));
	size_t settings = json_object_size(json_object_get(diff, "settings"));
	int len = snprintf(text, size, "+%zu -%zu ~%zu rules",
			   json_array_size(json_object_get(rules, "added")),
			   json_array_size(json_object_get(rules, "removed")),
			   json_array_size(json_object_get(rules, "changed")));

	if (sets)
		len += snprintf(text + len, size - (size_t)len, ", %zu set%s", sets,
				sets == 1 ? "" : "s");
	if (settings)
		snprintf(text + len, size - (size_t)len, ", %zu setting%s", settings,
			 settings == 1 ? "" : "s");
}

/* Where steps go: to a list of JSON, NULL: to a table. */
struct listing {
	json_t *json;
	struct table *table;
};

static int add_row(struct table *table, const struct step *step)
{
	char number[16], time[OUTPUT_TIME_LEN], who[64], changes[96] = "";
	const char *const cells[N_COLUMNS] = {number, time, who, step->entry.cause, changes};

	snprintf(number, sizeof(number), "%u", step->entry.number);
	output_time(time, step->entry.time_ns);
	format_who(&step->entry, who, sizeof(who));
	if (step->diff)
		format_changes(step->diff, changes, sizeof(changes));
	return table_row(table, cells);
}

static json_t *count_json(uint32_t count)
{
	return count == CHANGE_NO_COUNT ? json_null() : json_integer(count);
}

/* A map of NetBird's as a step of the history, which has no number, as it cannot be gone back to. */
static json_t *map_json(const struct history_map *map)
{
	char time[OUTPUT_TIME_LEN];

	return json_pack("{s:n,s:s,s:I,s:s,s:n,s:n,s:n,s:n,s:I,s:o,s:o,s:o}", "number", "time",
			 output_time(time, map->time_ns), "generation", (json_int_t)map->generation,
			 "cause", CAUSE_NETBIRD, "uid", "sudo_uid", "policy", "changes", "serial",
			 (json_int_t)map->serial, "rules_added", count_json(map->rules_added),
			 "rules_removed", count_json(map->rules_removed), "connections_cut",
			 count_json(map->cut));
}

static int add_map_row(struct table *table, const struct history_map *map)
{
	char time[OUTPUT_TIME_LEN], cause[48], changes[64] = "";
	const char *const cells[N_COLUMNS] = {"", time, "", cause, changes};

	output_time(time, map->time_ns);
	snprintf(cause, sizeof(cause), CAUSE_NETBIRD " serial %llu",
		 (unsigned long long)map->serial);
	if (map->rules_added != CHANGE_NO_COUNT)
		snprintf(changes, sizeof(changes), "+%u -%u rules", map->rules_added,
			 map->rules_removed);
	return table_row(table, cells);
}

/* NetBird's maps, of which those before @at have been added. */
struct maps {
	struct history_map *list;
	size_t n;
	size_t at;
};

/* Add the maps that came before a point in time. */
static int add_maps(const struct listing *listing, struct maps *maps, uint64_t before_ns,
		    struct error *error)
{
	int err = 0;

	for (; !err && maps->at < maps->n && maps->list[maps->at].time_ns < before_ns; maps->at++) {
		const struct history_map *map = &maps->list[maps->at];

		err = listing->json ? json_array_append_new(listing->json, map_json(map))
				    : add_map_row(listing->table, map);
	}
	return err ? error_no_memory(error) : 0;
}

/* Add a policy, and the maps that came before it. */
static int add_step(const struct listing *listing, const struct step *step, struct maps *maps,
		    struct error *error)
{
	int err = add_maps(listing, maps, step->entry.time_ns, error);

	if (!err)
		err = listing->json ? json_array_append_new(listing->json, step_json(step))
				    : add_row(listing->table, step);
	return err ? error_no_memory(error) : 0;
}

/* Add all steps, the oldest first. */
static int add_steps(const char *ifname, const struct listing *listing, struct error *error)
{
	struct maps maps = {};
	struct step step;
	uint32_t *numbers = NULL;
	size_t n = 0;
	int err = history_list(ifname, &numbers, &n, error);

	if (!err)
		err = history_list_maps(ifname, &maps.list, &maps.n, error);
	for (size_t i = 0; !err && i < n; i++) {
		err = read_step(ifname, numbers[i], i ? numbers[i - 1] : 0, &step, error);
		if (err == -EPROTO) { /* the others can be shown */
			command_warn(error->text, NULL);
			err = 0;
			continue;
		}
		if (err)
			break;
		err = add_step(listing, &step, &maps, error);
		step_free(&step);
	}
	if (!err)
		err = add_maps(listing, &maps, UINT64_MAX, error);
	free(maps.list);
	free(numbers);
	return err;
}

static int print_all(const char *ifname, bool json, struct error *error)
{
	static const struct table_column columns[N_COLUMNS] = {
		{"N", TABLE_RIGHT, NULL},      {"TIME", 0, NULL},
		{"WHO", TABLE_WRAP, NULL},     {"CAUSE", TABLE_WRAP, NULL},
		{"CHANGES", TABLE_WRAP, NULL},
	};
	struct table *table = table_new(columns, N_COLUMNS, stdout);
	json_t *list = json ? json_array() : NULL;
	const struct listing listing = {list, table};
	int err;

	if (!table)
		return error_no_memory(error);
	err = add_steps(ifname, &listing, error);
	if (!err && json)
		err = output_json(json_pack("{s:o,s:O}", "interface", output_json_text(ifname),
					    "policies", list),
				  stdout, error);
	else if (!err)
		err = table_print(table, error);
	json_decref(list);
	table_free(table);
	return err;
}

/* The policy before another one in the history; 0: none is kept. */
static int find_before(const char *ifname, uint32_t number, uint32_t *before, struct error *error)
{
	uint32_t *numbers;
	size_t n;
	int err = history_list(ifname, &numbers, &n, error);

	*before = 0;
	if (err)
		return err;
	for (size_t i = 1; i < n; i++)
		if (numbers[i] == number)
			*before = numbers[i - 1];
	free(numbers);
	return 0;
}

/* Print a step, and what it has changed. */
static int print_one(const char *ifname, uint32_t number, bool json, struct error *error)
{
	struct step step;
	uint32_t before;
	json_t *object;
	int err = find_before(ifname, number, &before, error);

	if (!err)
		err = read_step(ifname, number, before, &step, error);
	if (err)
		return err;
	if (json) {
		object = step_json(&step);
		json_object_set_new(object, "interface", output_json_text(ifname));
		json_object_set_new(object, "text", json_stringn(step.entry.text, step.entry.len));
		err = output_json(object, stdout, error);
	} else if (!step.diff) {
		puts("nothing is known of the policy before");
	} else if (!policy_diff_print(step.diff, stdout)) {
		puts("it says the same as the policy before");
	}
	step_free(&step);
	return err ? err : output_flush(stdout, error);
}

static int parse_step(const char *text, uint32_t *number, struct error *error)
{
	uint64_t value;

	if (number_parse(text, 1, UINT32_MAX, &value, error))
		return error_input(error, "%.32s: not the number of a policy of the history", text);
	*number = (uint32_t)value;
	return 0;
}

/* What a command of this file is about. */
struct asked {
	const char *ifname; /* NULL: not given */
	uint32_t number;    /* 0: not given */
};

/* The arguments [IFACE] N; where N is not needed, [IFACE] alone is. */
static int parse_arguments(int argc, char **argv, bool needs_number, struct asked *asked,
			   struct error *error)
{
	struct error ignored;

	*asked = (struct asked){};
	if (argc == 2)
		asked->ifname = argv[0];
	if (argc == 2 || (argc == 1 && needs_number))
		return parse_step(argv[argc - 1], &asked->number, error);
	if (argc == 1 && parse_step(argv[0], &asked->number, &ignored))
		asked->ifname = argv[0];
	return 0;
}

/**
 * policy_command_history() - shrike policy history
 */
int policy_command_history(const struct command *command, int argc, char **argv)
{
	char name[IF_NAMESIZE];
	struct error error;
	struct asked asked;
	bool json = false;
	int ifindex, err, status = command_parse_json(command, argc, argv, 2, &json);

	if (status >= 0)
		return status;
	err = parse_arguments(argc - optind, argv + optind, false, &asked, &error);
	if (!err)
		err = command_interface(asked.ifname, name, &ifindex, &error);
	if (!err)
		err = asked.number ? print_one(name, asked.number, json, &error)
				   : print_all(name, json, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}

/* Put a policy of the history into force. */
static int roll_back(const char *name, uint32_t number, bool json, struct error *error)
{
	struct follow_status followed;
	struct dataplane *dataplane;
	struct history_entry entry;
	struct dataplane_request request = {
		.ifname = name,
		.caller = DATAPLANE_APPLY,
		.verify = policy_tests_verify,
		.cause = "policy rollback",
		.keeps_part = follow_status_read(name, &followed),
		.warn = command_warn,
	};
	int err = history_read(name, number, &entry, error);

	if (err)
		return err;
	request.policy_path = entry.path;
	request.policy_text = entry.text;
	request.policy_len = entry.len;
	err = change_apply(&request, json, &dataplane, error);
	if (!err)
		dataplane_free(dataplane);
	history_entry_free(&entry);
	return err;
}

/**
 * policy_command_rollback() - shrike policy rollback
 */
int policy_command_rollback(const struct command *command, int argc, char **argv)
{
	char name[IF_NAMESIZE];
	struct error error;
	struct asked asked;
	bool json = false;
	int ifindex, err, status = command_parse_json(command, argc, argv, 2, &json);

	if (status >= 0)
		return status;
	if (argc == optind)
		return command_usage(command, "the number of a policy of the history is needed");
	err = parse_arguments(argc - optind, argv + optind, true, &asked, &error);
	if (!err)
		err = policy_command_interface(asked.ifname, name, &ifindex, &error);
	if (!err)
		err = roll_back(name, asked.number, json, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
