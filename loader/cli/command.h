/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The commands, and what they share: usage, errors, the interface that is meant.
 */
#ifndef SHRIKE_CLI_COMMAND_H
#define SHRIKE_CLI_COMMAND_H

#include <getopt.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,    /* it could not be done */
	EXIT_INVALID = 2,   /* usage or invalid input */
	EXIT_UNHEALTHY = 3, /* status --check: not protected as it should be */
	EXIT_DIFFERENT = 4, /* policy diff --exit-code */
};

/*
 * struct command - one command, or one subcommand of a family
 * @name: the word
 * @arguments: what follows it, for the usage line
 * @summary: what it does, for the list of commands
 * @details: the rest of --help; ends with a newline, NULL: none
 * @run: called with argv[0] being the word; NULL for a family
 * @fits: its text is broken into lines that fit the terminal (base/screen.h)
 * @family: its subcommands, ended by one without a name
 */
struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *details;
	int (*run)(const struct command *command, int argc, char **argv);
	const struct command *family;
	bool fits;
};

/* COMMAND(word): in the order of the help */
#define COMMANDS(COMMAND)                                                                          \
	COMMAND(run)                                                                               \
	COMMAND(attach)                                                                            \
	COMMAND(detach)                                                                            \
	COMMAND(status)                                                                            \
	COMMAND(policy)                                                                            \
	COMMAND(conntrack)                                                                         \
	COMMAND(monitor)                                                                           \
	COMMAND(stats)                                                                             \
	COMMAND(top)                                                                               \
	COMMAND(metrics)                                                                           \
	COMMAND(flowlog)                                                                           \
	COMMAND(trace)                                                                             \
	COMMAND(why)                                                                               \
	COMMAND(simulate)                                                                          \
	COMMAND(doctor)                                                                            \
	COMMAND(report)                                                                            \
	COMMAND(version)

#define COMMAND(word) extern const struct command command_##word;
COMMANDS(COMMAND)
#undef COMMAND

int command_run_trace_live(const struct command *command, int argc, char **argv);
int command_run_watch(const struct command *command, int argc, char **argv);

int command_dispatch(const struct command *family, int argc, char **argv);
int command_help(const struct command *command);
int command_usage(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int command_parse_json(const struct command *command, int argc, char **argv, int max_arguments,
		       bool *json);
int command_parse_count(const struct command *command, uint64_t *count);
int command_parse_interval(const struct command *command, int64_t *interval_ns);
int command_option(int argc, char **argv, const char *short_options, const struct option *options);
int command_unknown_option(const struct command *command, char **argv);
int command_fail(const struct error *error);
void command_warn(const char *text, void *unused);
int command_interface(const char *given, char name[IF_NAMESIZE], int *ifindex, struct error *error);
int command_signals(int *fd, struct error *error);
int command_attached(int **ifindexes, size_t *n, struct error *error);

/* For command_option(), which every command calls with POSIXLY_CORRECT off and opterr 0. */
enum common_option {
	OPTION_HELP = 0x100,
	OPTION_NUMERIC,
	OPTION_COMMAND, /* the first of a command's own */
};

int command_netbird(const char *given, const char **socket, struct error *error);

/* clang-format off */
#define COMMON_LONG_OPTIONS                                                                        \
	{"help", no_argument, NULL, OPTION_HELP},                                                  \
	{"json", optional_argument, NULL, 'j'},                                                          \
	{"verbose", no_argument, NULL, 'v'}

/* Of commands that show counts. */
#define HUMAN_LONG_OPTION {"human", no_argument, NULL, 'h'}
#define HUMAN_HELP "  -h, --human           numbers with units: 1.5k packets, 20Mi bytes\n"

/* Of commands that show addresses. */
#define NUMERIC_LONG_OPTION {"numeric", no_argument, NULL, OPTION_NUMERIC}
#define NUMERIC_HELP "      --numeric         show addresses, not the names that the policy gives them\n"
/* clang-format on */

#endif /* SHRIKE_CLI_COMMAND_H */
