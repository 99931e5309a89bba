/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy set: the content of named sets, while they are in force.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "cli/cmd_policy.h"
#include "dataplane/apply.h"
#include "policy/parse.h"
#include "policy/save.h"
#include "policy/sets_read.h"

/* A change on its way through dataplane_apply(). */
struct set_edit {
	const struct sets_change *change;
	struct sets_result result;
};

/* What `policy set` was asked for, besides the change. */
struct set_options {
	bool json;
	bool save;
};

static const struct {
	const char *word;
	enum sets_operation operation;
} operations[] = {
	{"add", SETS_ADD},
	{"del", SETS_DEL},
	{"replace", SETS_REPLACE},
};

/* -ECANCELED: there is nothing to change. */
static int edit(const struct attached *attached, char **text, size_t *len, void *arg,
		struct error *error)
{
	struct sets_text old = {.path = attached->instance.policy_path}, changed;
	struct set_edit *edit = arg;
	int err;

	err = attached_policy_text(attached, &old.text, &old.len, error);
	if (err)
		return err;
	err = sets_change(&old, edit->change, &changed, &edit->result, error);
	free(old.text);
	if (err)
		return err;
	if (!edit->result.added && !edit->result.removed && !edit->result.renewed) {
		free(changed.text);
		return error_set(error, ECANCELED, "nothing to change");
	}
	*text = changed.text;
	*len = changed.len;
	return 0;
}

/* Write sets to the files that they come from.  @name: NULL: all */
static int save(int ifindex, const char *name, size_t *n_saved, struct error *error)
{
	struct policy *policy = NULL;
	struct attached attached;
	char *text = NULL;
	bool is_saved;
	size_t len;
	int err = attached_open(ifindex, &attached, error);

	if (err)
		return err;
	err = attached_policy_text(&attached, &text, &len, error);
	if (!err)
		err = policy_parse(attached.instance.policy_path[0] ? attached.instance.policy_path
								    : NULL,
				   text, len, &policy, error);
	for (size_t i = 0; !err && i < policy->n_sets; i++) {
		if (name && strcmp(policy->sets[i].name, name))
			continue;
		err = save_set(policy, &policy->sets[i], &is_saved, error);
		*n_saved += !err && is_saved;
		if (err == -EINVAL && !name && policy->has_netbird)
			err = 0; /* a set of NetBird's */
	}
	attached_close(&attached);
	policy_free(policy);
	free(text);
	return err ? error_prefix(error, "in force, but not saved") : 0;
}

/* Print what saving all sets came to. */
static int save_all(const char *given, bool json, struct error *error)
{
	char name[IF_NAMESIZE];
	size_t n_saved = 0;
	int ifindex, err = policy_command_interface(given, name, &ifindex, error);

	if (!err)
		err = save(ifindex, NULL, &n_saved, error);
	if (err)
		return err;
	if (json)
		return output_json(json_pack("{s:o,s:I}", "interface", output_json_text(name),
					     "saved", (json_int_t)n_saved),
				   stdout, error);
	printf("%s: %zu set%s saved\n", name, n_saved, n_saved == 1 ? "" : "s");
	return output_flush(stdout, error);
}

/* Print what the change came to. */
static int print(const char *ifname, const struct sets_change *change,
		 const struct sets_result *result, const struct set_options *asked,
		 struct error *error)
{
	if (asked->json)
		return output_json(json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:b}", "interface",
					     output_json_text(ifname), "set",
					     output_json_text(change->name), "added",
					     (json_int_t)result->added, "removed",
					     (json_int_t)result->removed, "unchanged",
					     (json_int_t)result->unchanged, "renewed",
					     (json_int_t)result->renewed, "prefixes",
					     (json_int_t)result->n, "saved", asked->save),
				   stdout, error);
	printf("%s: set %s: %zu added, %zu removed, ", ifname, change->name, result->added,
	       result->removed);
	if (result->renewed)
		printf("%zu renewed, ", result->renewed);
	printf("%zu now", result->n);
	if (result->unchanged)
		printf(" (%zu %s %s)", result->unchanged, result->unchanged == 1 ? "was" : "were",
		       change->operation == SETS_DEL ? "not in it" : "in it before");
	puts(asked->save ? ", saved" : "");
	return 0;
}

/* Put the policy with the changed set into force. */
static int change_set(const char *given, const struct sets_change *change,
		      const struct set_options *asked, struct error *error)
{
	size_t n_saved = 0;
	struct set_edit arg = {.change = change};
	char name[IF_NAMESIZE];
	struct dataplane_request request = {
		.ifname = name,
		.edit = edit,
		.edit_arg = &arg,
		.renewed = change,
		.caller = DATAPLANE_APPLY,
		.cause = "policy set",
		.uid = getuid(),
		.warn = command_warn,
	};
	struct dataplane *dataplane = NULL;
	int ifindex, err;

	err = policy_command_interface(given, name, &ifindex, error);
	if (!err)
		err = dataplane_apply(&request, &dataplane, error);
	if (err && err != -ECANCELED)
		return err;
	dataplane_free(dataplane);
	err = asked->save ? save(ifindex, change->name, &n_saved, error) : 0;
	return err ? err : print(name, change, &arg.result, asked, error);
}

/* The place of the word add, del or replace; -1: there is none. */
static int find_operation(int argc, char **argv, int first, enum sets_operation *operation)
{
	for (int at = first + 1; at < argc && at <= first + 2; at++)
		for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
			if (!strcmp(argv[at], operations[i].word)) {
				*operation = operations[i].operation;
				return at;
			}
	return -1;
}

static int read_prefixes(int argc, char **argv, int first, struct sets_change *change,
			 struct error *error)
{
	struct sets_reader reader = {.change = change};
	int err = 0;

	for (int i = first; i < argc && !err; i++)
		err = strcmp(argv[i], "-") || reader.expects_time
			      ? sets_read_word(&reader, argv[i], error)
			      : sets_read_file(&reader, STDIN_FILENO, error);
	if (!err)
		err = sets_read_end(&reader, error);
	return err && !error->in_file ? error_prefix(error, "set %s", change->name) : err;
}

/* What is there for a time is not for a file, which would give it that time with each reload. */
static int refuse_timed(const struct sets_change *change, struct error *error)
{
	for (size_t i = 0; i < change->n_elements; i++)
		if (change->elements[i].timeout_ns)
			return error_input(error, "set %s: --save does not go with a timeout",
					   change->name);
	return 0;
}

/**
 * policy_command_set() - shrike policy set
 */
int policy_command_set(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"save", no_argument, NULL, 's'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct sets_change change = {.name = NULL};
	struct set_options asked = {};
	struct error error;
	int option, at, err;

	while ((option = command_option(argc, argv, "jsv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		asked.json |= option == 'j';
		asked.save |= option == 's';
		if (option == 'v')
			generation_verbose(true);
	}
	at = find_operation(argc, argv, optind, &change.operation);
	if (at < 0 && asked.save && argc - optind <= 1)
		return save_all(argv[optind], asked.json, &error) ? command_fail(&error)
								  : EXIT_DONE;
	if (at < 0)
		return command_usage(command, "the name of a set and add, del or replace are "
					      "needed");
	if (at + 1 == argc && change.operation != SETS_REPLACE)
		return command_usage(command, "no prefixes are given");
	change.name = argv[at - 1];
	err = read_prefixes(argc, argv, at + 1, &change, &error);
	if (!err && asked.save)
		err = refuse_timed(&change, &error);
	if (!err)
		err = change_set(at == optind + 2 ? argv[optind] : NULL, &change, &asked, &error);
	free(change.elements);
	return err ? command_fail(&error) : EXIT_DONE;
}
