/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/output.h"
#include "cli/command.h"
#include "dataplane/generation.h"
#include "version.h"

static int run_version(const struct command *command, int argc, char **argv);

const struct command command_version = {
	.name = "version",
	.arguments = "[-j]",
	.summary = "print the version",
	.run = run_version,
};

/* The command `shrike version`. */
static int run_version(const struct command *command, int argc, char **argv)
{
	bool json = false;
	int status = command_parse_json(command, argc, argv, 0, &json);
	struct error error;

	if (status >= 0)
		return status;
	if (!json)
		printf("shrike %s\n", SHRIKE_VERSION);
	else if (output_json(json_pack("{s:s}", "version", SHRIKE_VERSION), stdout, &error))
		return command_fail(&error);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	const struct command commands[] = {
#define COMMAND(word) command_##word,
		COMMANDS(COMMAND)
#undef COMMAND
			{.name = NULL},
	};
	struct error error;
	int status;

	setlocale(LC_CTYPE, "C.UTF-8"); /* what is written is UTF-8, whatever the terminal's is */
	generation_verbose(false);
	status = command_dispatch(commands, argc, argv);
	if (output_flush(stdout, &error) && !status)
		return command_fail(&error);
	return status;
}
