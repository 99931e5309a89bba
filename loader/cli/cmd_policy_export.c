/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy export: the policy in force as a file that gives the same when it is applied.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/cmd_policy.h"
#include "dataplane/attached.h"
#include "dataplane/set_deadlines.h"
#include "policy/include.h"
#include "policy/part.h"

enum { OPTION_NETBIRD = OPTION_COMMAND };

/* Take out the mark of included files: from here on their lines are those of this file. */
static void remove_mark(struct part_text *text)
{
	static const char line[] = "\n" INCLUDED_KEY ": " INCLUDE_MARK "\n";
	char *mark = memmem(text->text, text->len, line, strlen(line));
	size_t len = strlen(" " INCLUDE_MARK);

	if (!mark)
		return;
	mark += strlen("\n" INCLUDED_KEY ":");
	text->len -= len;
	memmove(mark, mark + len, (size_t)(text->text + text->len - mark) + 1);
}

/* Print a policy as it is, or as a text in an object. */
static int print(const char *name, const struct attached *attached, const struct part_text *text,
		 bool json, struct error *error)
{
	if (json)
		return output_json(
			json_pack("{s:o,s:i,s:o,s:o}", "interface", output_json_text(name),
				  "generation", attached->instance.config.generation, "policy",
				  attached->instance.policy_path[0]
					  ? output_json_text(attached->instance.policy_path)
					  : json_null(),
				  "text", json_stringn(text->text, text->len)),
			stdout, error);
	fwrite(text->text, 1, text->len, stdout);
	return output_flush(stdout, error);
}

static int export_from(const char *name, const struct attached *attached, bool with_netbird,
		       bool json, struct error *error)
{
	struct part_text whole = {}, own = {}, part = {};
	int err = set_deadlines_text(attached, &whole.text, &whole.len, error);

	if (!err)
		err = part_split(attached->instance.policy_path, &whole, &own, &part, error);
	if (!err && part.text && !with_netbird)
		fprintf(stderr, "shrike: %s: NetBird's part is left out; --netbird prints it\n",
			name);
	if (!err) {
		struct part_text *text = with_netbird ? &whole : &own;

		remove_mark(text);
		err = print(name, attached, text, json, error);
	}
	free(whole.text);
	free(own.text);
	free(part.text);
	return err;
}

/**
 * policy_command_export() - shrike policy export
 */
int policy_command_export(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"netbird", no_argument, NULL, OPTION_NETBIRD},
		COMMON_LONG_OPTIONS,
		{},
	};
	bool json = false, with_netbird = false;
	char name[IF_NAMESIZE];
	struct attached attached;
	struct error error;
	int option, err, ifindex;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		json |= option == 'j';
		with_netbird |= option == OPTION_NETBIRD;
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	err = policy_command_interface(argv[optind], name, &ifindex, &error);
	if (!err)
		err = attached_open(ifindex, &attached, &error);
	if (err)
		return command_fail(&error);
	err = export_from(name, &attached, with_netbird, json, &error);
	attached_close(&attached);
	return err ? command_fail(&error) : EXIT_DONE;
}
