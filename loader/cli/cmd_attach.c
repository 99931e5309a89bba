/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/output.h"
#include "cli/change_print.h"
#include "cli/command.h"
#include "cli/policy_source.h"
#include "cli/stale_print.h"
#include "dataplane/detach.h"
#include "dataplane/generation.h"
#include "kernel/hooks.h"
#include "kernel/lock.h"
#include "simulate/policy_tests.h"

static int run_attach(const struct command *command, int argc, char **argv);
static int run_detach(const struct command *command, int argc, char **argv);

const struct command command_attach = {
	.name = "attach",
	.arguments = "[IFACE] [-c POLICY] [-j]",
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
	.arguments = "[IFACE | --stale] [--force] [-j]",
	.summary = "remove programs, links and pins of an interface",
	/* clang-format off */
	.details =
		"      --force           also what another version of shrike left there\n"
		"      --stale           instead the pins of network namespaces that are gone\n"
		"\n"
		"Where nothing is attached there is nothing to do, which is no error.\n",
	/* clang-format on */
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
		.cause = "attach",
		.warn = command_warn,
	};
	char name[IF_NAMESIZE], path[PATH_MAX];
	struct dataplane *dataplane;
	const char *given = NULL;
	bool json = false;
	int option, lock, err = 0;
	struct error error;

	while ((option = command_option(argc, argv, "c:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == 'c')
			given = optarg;
		else if (option == 'j')
			json = true;
		else if (option == 'v')
			generation_verbose(true);
		else
			return command_unknown_option(command, argv);
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	request.ifname = name;
	request.policy_path = given ? path : NULL;
	if (given)
		err = policy_source_path(given, path, &error);
	if (!err)
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
		err = change_apply(&request, json, &dataplane, &error);
	if (err)
		return command_fail(&error);
	dataplane_free(dataplane);
	return EXIT_DONE;
}

/* The command line of detach. */
struct detach_options {
	bool force;
	bool stale;
	bool json;
};

/* Remove the pins of network namespaces that are gone. */
static int detach_stale(bool json, struct error *error)
{
	json_t *removed, *one;
	int err = stale_list(true, &removed, error);
	size_t i;

	if (err)
		return err;
	if (json)
		return output_json(json_pack("{s:o}", "removed", removed), stdout, error);
	json_array_foreach (removed, i, one)
		printf("%s: pins removed\n", json_string_value(one));
	if (!json_array_size(removed))
		printf("no pins of network namespaces that are gone\n");
	json_decref(removed);
	return 0;
}

/* Detach an interface, and say whether there was something to detach. */
static int detach(const char *given, const struct detach_options *options, struct error *error)
{
	char name[IF_NAMESIZE];
	bool found = false;
	int lock, err;

	err = command_interface(given, name, NULL, error);
	if (err)
		return err;
	err = lock_try(LOCK_RUN, name, &lock, error);
	if (err == -EADDRINUSE)
		return error_set(error, EBUSY,
				 "%s: 'shrike run' is in charge of it; end that process first",
				 name);
	if (!err)
		err = dataplane_detach(name, options->force, &found, error);
	if (err)
		return err;
	if (options->json)
		return output_json(json_pack("{s:o,s:b}", "interface", output_json_text(name),
					     "detached", found),
				   stdout, error);
	printf(found ? "%s: detached\n" : "%s: shrike is not attached: nothing to detach\n", name);
	return 0;
}

/* The command `shrike detach`. */
static int run_detach(const struct command *command, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"force", no_argument, NULL, 'f'},
		{"stale", no_argument, NULL, 's'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct detach_options options = {};
	struct error error;
	int option, err;

	while ((option = command_option(argc, argv, "fj", long_options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option != 'f' && option != 's' && option != 'j')
			return command_unknown_option(command, argv);
		options.force |= option == 'f';
		options.stale |= option == 's';
		options.json |= option == 'j';
	}
	if (argc - optind > !options.stale)
		return command_usage(command, "unexpected argument '%s'", argv[argc - 1]);
	err = options.stale ? detach_stale(options.json, &error)
			    : detach(argv[optind], &options, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
