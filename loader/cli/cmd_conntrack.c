/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/command.h"
#include "conntrack/filter.h"
#include "conntrack/print.h"
#include "conntrack/tables.h"
#include "dataplane/attached.h"
#include "dataplane/masquerading.h"

#define CONNTRACK_ARGUMENTS "[IFACE] [FILTER] [-j]"
#define LIST_ARGUMENTS	    "[IFACE] [FILTER] [--numeric] [-h] [-j]"

static int run_list(const struct command *command, int argc, char **argv);
static int run_count(const struct command *command, int argc, char **argv);
static int run_flush(const struct command *command, int argc, char **argv);

static const struct command family[] = {
	{
		.name = "list",
		.arguments = LIST_ARGUMENTS,
		.summary = "show tracked connections",
		.details = HUMAN_HELP NUMERIC_HELP "\n" FILTER_HELP,
		.run = run_list,
	},
	{
		.name = "count",
		.arguments = CONNTRACK_ARGUMENTS,
		.summary = "count tracked connections",
		.details = FILTER_HELP,
		.run = run_count,
	},
	{
		.name = "flush",
		.arguments = CONNTRACK_ARGUMENTS,
		.summary = "forget tracked connections",
		.details = FILTER_HELP,
		.run = run_flush,
	},
	{
		.name = "watch",
		.arguments = "[IFACE] [FILTER] [-n COUNT] [--numeric] [-h] [-j]",
		.summary = "show connections as they start and end",
		.details =
			"  -n, --count COUNT     end after so many events\n" HUMAN_HELP NUMERIC_HELP
			"\n" FILTER_HELP,
		.run = command_run_watch,
	},
	{.name = NULL},
};

const struct command command_conntrack = {
	.name = "conntrack",
	.summary = "show, count, forget or watch tracked connections",
	.family = family,
};

/* What every subcommand begins with: its arguments, and the tables of the interface. */
struct session {
	char name[IF_NAMESIZE];
	struct filter filter;
	struct attached attached;
	struct conntrack conntrack;
	struct flow_clock clock;
	struct rule_view *rules; /* sorted by number */
	size_t n_rules;
	struct names names;
	bool json;
	bool numeric;
	bool human;
};

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct session *session)
{
	static const struct option options[] = {FILTER_LONG_OPTIONS, COMMON_LONG_OPTIONS, {}};
	static const struct option list_options[] = {FILTER_LONG_OPTIONS,
						     NUMERIC_LONG_OPTION,
						     HUMAN_LONG_OPTION,
						     COMMON_LONG_OPTIONS,
						     {}};
	bool is_list = command->run == run_list;
	const char *short_options = is_list ? "hjv" FILTER_SHORT_OPTIONS
					    : "jv" FILTER_SHORT_OPTIONS;
	struct error error;
	int option, err;

	filter_init(&session->filter);
	while ((option = command_option(argc, argv, short_options,
					is_list ? list_options : options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == 'j') {
			session->json = true;
			continue;
		}
		if (option == OPTION_NUMERIC || option == 'h') {
			session->numeric |= option == OPTION_NUMERIC;
			session->human |= option == 'h';
			continue;
		}
		err = filter_option(&session->filter, option, optarg, &error);
		if (err < 0)
			return command_fail(&error);
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	return -1;
}

/* The filter's rule id as a number; an id that no rule in force has is a mistake. */
static int resolve_rule(struct session *session, struct error *error)
{
	struct filter *filter = &session->filter;

	if (!filter->rule_id[0])
		return 0;
	for (size_t i = 0; i < session->n_rules; i++)
		if (!strcmp(session->rules[i].rule.id, filter->rule_id)) {
			filter->rule = session->rules[i].rule.number;
			return 0;
		}
	return error_input(error, "rule %s: none in force has this id", filter->rule_id);
}

static void close_tables(struct session *session)
{
	free(session->rules);
	names_free(&session->names);
	attached_close(&session->attached);
}

/* Open the tables of an interface, and read what the filter needs to know. */
static int open_tables(const char *given, struct session *session, struct error *error)
{
	struct error ignored;
	int ifindex, err;

	err = command_interface(given, session->name, &ifindex, error);
	if (!err && attached_open(ifindex, &session->attached, error))
		err = error_prefix(error, "%s", session->name);
	if (err)
		return filter_unresolved(&session->filter, error);
	flow_clock_read(&session->attached.instance, &session->clock);
	err = conntrack_open(&session->attached.maps, &session->conntrack, error);
	if (!err)
		err = generation_read_rules(&session->attached.maps, &session->rules,
					    &session->n_rules, error);
	if (!err) {
		generation_sort_rules(session->rules, session->n_rules);
		err = resolve_rule(session, error);
	}
	attached_names(&session->attached, &session->names, &ignored);
	if (!err)
		err = filter_resolve(&session->filter, &session->names, error);
	if (err)
		close_tables(session);
	return err;
}

static const char *rule_id(void *arg, uint32_t number)
{
	const struct session *session = arg;

	return generation_rule_id(session->rules, session->n_rules, number);
}

/* Print the flows that the filter lets through. */
static int list(struct session *session, struct error *error)
{
	struct flow_printer *printer = flow_printer_new(stdout, session->json, session->name,
							rule_id, session);
	struct masquerade masquerade;
	int err;

	if (!printer)
		return error_no_memory(error);
	if (masquerading_read(&session->attached.maps, &masquerade))
		flow_printer_set_uplinks(printer, &masquerade);
	if (!session->numeric)
		flow_printer_set_names(printer, &session->names);
	if (session->human)
		flow_printer_set_human(printer);
	err = conntrack_walk(&session->conntrack, &session->clock, &session->filter,
			     flow_printer_visit, printer, error);
	if (err >= 0)
		err = flow_printer_end(printer, error);
	flow_printer_free(printer);
	return err;
}

/* The command `shrike conntrack list`. */
static int run_list(const struct command *command, int argc, char **argv)
{
	struct session session = {};
	int status = parse(command, argc, argv, &session);
	struct error error;
	int err;

	if (status >= 0)
		return status;
	err = open_tables(argv[optind], &session, &error);
	if (err)
		return command_fail(&error);
	err = list(&session, &error);
	close_tables(&session);
	return err ? command_fail(&error) : EXIT_DONE;
}

typedef int (*total_fn)(const struct conntrack *conntrack, const struct flow_clock *clock,
			const struct filter *filter, uint64_t *total, struct error *error);

/* A number, its key in JSON, and the sentence for it. */
struct total {
	total_fn count;
	const char *key;
	const char *format;
};

/* A subcommand that comes to a number. */
static int run_total(const struct command *command, int argc, char **argv, const struct total *what)
{
	struct session session = {};
	int status = parse(command, argc, argv, &session);
	struct error error;
	uint64_t total;
	int err;

	if (status >= 0)
		return status;
	err = open_tables(argv[optind], &session, &error);
	if (err)
		return command_fail(&error);
	err = what->count(&session.conntrack, &session.clock, &session.filter, &total, &error);
	close_tables(&session);
	if (!err && session.json)
		err = output_json(json_pack("{s:o,s:I}", "interface",
					    output_json_text(session.name), what->key,
					    (json_int_t)total),
				  stdout, &error);
	else if (!err)
		printf(what->format, (unsigned long long)total);
	return err ? command_fail(&error) : EXIT_DONE;
}

static int run_count(const struct command *command, int argc, char **argv)
{
	static const struct total what = {conntrack_count, "count", "%llu\n"};

	return run_total(command, argc, argv, &what);
}

static int run_flush(const struct command *command, int argc, char **argv)
{
	static const struct total what = {conntrack_flush, "flushed",
					  "%llu connections forgotten\n"};

	return run_total(command, argc, argv, &what);
}
