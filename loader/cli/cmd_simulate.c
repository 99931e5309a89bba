/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/command.h"
#include "cli/simulate_report.h"
#include "incident/archive.h"
#include "incident/past_replay.h"
#include "simulate/replay.h"
#include "simulate/scenario_files.h"

static int run_simulate(const struct command *command, int argc, char **argv);

const struct command command_simulate = {
	.name = "simulate",
	.arguments = "SCENARIO... | --pcap FILE [-c POLICY] [--address PREFIX]... [--junit FILE] "
		     "[--tap] [-j] [-v]",
	.summary = "put packets through a policy, no interface touched",
	/* clang-format off */
	.details =
		"  SCENARIO              a file, '-', or a folder: the scenarios in it\n"
		"      --pcap FILE       instead of a scenario: the packets of a capture\n"
		"                        or, if it ends in .tar.zst, what the recorder had of\n"
		"                        them in a report, with its addresses and policy\n"
		"  -c, --config POLICY   with --pcap: the policy; needed for a capture\n"
		"      --address PREFIX  with --pcap: an address of the interface and the\n"
		"                        length of its prefix, which tell what is local\n"
		"                        and what goes out\n"
		"      --ip-forward      with --pcap: the kernel forwards\n"
		"  -j, --json            one object per packet and line\n"
		"      --tap             the Test Anything Protocol, a test per expectation\n"
		"      --junit FILE      write JUnit's XML as well, for CI\n"
		"  -v, --verbose         show the message of each stage\n"
		"\n"
		"The programs that would be attached judge the packets, with tables and a clock\n"
		"of their own; nothing is left behind. TCP packets of a scenario that give no\n"
		"seq or ack are numbered as two end hosts would number them. Exit status 0 if\n"
		"every expectation held, 1 if one did not, 2 for a bad file. Without the rights\n"
		"to load programs files are checked alone, and the exit status is 1.\n",
	/* clang-format on */
	.run = run_simulate,
};

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
static int judge(struct source *source, struct simulation *simulation,
		 struct simulate_report *report, struct error *error)
{
	struct simulation_result result;
	struct scenario_step step;
	int err;

	while ((err = next_step(source, &step, error)) == 1) {
		err = simulation_step(simulation, &step, &result, error);
		if (err)
			return error_prefix(error, "%s:%u", source->scenario->path,
					    step.position.line);
		if (step.kind == SCENARIO_APPLY)
			continue;
		err = report_step(report, &step, &result, error);
		if (err)
			return err;
	}
	return err;
}

/* Simulate a scenario or a capture from the beginning to the end. */
static int simulate(struct source *source, struct simulate_report *report, struct error *error)
{
	struct simulation *simulation = NULL;
	struct environment environment;
	int err;

	environment_read(&environment, get_variable, NULL, command_warn, NULL);
	err = simulation_new(source->scenario, &environment, command_warn, &simulation, error);
	if (err == -EPERM || err == -EACCES) {
		report_not_run(report, source->scenario->n_steps);
		return 0;
	}
	if (err)
		return error_prefix(error, "%s", source->scenario->path);
	err = judge(source, simulation, report, error);
	simulation_free(simulation);
	report->judged |= !err;
	return err;
}

enum simulate_option {
	OPTION_PCAP = 0x200,
	OPTION_ADDRESS,
	OPTION_FORWARD,
	OPTION_JUNIT,
	OPTION_TAP,
};

static int set_option(struct simulate_report *report, struct replay *replay, int option,
		      struct error *error)
{
	switch (option) {
	case 'j':
		report->format = REPORT_JSON;
		break;
	case OPTION_TAP:
		report->format = REPORT_TAP;
		break;
	case OPTION_JUNIT:
		report->junit = fopen(optarg, "we");
		return report->junit
			       ? 0
			       : error_set(error, errno, "%.256s: %s", optarg, strerror(errno));
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
static int parse(const struct command *command, int argc, char **argv,
		 struct simulate_report *report, struct replay *replay)
{
	static const struct option options[] = {
		{"pcap", required_argument, NULL, OPTION_PCAP},
		{"config", required_argument, NULL, 'c'},
		{"address", required_argument, NULL, OPTION_ADDRESS},
		{"ip-forward", no_argument, NULL, OPTION_FORWARD},
		{"junit", required_argument, NULL, OPTION_JUNIT},
		{"tap", no_argument, NULL, OPTION_TAP},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "c:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (set_option(report, replay, option, &error))
			return command_fail(&error);
	}
	if (!replay->capture_path && argc == optind)
		return command_usage(command, "a scenario file or a folder of them is needed");
	if (replay->capture_path && argc > optind)
		return command_usage(command, "--pcap takes the place of a scenario");
	if (replay->capture_path ? !replay->policy_path && !archive_has_suffix(replay->capture_path)
				 : !!replay->policy_path)
		return command_usage(command, "--pcap and -c belong together");
	return -1;
}

/* Judge all packets of a scenario or capture. */
static void run_source(const char *path, struct replay *replay, struct simulate_report *report)
{
	struct source source = {.replay = replay};
	struct scenario *scenario = NULL;
	struct error error;
	int err;

	err = report_file(report, path, &error);
	if (!err) {
		err = replay ? replay_open(replay, &scenario, &error)
			     : scenario_load(path, &scenario, &error);
		if (err)
			error.invalid_input |= error.code != ENOMEM;
	}
	source.scenario = scenario;
	if (!err)
		err = simulate(&source, report, &error);
	if (err)
		report_error(report, &error);
	report_file_end(report);
	scenario_free(scenario);
}

/* The exit status: a bad file weighs more than an expectation that did not hold. */
static int status_of(const struct simulate_report *report)
{
	if (report->all.errors)
		return report->invalid ? EXIT_INVALID : EXIT_FAILED;
	return report->all.failed || report->all.not_run ? EXIT_FAILED : EXIT_DONE;
}

static int run_files(char **paths, int n, struct simulate_report *report, struct error *error)
{
	struct scenario_files files = {};
	int err = 0;

	for (int i = 0; !err && i < n; i++)
		err = scenario_files_add(&files, paths[i], error);
	report->several = files.n > 1;
	if (!err)
		err = report_begin(report, error);
	for (size_t i = 0; !err && i < files.n; i++)
		run_source(files.paths[i], NULL, report);
	scenario_files_free(&files);
	return err;
}

static int run_capture(struct replay *replay, struct simulate_report *report, struct error *error)
{
	bool from_report = archive_has_suffix(replay->capture_path);
	struct past_replay past = {.n = 0};
	int err = from_report ? past_replay_open(&past, replay, error) : 0;

	if (err)
		return err;
	err = report_begin(report, error);
	if (!err)
		run_source(replay->capture_path, replay, report);
	replay_close(replay);
	if (from_report)
		past_replay_close(&past);
	return err;
}

/* The command `shrike simulate`. */
static int run_simulate(const struct command *command, int argc, char **argv)
{
	struct replay replay = {.warn = command_warn};
	struct simulate_report report = {};
	struct error error;
	int status, err;

	status = parse(command, argc, argv, &report, &replay);
	if (status >= 0)
		return status;
	report.colour = output_wants_colour(stdout);
	err = replay.capture_path ? run_capture(&replay, &report, &error)
				  : run_files(argv + optind, argc - optind, &report, &error);
	if (!err)
		err = report_end(&report, &error);
	return err ? command_fail(&error) : status_of(&report);
}
