/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/command.h"
#include "dataplane/generation.h"
#include "simulate/replay.h"
#include "simulate/simulate.h"
#include "trace/record_print.h"

static int run_simulate(const struct command *command, int argc, char **argv);

const struct command command_simulate = {
	.name = "simulate",
	.arguments = "SCENARIO | --pcap FILE -c POLICY [--address PREFIX]... [-j] [-v]",
	.summary = "put packets through a policy, no interface touched",
	/* clang-format off */
	.details =
		"      --pcap FILE       instead of a scenario: the packets of a capture\n"
		"  -c, --config POLICY   with --pcap: the policy\n"
		"      --address PREFIX  with --pcap: an address of the interface and the\n"
		"                        length of its prefix, which tell what is local\n"
		"                        and what goes out\n"
		"      --ip-forward      with --pcap: the kernel forwards\n"
		"  -j, --json            one object per packet and line\n"
		"  -v, --verbose         show the message of each stage\n"
		"\n"
		"The programs that would be attached judge the packets, with tables and a clock\n"
		"of their own; nothing is left behind. TCP packets of a scenario that give no\n"
		"seq or ack are numbered as two end hosts would number them. Exit status 0 if\n"
		"every expectation held, 1 if one did not, 2 for a bad file.\n",
	/* clang-format on */
	.run = run_simulate,
};

struct report {
	const char *path; /* of the scenario */
	bool json;
	bool verbose;
	bool colour;
	size_t n; /* packets so far */
	size_t passed;
	size_t failed;
};

/* Print a packet of the scenario as JSON. */
static int print_json(const struct scenario_step *step, const struct record_result *result,
		      const char *why, struct error *error)
{
	json_t *json = record_result_json(result);
	int failed;

	if (json && why[0])
		json_object_update_new(json, json_pack("{s:s,s:i}", "failed", why, "line",
						       (int)step->position.line));
	failed = !json || json_dumpf(json, stdout, RECORD_JSON_FLAGS);
	json_decref(json);
	if (failed && !ferror(stdout))
		return error_no_memory(error);
	putchar('\n');
	return 0;
}

/* Print a packet of the scenario, and whether it met the expectation. */
static int print_text(const struct report *report, const struct scenario_step *step,
		      const struct record_result *result, const char *why, struct error *error)
{
	char *line = record_result_line(result);

	if (!line)
		return error_no_memory(error);
	fputs(line, stdout);
	free(line);
	if (why[0])
		printf("\n    %sFAILED%s %s:%u: %s", output_colour_on(report->colour, OUTPUT_RED),
		       output_colour_off(report->colour), report->path, step->position.line, why);
	else if (expectation_given(&step->expect))
		printf(" %sok%s", output_colour_on(report->colour, OUTPUT_GREEN),
		       output_colour_off(report->colour));
	putchar('\n');
	if (report->verbose)
		record_write_stages(result->event, result->rule_id, "    ", stdout);
	return 0;
}

/* A packet has been judged: was it as expected? */
static int report_step(struct report *report, const struct scenario_step *step,
		       const struct simulation_result *result, struct error *error)
{
	const struct record_result record = {
		.event = &result->event,
		.rule_id = result->rule_id,
		.packet = result->packet,
		.packet_len = result->len,
		.n = report->n++,
		.at_ns = step->at_ns,
	};
	char why[EXPECTATION_WHY_MAX] = "";

	if (expectation_given(&step->expect)) {
		if (expectation_holds(&step->expect, record.event, record.rule_id, why))
			report->passed++;
		else
			report->failed++;
	}
	if (report->json)
		return print_json(step, &record, why, error);
	return print_text(report, step, &record, why, error);
}

static const char *get_variable(const char *name, void *unused)
{
	(void)unused;
	return getenv(name);
}

/* Where the steps come from: a scenario has them, a capture is read on the way. */
struct source {
	const struct scenario *scenario;
	struct replay *replay; /* NULL: a scenario */
	size_t n;	       /* steps so far */
};

/* Returns 1 for a step, 0 behind the last one, or -errno. */
static int next_step(struct source *source, struct scenario_step *step, struct error *error)
{
	if (source->replay)
		return replay_next(source->replay, step, error);
	if (source->n == source->scenario->n_steps)
		return 0;
	*step = source->scenario->steps[source->n++];
	return 1;
}

/* Put each step through the simulation, and report it. */
static int judge(struct source *source, struct simulation *simulation, struct report *report,
		 struct error *error)
{
	struct simulation_result result;
	struct scenario_step step;
	int err;

	report->path = source->scenario->path;
	while ((err = next_step(source, &step, error)) == 1) {
		err = simulation_step(simulation, &step, &result, error);
		if (err)
			return error_prefix(error, "%s:%u", report->path, step.position.line);
		if (step.kind == SCENARIO_APPLY)
			continue;
		err = report_step(report, &step, &result, error);
		if (err)
			return err;
	}
	return err;
}

/* Simulate a scenario or a capture from the beginning to the end. */
static int simulate(struct source *source, struct report *report, struct error *error)
{
	struct simulation *simulation = NULL;
	struct environment environment;
	int err;

	environment_read(&environment, get_variable, NULL, command_warn, NULL);
	err = simulation_new(source->scenario, &environment, command_warn, &simulation, error);
	if (err)
		return error_prefix(error, "%s", source->scenario->path);
	err = judge(source, simulation, report, error);
	simulation_free(simulation);
	if (!err && !report->json)
		printf("%zu passed, %zu failed\n", report->passed, report->failed);
	return err;
}

enum simulate_option {
	OPTION_PCAP = 0x200,
	OPTION_ADDRESS,
	OPTION_FORWARD,
};

static int set_option(struct report *report, struct replay *replay, int option, struct error *error)
{
	switch (option) {
	case 'j':
		report->json = true;
		break;
	case 'v':
		report->verbose = true;
		break;
	case 'c':
		replay->policy_path = optarg;
		break;
	case OPTION_PCAP:
		replay->capture_path = optarg;
		break;
	case OPTION_FORWARD:
		replay->ip_forward = true;
		break;
	case OPTION_ADDRESS:
		return replay_add_address(replay, optarg, error);
	}
	return 0;
}

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct report *report,
		 struct replay *replay)
{
	static const struct option options[] = {
		{"pcap", required_argument, NULL, OPTION_PCAP},
		{"config", required_argument, NULL, 'c'},
		{"address", required_argument, NULL, OPTION_ADDRESS},
		{"ip-forward", no_argument, NULL, OPTION_FORWARD},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	while ((option = getopt_long(argc, argv, "c:jv", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (set_option(report, replay, option, &error))
			return command_fail(&error);
	}
	if (!replay->capture_path && argc - optind != 1)
		return command_usage(command, "one scenario file is needed");
	if (replay->capture_path && argc > optind)
		return command_usage(command, "--pcap takes the place of a scenario");
	if (!replay->capture_path != !replay->policy_path)
		return command_usage(command, "--pcap and -c belong together");
	return -1;
}

/* Judge all packets; returns an exit status. */
static int run_source(const char *path, struct replay *replay, struct report *report)
{
	struct source source = {.replay = replay};
	struct scenario *scenario;
	struct error error;
	int err;

	err = replay ? replay_open(replay, &scenario, &error)
		     : scenario_load(path, &scenario, &error);
	if (err) {
		error.invalid_input |= error.code != ENOMEM;
		return command_fail(&error);
	}
	source.scenario = scenario;
	err = simulate(&source, report, &error);
	scenario_free(scenario);
	if (err)
		return command_fail(&error);
	return report->failed ? EXIT_FAILED : EXIT_DONE;
}

/* The command `shrike simulate`. */
static int run_simulate(const struct command *command, int argc, char **argv)
{
	struct replay replay = {.warn = command_warn};
	struct report report = {};
	int status;

	status = parse(command, argc, argv, &report, &replay);
	if (status >= 0)
		return status;
	report.colour = output_wants_colour(stdout);
	status = run_source(argv[optind], replay.capture_path ? &replay : NULL, &report);
	replay_close(&replay);
	return status;
}
