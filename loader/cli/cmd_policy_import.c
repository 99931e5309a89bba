/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/output.h"
#include "cli/cmd_policy.h"
#include "netbird/import.h"
#include "policy/parse.h"
#include "policy/policy.h"

#define MAP_MAX_BYTES ((size_t)256 << 20)

enum { OPTION_DYNAMIC = 0x200 };

static int run_netbird(const struct command *command, int argc, char **argv);

const struct command policy_command_import[] = {
	{
		.name = "netbird",
		.arguments = "FILE [--dynamic any] [-j]",
		.summary = "network_map.json of a NetBird debug bundle; '-' is standard input",
		/* clang-format off */
		.details =
			"      --dynamic any     domains that nobody resolves stand for any address, as\n"
			"                        in NetBird, and not for a set that is empty\n"
			"  -j, --json            print the policy as JSON, which is YAML as well\n"
			"\n"
			"Rules for what comes in and for what is routed become peer_acl and\n"
			"route_acl, with ids made of what they say; routes to domains become named\n"
			"sets that are empty, and peers names. What cannot be carried exactly is said\n"
			"on stderr and in comments; the policy never allows what the map does not.\n",
		/* clang-format on */
		.run = run_netbird,
	},
	{.name = NULL},
};

/* What is printed is what `policy check` takes, or nothing is printed. */
static int check(const struct netbird_import *import, struct error *error)
{
	struct policy *policy;
	int err = policy_parse("the policy made of it", import->text, import->len, &policy, error);

	if (err) {
		error->in_file = false;
		error->invalid_input = false;
		return err;
	}
	policy_free(policy);
	return 0;
}

/* Print the policy, and what could not be carried. */
static int print(const struct netbird_import *import, bool json, struct error *error)
{
	const json_t *note;
	size_t i;
	int err = check(import, error);

	if (err)
		return err;
	fwrite(import->text, 1, import->len, stdout);
	if (json)
		putchar('\n');
	err = output_flush(stdout, error);
	json_array_foreach (import->notes, i, note)
		if (!err)
			command_warn(json_string_value(note), NULL);
	return err;
}

/* Read a map, and print the policy made of it. */
static int import_map(const char *path, const struct netbird_options *options, struct error *error)
{
	static const struct file_kind kind = {"network map", MAP_MAX_BYTES};
	struct netbird_map map = {.path = path};
	struct netbird_import import;
	char *text = NULL;
	int err = file_read(path, &kind, &text, &map.len, error);

	if (err) {
		error->invalid_input = true; /* as a policy that cannot be read */
		return err;
	}
	map.text = text;
	err = netbird_import(&map, options, &import, error);
	free(text);
	if (err)
		return err;
	err = print(&import, options->json, error);
	netbird_import_free(&import);
	return err ? error_prefix(error, "%.256s", path) : 0;
}

/* The command `shrike policy import netbird`. */
static int run_netbird(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"dynamic", required_argument, NULL, OPTION_DYNAMIC},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct netbird_options known = {};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		known.json |= option == 'j';
		if (option != OPTION_DYNAMIC)
			continue;
		if (strcmp(optarg, "any"))
			return command_usage(command, "--dynamic takes 'any' only");
		known.dynamic_any = true;
	}
	if (argc - optind != 1)
		return command_usage(command, "one file is needed");
	return import_map(argv[optind], &known, &error) ? command_fail(&error) : EXIT_DONE;
}
