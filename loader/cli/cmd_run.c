/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "cli/command.h"
#include "daemon/run.h"
#include "dataplane/generation.h"
#include "kernel/pin_path.h"

static int run_run(const struct command *command, int argc, char **argv);

const struct command command_run = {
	.name = "run",
	.arguments = "[IFACE] [-c POLICY]",
	.summary = "attach to an interface and stay",
	/* clang-format off */
	.details =
		"  -c, --config POLICY   policy file, '-' for standard input; without one,\n"
		"                        everything inbound but replies is dropped\n"
		"  -v, --verbose         print libbpf messages\n"
		"\n"
		"Follows address and link changes and expires connections. SIGHUP reads the\n"
		"policy again, SIGTERM and SIGINT detach. When it is killed, policy and\n"
		"connections stay in force in the kernel, and the next run takes them over;\n"
		"SIGUSR2 ends it so on purpose, and leaves forwarded connections to systemd.\n",
	/* clang-format on */
	.run = run_run,
};

static void print(const char *text, bool is_error)
{
	fprintf(is_error ? stderr : stdout, "%s%s\n", is_error ? "shrike: " : "", text);
	fflush(stdout);
}

/* The command `shrike run`. */
static int run_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		COMMON_LONG_OPTIONS,
		{},
	};
	const char *policy = NULL;
	char name[IF_NAMESIZE];
	struct error error;
	int option, err;

	while ((option = getopt_long(argc, argv, "c:v", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == 'c')
			policy = optarg;
		else if (option == 'v')
			generation_verbose(true);
		else
			return command_unknown_option(command, argv);
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	err = command_interface(argv[optind], name, NULL, &error);
	if (!err)
		err = path_check_name(name, &error);
	if (!err)
		err = run_forever(name, policy, command_warn, print, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
