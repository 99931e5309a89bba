/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/command.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/screen.h"
#include "base/value.h"
#include "cli/json_old.h"
#include "dataplane/attached.h"
#include "follow/daemon_socket.h"
#include "follow/follow.h"
#include "kernel/netlink.h"
#include "kernel/pin_path.h"
#include "trace/live.h"

#define COMMAND_COLUMN 12
#define HELP_COLUMNS   80
#define INTERVAL_MIN_S 0.01
#define INTERVAL_MAX_S 86400

static char current_path[64] = "shrike"; /* the words that led to the command */

static void list(const struct command *family, FILE *file)
{
	fprintf(file, "usage: %s COMMAND ...\n\n", current_path);
	for (; family->name; family++)
		fprintf(file, "  %-*s %s\n", COMMAND_COLUMN, family->name, family->summary);
	fprintf(file, "\n'%s COMMAND --help' shows more.\n", current_path);
}

/* Run a command. */
static int run(const struct command *command, int argc, char **argv)
{
	int status;

	if (command->fits)
		screen_hold();
	status = command->run(command, argc, argv);
	screen_release();
	return status;
}

/**
 * command_dispatch() - Run the command that the arguments name
 * @family: the commands to choose from
 * @argc, @argv: with the word before the command's first
 *
 * Return: exit status.
 */
int command_dispatch(const struct command *family, int argc, char **argv)
{
	struct error error;

	if (argc < 2) {
		list(family, stderr);
		return EXIT_INVALID;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		list(family, stdout);
		return EXIT_DONE;
	}
	for (const struct command *command = family; command->name; command++) {
		size_t len = strlen(current_path);

		if (strcmp(argv[1], command->name) &&
		    (strcmp(argv[1], "--version") || strcmp(command->name, "version")))
			continue;
		snprintf(current_path + len, sizeof(current_path) - len, " %s", command->name);
		opterr = 0;
		if (command->family)
			return command_dispatch(command->family, argc - 1, argv + 1);
		return run(command, argc - 1, argv + 1);
	}
	error_input(&error, "%.200s: unknown command; '%s --help' lists them", argv[1],
		    current_path);
	return command_fail(&error);
}

/* The length of what may not be parted: a word, or several in brackets. */
static size_t unit_len(const char *text)
{
	size_t len = 0;

	for (int depth = 0; text[len] && (depth || text[len] != ' '); len++)
		depth += (text[len] == '[') - (text[len] == ']');
	return len;
}

/* Print the usage in lines that fit 80 columns, those after the first below its arguments. */
static void print_usage(const char *arguments)
{
	int indent = printf("usage: %s", current_path), column = indent;

	while (*arguments) {
		size_t len = unit_len(arguments);

		if (column + 1 + (int)len > HELP_COLUMNS)
			column = printf("\n%*s", indent, "") - 1;
		column += printf(" %.*s", (int)len, arguments);
		arguments += len;
		arguments += strspn(arguments, " ");
	}
	putchar('\n');
}

/**
 * command_help() - Print the help of a command
 *
 * -j, which is the same everywhere, need not be in its details.
 */
int command_help(const struct command *command)
{
	const char *details = command->details ?: "";
	bool adds_json = strstr(command->arguments, "[-j]") && !strstr(details, "--json");

	print_usage(command->arguments);
	printf("\n%s\n", command->summary);
	if (adds_json)
		printf("\n  -j, --json            JSON instead of text, see shrike-json(5)\n");
	if (*details && (!adds_json || *details != ' '))
		putchar('\n');
	fputs(details, stdout);
	return EXIT_DONE;
}

/**
 * command_usage() - Say what is wrong with the arguments
 *
 * Return: EXIT_INVALID.
 */
int command_usage(const struct command *command, const char *format, ...)
{
	struct error error;
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	error_input(&error, "%s: %s; usage: %s %s", current_path + strlen("shrike "), what,
		    current_path, command->arguments);
	return command_fail(&error);
}

/* Take the value of --json: the form that is asked for. */
static bool take_form(const char *form)
{
	if (!strcmp(form, "1"))
		json_old_use(current_path + strlen("shrike "));
	else if (strcmp(form, "2"))
		return false;
	return true;
}

/**
 * command_option() - The next option of a command
 * @argc, @argv: its arguments
 * @short_options, @options: as for getopt_long()
 *
 * --json=1 asks for the form that JSON had before, which all commands write in one place.
 *
 * Return: as getopt_long().
 */
int command_option(int argc, char **argv, const char *short_options, const struct option *options)
{
	int option = getopt_long(argc, argv, short_options, options, NULL);

	if (option == 'j' && optarg && !take_form(optarg)) {
		optopt = 0;
		return '?';
	}
	return option;
}

/**
 * command_unknown_option() - command_option() has returned '?'
 */
int command_unknown_option(const struct command *command, char **argv)
{
	if (optarg && !optopt)
		return command_usage(command, "--json=%.32s: 2, or 1 for the form before it",
				     optarg);
	if (optopt && optopt < 0x80)
		return command_usage(command, "option '-%c' is unknown or lacks its value", optopt);
	return command_usage(command, "option '%s' is unknown or lacks its value",
			     argv[optind - 1]);
}

/**
 * command_parse_json() - Read the arguments of a command that knows no option but -j
 * @command: the command
 * @argc, @argv: its arguments
 * @max_arguments: how many it takes besides; they begin at argv[optind]
 * @json: set if -j was given
 *
 * Return: -1 to go on, or the exit status.
 */
int command_parse_json(const struct command *command, int argc, char **argv, int max_arguments,
		       bool *json)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS, {}};
	int option;

	while ((option = command_option(argc, argv, "jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		*json |= option == 'j';
	}
	if (argc - optind > max_arguments)
		return command_usage(command, "unexpected argument '%s'",
				     argv[optind + max_arguments]);
	return -1;
}

/**
 * command_parse_count() - Read the value of -c or -n, after how many of something to end
 * @command: the command
 * @count: set to the number
 *
 * Return: -1 to go on, or the exit status.
 */
int command_parse_count(const struct command *command, uint64_t *count)
{
	struct error ignored;

	if (number_parse(optarg, 1, INT64_MAX, count, &ignored))
		return command_usage(command, "count %.32s: not a number above 0", optarg);
	return -1;
}

/**
 * command_parse_interval() - Read the value of --interval, a number of seconds
 * @command: the command
 * @interval_ns: set to it
 *
 * Return: -1 to go on, or the exit status.
 */
int command_parse_interval(const struct command *command, int64_t *interval_ns)
{
	char *end;
	double seconds = strtod(optarg, &end);

	/* written so that a NaN is refused */
	if (end == optarg || *end || !(seconds >= INTERVAL_MIN_S && seconds <= INTERVAL_MAX_S))
		return command_usage(command, "interval %.32s: not from 0.01 to 86400 seconds",
				     optarg);
	*interval_ns = seconds * NS_PER_S + 0.5;
	return -1;
}

/**
 * command_fail() - Say on one line of stderr what went wrong
 *
 * Return: the exit status that belongs to it.
 */
int command_fail(const struct error *error)
{
	bool rights = error->code == EPERM || error->code == EACCES;

	fprintf(stderr, "%s%s%s\n", error->in_file ? "" : "shrike: ", error->text,
		rights && geteuid() ? ": be root" : "");
	return error->invalid_input ? EXIT_INVALID : EXIT_FAILED;
}

/**
 * command_warn() - Say on one line of stderr what was not understood; a warn_fn
 */
void command_warn(const char *text, void *unused)
{
	(void)unused;
	fprintf(stderr, "shrike: warning: %s\n", text);
}

/**
 * command_attached() - The interfaces of the namespace that shrike is attached to
 * @ifindexes: set to an array, to be freed by the caller
 * @n: set to its length
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int command_attached(int **ifindexes, size_t *n, struct error *error)
{
	struct if_nameindex *all = if_nameindex(), *link;
	size_t count = 0, found = 0;
	int *list, err = 0;

	if (!all)
		return error_set(error, errno, "cannot list interfaces: %s", strerror(errno));
	for (link = all; link->if_index; link++)
		count++;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		err = error_no_memory(error);
	for (link = all; link->if_index && !err; link++) {
		struct hook_state hooks[HOOK_POINTS];

		err = hooks_query(link->if_index, hooks, error);
		if (!err && attached_is_ours(hooks))
			list[found++] = link->if_index;
		if (err == -ENODEV) /* it has gone since it was listed */
			err = 0;
	}
	if_freenameindex(all);
	if (err) {
		free(list);
		return err;
	}
	*ifindexes = list;
	*n = found;
	return 0;
}

/* A live trace whose tracer was killed is ended by whoever comes by first. */
static void end_orphaned_trace(const char *name, int ifindex)
{
	struct error ignored;
	struct attached attached;

	if (attached_open(ifindex, &attached, &ignored))
		return;
	if (trace_live_is_on(&attached.maps))
		trace_live_recover(name, ifindex, &ignored);
	attached_close(&attached);
}

/**
 * command_interface() - The interface that is meant
 * @given: its name, NULL: the only attached one, else wt0
 * @name: set to its name
 * @ifindex: set to its index; NULL: not asked for, and it need not exist
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int command_interface(const char *given, char name[IF_NAMESIZE], int *ifindex, struct error *error)
{
	struct link_info link;
	int *attached, err;
	size_t n;

	if (given) {
		err = path_check_name(given, error);
		if (err)
			return err;
	}
	snprintf(name, IF_NAMESIZE, "%s", given ? given : "wt0");
	if (!given) {
		err = command_attached(&attached, &n, error);
		if (err)
			return err;
		if (n == 1)
			if_indextoname(attached[0], name);
		free(attached);
	}
	if (!ifindex)
		return 0;
	err = netlink_link_by_name(name, &link, error);
	if (err)
		return err;
	end_orphaned_trace(name, link.ifindex);
	*ifindex = link.ifindex;
	return 0;
}

/**
 * command_signals() - Receive the signals that end a command, instead of being ended by them
 * @fd: set to a descriptor that is readable once SIGINT, SIGTERM or SIGHUP has come
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int command_signals(int *fd, struct error *error)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	*fd = signalfd(-1, &signals, SFD_CLOEXEC);
	return *fd < 0 ? error_set(error, errno, "cannot wait for signals: %s", strerror(errno))
		       : 0;
}

/**
 * command_netbird() - The socket of NetBird's daemon that an option names
 * @given: its argument; NULL: it has none
 * @socket: set to the path
 * @error: set on failure
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int command_netbird(const char *given, const char **socket, struct error *error)
{
	*socket = given ? given : FOLLOW_SOCKET;
	return daemon_check_path(*socket, error);
}
