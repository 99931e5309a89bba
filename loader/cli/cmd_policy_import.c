/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/cmd_policy.h"
#include "netbird/import.h"
#include "policy/parse.h"
#include "policy/policy.h"

static int run_netbird(const struct command *command, int argc, char **argv);

const struct command policy_command_import[] = {
	{
		.name = "netbird",
		.arguments = "FILE [-j]",
		.summary = "network_map.json of a NetBird debug bundle; '-' is standard input",
		/* clang-format off */
		.details =
			"  -j, --json            print the policy as JSON, which is YAML as well\n"
			"\n"
			"Rules for what comes in and for what is routed become peer_acl and\n"
			"route_acl, routes to domains named sets that are empty, forwarding to\n"
			"this host nat. What cannot be carried exactly is said on stderr and in\n"
			"comments; the policy never allows what the map does not.\n",
		/* clang-format on */
		.run = run_netbird,
	},
	{.name = NULL},
};

/* Read a network map from a file or standard input. */
static int load_map(const char *path, json_t **root, struct error *error)
{
	const size_t flags = JSON_REJECT_DUPLICATES;
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	json_error_t where;

	if (!file) {
		error_set(error, errno, "%.256s: %s", path, strerror(errno));
		return -error->code;
	}
	errno = 0;
	*root = json_loadf(file, flags, &where);
	if (ferror(file)) {
		error_set(error, errno ? errno : EIO, "%.256s: %s", path,
			  strerror(errno ? errno : EIO));
		json_decref(*root);
		*root = NULL;
	} else if (!*root) {
		error_input(error, "%.256s:%d:%d: %.160s", path, where.line > 0 ? where.line : 1,
			    where.column > 0 ? where.column : 1, where.text);
		error->in_file = true;
	}
	if (file != stdin)
		fclose(file);
	return *root ? 0 : -error->code;
}

/* What is printed is what `policy check` takes, or nothing is printed. */
static int check(const char *text, size_t len, struct error *error)
{
	struct policy *policy;
	int err = policy_parse("the policy made of it", text, len, &policy, error);

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
	char *text = NULL;
	size_t len = 0;
	int err;

	if (json) {
		text = json_dumps(import->policy, JSON_COMPACT);
		len = text ? strlen(text) : 0;
		err = text ? 0 : error_no_memory(error);
	} else {
		err = netbird_write(import, &text, &len, error);
	}
	if (!err)
		err = check(text, len, error);
	if (!err) {
		fwrite(text, 1, len, stdout);
		if (json)
			putchar('\n');
		err = output_flush(stdout, error);
	}
	free(text);
	return err;
}

/* Read a map, and print the policy made of it. */
static int import_map(const char *path, bool json, struct error *error)
{
	struct netbird_import import;
	const json_t *note;
	json_t *root;
	size_t i;
	int err = load_map(path, &root, error);

	if (err) {
		error->invalid_input = true; /* as a policy that cannot be read */
		return err;
	}
	err = netbird_import(root, &import, error);
	json_decref(root);
	if (err)
		return error_prefix(error, "%.256s", path);
	err = print(&import, json, error);
	json_array_foreach (import.notes, i, note)
		if (!err)
			command_warn(json_string_value(note), NULL);
	netbird_import_free(&import);
	return err ? error_prefix(error, "%.256s", path) : 0;
}

static int run_netbird(const struct command *command, int argc, char **argv)
{
	bool json = false;
	int status = command_parse_json(command, argc, argv, 1, &json);
	struct error error;

	if (status >= 0)
		return status;
	if (argc - optind != 1)
		return command_usage(command, "one file is needed");
	return import_map(argv[optind], json, &error) ? command_fail(&error) : EXIT_DONE;
}
