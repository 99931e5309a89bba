/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/value.h"
#include "cli/command.h"
#include "cli/top_json.h"
#include "cli/top_screen.h"
#include "conntrack/filter.h"

#define ROWS_MAX     65536
#define DEFAULT_ROWS 50
#define DEFAULT_NS   (2 * NS_PER_S)

static int run_top(const struct command *command, int argc, char **argv);

const struct command command_top = {
	.name = "top",
	.arguments = "[IFACE] [--by WHAT] [--sort KEY] [FILTER] [-b] [-n COUNT] [-i SECONDS] "
		     "[--rows N] [-h] [--numeric] [-j]",
	.summary = "who uses the interface just now: a live view",
	/* clang-format off */
	.details =
		"      --by WHAT         peer (the default), rule, dest or flow\n"
		"      --sort KEY        bytes (the default), rx, tx, packets, connections, new,\n"
		"                        drops\n"
		"  -i, --interval SECONDS\n"
		"                        from 0.01 to 86400; default 2\n"
		"  -b, --batch           print lines instead of filling the screen\n"
		"  -n, --count COUNT     with -b, end after so many intervals\n"
		"      --rows N          with -b, so many at most; the rest is summed up (50)\n"
		HUMAN_HELP
		NUMERIC_HELP
		"  -j, --json            one object per interval and line\n"
		"\n"
		FILTER_HELP
		"\n"
		"On the screen, '?' shows what the keys do. rx is what came in by the interface\n"
		"from the peer, tx what went out to it. Connections that began and ended between\n"
		"two looks are counted, too.\n",
	/* clang-format on */
	.run = run_top,
};

struct top_options {
	struct top_question question;
	struct top_settings settings;
	uint64_t limit; /* 0: none */
	uint64_t rows;
	bool batch;
	bool json;
	bool human;
};

static int parse_word(const struct command *command, const char *what,
		      const char *(*name)(unsigned int), unsigned int n, unsigned int *value)
{
	for (unsigned int i = 0; i < n; i++)
		if (!strcmp(optarg, name(i))) {
			*value = i;
			return -1;
		}
	return command_usage(command, "--%s %.32s: unknown", what, optarg);
}

static const char *by_name(unsigned int by)
{
	return top_by_name(by);
}

static const char *order_name(unsigned int order)
{
	return top_order_name(order);
}

static int parse_rows(const struct command *command, uint64_t *rows)
{
	struct error ignored;

	if (number_parse(optarg, 1, ROWS_MAX, rows, &ignored))
		return command_usage(command, "--rows %.32s: not from 1 to %u", optarg, ROWS_MAX);
	return -1;
}

enum top_option {
	OPTION_BY = OPTION_COMMAND,
	OPTION_SORT,
	OPTION_ROWS,
};

/* Returns an exit status, or -1 to go on. */
static int set_option(const struct command *command, int option, struct top_options *options)
{
	struct top_question *question = &options->question;
	unsigned int word = 0;
	struct error error;
	int status = -1;

	switch (option) {
	case OPTION_BY:
		status = parse_word(command, "by", by_name, TOP_BY_MAX, &word);
		question->by = word;
		break;
	case OPTION_SORT:
		status = parse_word(command, "sort", order_name, TOP_ORDER_MAX, &word);
		question->order = word;
		break;
	case OPTION_ROWS:
		return parse_rows(command, &options->rows);
	case OPTION_NUMERIC:
		options->settings.numeric = true;
		break;
	case 'i':
		return command_parse_interval(command, &options->settings.interval_ns);
	case 'n':
		return command_parse_count(command, &options->limit);
	case 'b':
		options->batch = true;
		break;
	case 'h':
		options->human = true;
		break;
	case 'j':
		options->json = options->batch = true;
		break;
	case 'v':
		break;
	default:
		if (filter_option(&question->filter, option, optarg, &error) < 0)
			return command_fail(&error);
	}
	return status;
}

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct top_options *options)
{
	static const struct option long_options[] = {
		{"by", required_argument, NULL, OPTION_BY},
		{"sort", required_argument, NULL, OPTION_SORT},
		{"interval", required_argument, NULL, 'i'},
		{"batch", no_argument, NULL, 'b'},
		{"count", required_argument, NULL, 'n'},
		{"rows", required_argument, NULL, OPTION_ROWS},
		HUMAN_LONG_OPTION,
		NUMERIC_LONG_OPTION,
		FILTER_LONG_OPTIONS,
		COMMON_LONG_OPTIONS,
		{},
	};
	int option, status = -1;

	filter_init(&options->question.filter);
	while (status < 0 && (option = command_option(argc, argv, "i:bn:hjv" FILTER_SHORT_OPTIONS,
						      long_options)) != -1) {
		if (option == OPTION_HELP)
			status = command_help(command);
		else if (option == '?')
			status = command_unknown_option(command, argv);
		else
			status = set_option(command, option, options);
	}
	if (status < 0 && argc - optind > 1)
		status = command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	return status;
}

/* Look the rule and the names of the filter up. */
static int resolve_filter(struct top *top, struct filter *filter, struct error *error)
{
	if (filter->rule_id[0])
		filter->rule = rule_names_number(&top->context.rules, filter->rule_id);
	if (filter->rule_id[0] && filter->rule == RULE_NONE)
		return error_input(error, "rule %s: none in force has this id", filter->rule_id);
	return filter_resolve(filter, &top->context.names, error);
}

/* Columns of the terminal; 0: as many as needed. */
static size_t columns_of_output(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}

/* Print a view as lines, and an empty one after it. */
static void print_lines(const struct top_view *view, size_t max_rows)
{
	char header[TOP_HEADER_LINES][TOP_LINE_MAX], line[TOP_LINE_MAX], label[TOP_LABEL_MAX];
	size_t n = top_view_header(view, header);
	struct top_row sum;

	for (size_t i = 0; i < n; i++)
		puts(header[i]);
	top_view_titles(view, line);
	puts(line);
	for (size_t i = 0; i < view->rows->n && i < max_rows; i++) {
		top_view_label(view, &view->rows->list[i], label);
		top_view_row(view, &view->rows->list[i], label, line);
		puts(line);
	}
	if (view->rows->n > max_rows) {
		top_row_sum(view->rows, max_rows, &sum);
		snprintf(label, sizeof(label), "(%zu others)", view->rows->n - max_rows);
		top_view_row(view, &sum, label, line);
		puts(line);
	}
	putchar('\n');
}

/* Print the interval that the last look has ended. */
static int print(const struct top_options *options, struct top *top, struct top_rows *rows,
		 struct error *error)
{
	const struct top_view view = {
		.top = top,
		.question = &options->question,
		.rows = rows,
		.columns = columns_of_output(),
		.human = options->human,
		.numeric = options->settings.numeric,
	};
	int err = top_rows_make(rows, &top->ledger, &options->question, error);

	if (err)
		return err;
	if (options->json)
		return output_json(top_json(&view, options->rows), stdout, error);
	print_lines(&view, options->rows);
	return output_flush(stdout, error);
}

/* Returns 1 once nobody wants more: a signal has come, or the reader of a pipe has gone. */
static int wait_for_interval(struct top *top, int signal_fd, int64_t deadline_ns,
			     struct error *error)
{
	struct pollfd fds[] = {
		{.fd = signal_fd, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* poll() reports POLLERR without being asked */
	};
	int err;

	while ((err = top_wait(top, fds, 2, deadline_ns, error)) > 0) {
		if (fds[0].revents || (fds[1].revents & POLLERR))
			return 1;
		fds[1].fd = -1;
	}
	return err;
}

/* Print each interval until a signal, the count or the reader ends it. */
static int run_batch(const struct top_options *options, struct top *top, struct error *error)
{
	int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC), now_ns;
	struct top_rows rows = {};
	int signal_fd, err = command_signals(&signal_fd, error), over = 0;

	if (err)
		return err;
	err = top_look(top, error);
	for (uint64_t n = 0; !err && !over && (!options->limit || n < options->limit); n++) {
		deadline_ns += options->settings.interval_ns;
		over = wait_for_interval(top, signal_fd, deadline_ns, error);
		if (over)
			break;
		err = top_look(top, error);
		if (!err)
			err = print(options, top, &rows, error);
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns - deadline_ns >= options->settings.interval_ns) /* stopped meanwhile */
			deadline_ns = now_ns;
	}
	top_rows_free(&rows);
	close(signal_fd);
	return over < 0 ? over : err;
}

/* Show the interface, on the screen or as lines. */
static int show(struct top_options *options, struct top *top, struct error *error)
{
	int err = resolve_filter(top, &options->question.filter, error);

	if (err)
		return err;
	if (options->batch)
		return run_batch(options, top, error);
	return top_screen_run(top, &options->question, &options->settings, error);
}

/* The command `shrike top`. */
static int run_top(const struct command *command, int argc, char **argv)
{
	struct top_options options = {.rows = DEFAULT_ROWS, .settings.interval_ns = DEFAULT_NS};
	int status = parse(command, argc, argv, &options), ifindex, err;
	char name[IF_NAMESIZE];
	bool opened = false;
	struct error error;
	struct top top;

	if (status >= 0)
		return status;
	options.batch |= !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO);
	signal(SIGPIPE, SIG_IGN);
	err = command_interface(argv[optind], name, &ifindex, &error);
	if (!err) {
		err = top_open(&top, name, ifindex, &error);
		opened = !err;
		if (opened)
			err = show(&options, &top, &error);
		top_close(&top);
	}
	if (!opened)
		err = filter_unresolved(&options.question.filter, &error);
	if (err == -EPIPE) { /* the end that a reader makes, not a failure */
		__fpurge(stdout);
		clearerr(stdout);
		err = 0;
	}
	return err ? command_fail(&error) : EXIT_DONE;
}
