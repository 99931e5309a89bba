/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Elements of sets that are there for a time, for people and for programs.
 */
#include "cli/timed_print.h"

#include <errno.h>

#include "base/output.h"
#include "base/table.h"
#include "dataplane/set_deadlines.h"

/* Seconds, with three decimals. */
static json_t *seconds(uint64_t ns)
{
	return output_real(ns / NS_PER_MS / 1e3);
}

static json_t *element_json(const struct prefix_set *set, size_t at, uint64_t now_ns)
{
	const struct set_time *time = &set->times[at];
	int64_t left_ns = (int64_t)(time->deadline_ns - now_ns);
	char text[PREFIX_TEXT_MAX];

	return json_pack("{s:s,s:s,s:o,s:o}", "set", set->name, "prefix",
			 prefix_format(&set->prefixes[at], text, sizeof(text)), "timeout_s",
			 seconds(time->timeout_ns), "left_s", seconds(left_ns > 0 ? left_ns : 0));
}

/**
 * timed_json() - Elements of sets that end
 * @policy: after set_deadlines_plan()
 *
 * Return: an array with an object for each.
 */
json_t *timed_json(const struct policy *policy)
{
	uint64_t now_ns = set_deadlines_now_ns();
	json_t *array = json_array();

	for (size_t i = 0; i < policy->n_sets; i++)
		for (size_t j = 0; policy->sets[i].times && j < policy->sets[i].n_prefixes; j++)
			if (policy->sets[i].times[j].timeout_ns)
				json_array_append_new(array,
						      element_json(&policy->sets[i], j, now_ns));
	return array;
}

/**
 * timed_print() - Print elements of sets that end, as a table with a blank line before it
 * @timed: what timed_json() made
 * @has_run: `run` is there, and takes them out
 * @file: where to
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int timed_print(const json_t *timed, bool has_run, FILE *file, struct error *error)
{
	static const struct table_column columns[] = {
		{"SET", 0, NULL},
		{"ELEMENT", 0, NULL},
		{"TIMEOUT", TABLE_RIGHT, NULL},
		{"LEFT", TABLE_RIGHT, NULL},
	};
	struct table *table;
	json_t *element;
	int err = 0;
	size_t i;

	if (!json_array_size(timed))
		return 0;
	table = table_new(columns, 4, file);
	if (!table)
		return error_no_memory(error);
	json_array_foreach ((json_t *)timed, i, element) {
		char timeout[OUTPUT_DURATION_LEN], left[OUTPUT_DURATION_LEN];
		const char *const cells[] = {
			json_string_value(json_object_get(element, "set")),
			json_string_value(json_object_get(element, "prefix")),
			output_duration(timeout,
					json_real_value(json_object_get(element, "timeout_s")) *
						NS_PER_S),
			output_duration(left, json_real_value(json_object_get(element, "left_s")) *
						      NS_PER_S),
		};

		if (!err)
			err = table_row(table, cells);
	}
	fputc('\n', file);
	err = err ? error_no_memory(error) : table_print(table, error);
	table_free(table);
	if (!err && !has_run)
		fprintf(file, "'shrike run' is not there: they end with the next 'shrike policy' "
			      "command\nafter their time\n");
	return err;
}
