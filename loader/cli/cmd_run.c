/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/value.h"
#include "cli/cmd_metrics.h"
#include "cli/command.h"
#include "cli/log_print.h"
#include "cli/policy_source.h"
#include "daemon/run.h"
#include "dataplane/generation.h"
#include "kernel/pin_path.h"
#include "netbird/domain_sets.h"

#define SECONDS_MAX 86400

static int run_run(const struct command *command, int argc, char **argv);

const struct command command_run = {
	.name = "run",
	.arguments =
		"[IFACE] [-c POLICY] [--wait] [--netbird[=SOCKET]] [--metrics ADDR:PORT|unix:PATH]",
	.summary = "attach to an interface and stay",
	/* clang-format off */
	.details =
		"  -c, --config POLICY   policy file, '-' for standard input; without one,\n"
		"                        everything inbound but replies is dropped\n"
		"      --netbird[=SOCKET]\n"
		"                        follow NetBird's daemon at its socket, which is\n"
		"                        /var/run/netbird.sock unless given: its rules\n"
		"                        come behind those of POLICY\n"
		"      --netbird-interval S\n"
		"                        seconds in which one fetch of its map is regained;\n"
		"                        default 60; two may be had at once\n"
		"      --netbird-source SOURCE\n"
		"                        nft: follow NetBird's tables in nftables instead,\n"
		"                        exactly or not at all; default daemon\n"
		"      --netbird-hold S\n"
		"                        seconds that addresses of its domains stay allowed\n"
		"                        after their DNS answers have expired, and for as\n"
		"                        long as connections use them; default 3600\n"
		"      --metrics ADDR:PORT|unix:PATH\n"
		"                        serve what 'shrike metrics' prints over HTTP\n"
		"      --wait            wait for an interface that does not exist yet\n"
		"      --log-level L     error, warning, info (the default) or debug\n"
		"  -v, --verbose         print libbpf messages\n"
		"\n"
		"Follows address and link changes and expires connections. SIGHUP reads the\n"
		"policy again, SIGTERM and SIGINT detach. When it is killed, policy and\n"
		"connections stay in force in the kernel, and the next run takes them over;\n"
		"SIGUSR2 ends it so on purpose, and leaves forwarded connections to systemd.\n",
	/* clang-format on */
	.run = run_run,
};

enum {
	OPTION_NETBIRD = OPTION_COMMAND,
	OPTION_INTERVAL,
	OPTION_HOLD,
	OPTION_SOURCE,
	OPTION_METRICS,
	OPTION_WAIT,
	OPTION_LEVEL,
};

/* The seconds of an option; an interval has at least one. */
static int parse_seconds(int option, const char *text, struct following_options *options,
			 struct error *error)
{
	bool is_hold = option == OPTION_HOLD;
	uint64_t seconds;
	int err = number_parse(text, is_hold ? 0 : 1, SECONDS_MAX, &seconds, error);

	if (err) {
		error->invalid_input = true;
		return error_prefix(error, is_hold ? "--netbird-hold" : "--netbird-interval");
	}
	*(is_hold ? &options->hold_ns : &options->interval_ns) = seconds * NS_PER_S;
	options->depends = is_hold ? "--netbird-hold" : "--netbird-interval";
	return 0;
}

/* Where NetBird's rules come from. */
static int parse_source(const char *text, struct following_options *options, struct error *error)
{
	options->from_nftables = !strcmp(text, "nft");
	if (options->from_nftables || !strcmp(text, "daemon"))
		return 0;
	return error_input(error, "--netbird-source: '%.64s' is neither daemon nor nft", text);
}

/* Options of the command; -1, or the exit status. */
static int parse_options(const struct command *command, int argc, char **argv,
			 struct run_request *request)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"netbird", optional_argument, NULL, OPTION_NETBIRD},
		{"netbird-interval", required_argument, NULL, OPTION_INTERVAL},
		{"netbird-hold", required_argument, NULL, OPTION_HOLD},
		{"netbird-source", required_argument, NULL, OPTION_SOURCE},
		{"metrics", required_argument, NULL, OPTION_METRICS},
		{"wait", no_argument, NULL, OPTION_WAIT},
		{"log-level", required_argument, NULL, OPTION_LEVEL},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option, err = 0;

	while ((option = command_option(argc, argv, "c:v", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == 'c')
			request->policy_path = optarg;
		else if (option == 'v')
			generation_verbose(true);
		else if (option == OPTION_NETBIRD)
			err = command_netbird(optarg, &request->options.socket, &error);
		else if (option == OPTION_METRICS)
			request->metrics_address = optarg;
		else if (option == OPTION_WAIT)
			request->waits = true;
		else if (option == OPTION_LEVEL)
			err = log_set_level(optarg, &error);
		else if (option == OPTION_SOURCE)
			err = parse_source(optarg, &request->options, &error);
		else if (option == OPTION_INTERVAL || option == OPTION_HOLD)
			err = parse_seconds(option, optarg, &request->options, &error);
		else
			return command_unknown_option(command, argv);
		if (err)
			return command_fail(&error);
	}
	return -1;
}

/* A journal has the last words as an error, too. */
static int fail(const struct error *error)
{
	if (!log_is_journal())
		return command_fail(error);
	log_print(error->text, LEVEL_ERROR);
	return error->invalid_input ? EXIT_INVALID : EXIT_FAILED;
}

/* The command `shrike run`. */
static int run_run(const struct command *command, int argc, char **argv)
{
	char name[IF_NAMESIZE], path[PATH_MAX];
	struct run_request request = {
		.ifname = name,
		.options.interval_ns = FOLLOW_INTERVAL_NS,
		.options.hold_ns = DOMAIN_HOLD_NS,
		.collect = metrics_command_collect,
		.warn = log_warn,
		.log = log_print,
	};
	int status = parse_options(command, argc, argv, &request), err;
	struct error error;

	if (status >= 0)
		return status;
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	err = command_interface(argv[optind], name, NULL, &error);
	if (!err)
		err = path_check_name(name, &error);
	if (!err && request.policy_path) {
		err = policy_source_path(request.policy_path, path, &error);
		request.policy_path = path;
	}
	if (!err)
		err = run_forever(&request, &error);
	return err ? fail(&error) : EXIT_DONE;
}
