/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/log_print.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Words for --log-level, and the priorities of syslog(3). */
static const struct {
	const char *word;
	int priority;
} levels[LEVELS] = {
	[LEVEL_ERROR] = {"error", 3},
	[LEVEL_WARNING] = {"warning", 4},
	[LEVEL_INFO] = {"info", 6},
	[LEVEL_DEBUG] = {"debug", 7},
};

static enum log_level least = LEVEL_INFO; /* lines that matter less are not printed */

/**
 * log_set_level() - Choose which lines are printed
 * @text: error, warning, info or debug: these and what matters more
 * @error: set on failure
 *
 * Return: 0 or -EINVAL.
 */
int log_set_level(const char *text, struct error *error)
{
	for (enum log_level level = 0; level < LEVELS; level++)
		if (!strcmp(text, levels[level].word)) {
			least = level;
			return 0;
		}
	return error_input(error, "--log-level %.32s: not error, warning, info or debug", text);
}

/* Whether a journal reads what is written to a stream. */
static bool is_journal(FILE *stream)
{
	const char *variable = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat info;

	return variable && sscanf(variable, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(fileno(stream), &info) && info.st_dev == device && info.st_ino == inode;
}

/**
 * log_is_journal() - Whether a journal reads standard error
 */
bool log_is_journal(void)
{
	return is_journal(stderr);
}

/**
 * log_print() - Print one line of the log
 * @text: without newline
 * @level: how much it matters; errors and warnings go to standard error
 */
void log_print(const char *text, enum log_level level)
{
	bool is_bad = level <= LEVEL_WARNING;
	FILE *stream = is_bad ? stderr : stdout;

	if (level > least)
		return;
	if (is_journal(stream))
		fprintf(stream, "<%d>%s\n", levels[level].priority, text);
	else
		fprintf(stream, "%s%s\n", is_bad ? "shrike: " : "", text);
	fflush(stream);
}

/**
 * log_warn() - Log what was not understood; a warn_fn
 */
void log_warn(const char *text, void *unused)
{
	char line[1200];

	(void)unused;
	snprintf(line, sizeof(line), "warning: %s", text);
	log_print(line, LEVEL_WARNING);
}
