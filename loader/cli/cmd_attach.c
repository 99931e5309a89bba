/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "dataplane/apply.h"
#include "dataplane/detach.h"
#include "dataplane/generation.h"
#include "kernel/hooks.h"
#include "kernel/lock.h"
#include "simulate/policy_tests.h"

static int run_attach(const struct command *command, int argc, char **argv);
static int run_detach(const struct command *command, int argc, char **argv);

const struct command command_attach = {
	.name = "attach",
	.arguments = "[IFACE] [-c POLICY]",
	.summary = "attach to an interface, pin, and exit",
	/* clang-format off */
	.details =
		"  -c, --config POLICY   policy file, '-' for standard input; without one,\n"
		"                        everything inbound but replies is dropped\n"
		"  -v, --verbose         print libbpf messages\n"
		"\n"
		"Nobody stays: addresses that are added later are not known, the room of expired\n"
		"connections is only reclaimed as they are met, and userspace routing is refused.\n"
		"'shrike run' does all that.\n",
	/* clang-format on */
	.run = run_attach,
};

const struct command command_detach = {
	.name = "detach",
	.arguments = "[IFACE] [--force]",
	.summary = "remove programs, links and pins of an interface",
	.details = "      --force           also what another version of shrike left there\n",
	.run = run_detach,
};

/* The command `shrike attach`. */
static int run_attach(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct dataplane_request request = {
		.caller = DATAPLANE_ATTACH,
		.verify = policy_tests_verify,
		.warn = command_warn,
	};
	struct dataplane *dataplane;
	char name[IF_NAMESIZE];
	int option, lock, err;
	struct error error;

	while ((option = getopt_long(argc, argv, "c:v", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == 'c')
			request.policy_path = optarg;
		else if (option == 'v')
			generation_verbose(true);
		else
			return command_unknown_option(command, argv);
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	request.ifname = name;
	err = command_interface(argv[optind], name, NULL, &error);
	if (!err) {
		err = lock_try(LOCK_RUN, name, &lock, &error);
		if (err == -EADDRINUSE)
			error_set(&error, EBUSY,
				  "%s: 'shrike run' (or another 'attach') is in charge of it; use "
				  "'shrike policy apply %s'",
				  name, name);
	}
	if (!err)
		err = dataplane_apply(&request, &dataplane, &error);
	if (err)
		return command_fail(&error);
	dataplane_free(dataplane);
	return EXIT_DONE;
}

/* The command `shrike detach`. */
static int run_detach(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"force", no_argument, NULL, 'f'},
		COMMON_LONG_OPTIONS,
		{},
	};
	char name[IF_NAMESIZE];
	struct error error;
	bool force = false;
	int option, lock, err;

	while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option != 'f')
			return command_unknown_option(command, argv);
		force = true;
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	err = command_interface(argv[optind], name, NULL, &error);
	if (!err) {
		err = lock_try(LOCK_RUN, name, &lock, &error);
		if (err == -EADDRINUSE)
			err = error_set(
				&error, EBUSY,
				"%s: 'shrike run' is in charge of it; end that process first",
				name);
	}
	if (!err)
		err = dataplane_detach(name, force, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
