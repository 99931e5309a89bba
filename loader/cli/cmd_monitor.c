/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/screen.h"
#include "cli/command.h"
#include "conntrack/event_print.h"
#include "conntrack/events.h"
#include "conntrack/filter.h"
#include "conntrack/missing_ends.h"
#include "dataplane/event_context.h"

#define KEEP_PERIOD_MS 1000
#define LOOK_PERIOD_NS NS_PER_S

static int run_monitor(const struct command *command, int argc, char **argv);

const struct command command_monitor = {
	.name = "monitor",
	.arguments = "[IFACE] [FILTER] [-n COUNT] [--numeric] [-h] [-j]",
	.summary = "show connections that start and end, and dropped packets",
	.details = "  -n, --count COUNT     end after so many events\n"
		   "  -j, --json            one object per event and line\n" HUMAN_HELP NUMERIC_HELP
		   "\n" FILTER_HELP "\n"
		   "rx and tx count packets/bytes that came in and went out by the interface.\n"
		   "An opening that the kernel displaced for others ends some seconds later, with\n"
		   "the counts of when it was last seen.  Lost events are reported on stderr.\n",
	.run = run_monitor,
};

struct monitor {
	struct filter filter;
	struct event_context context;
	struct names filter_names; /* as of the beginning */
	struct flow_events *events;
	struct missing_ends *missing_ends;
	char name[IF_NAMESIZE];
	uint64_t offset_ns;
	uint64_t shown;
	uint64_t limit; /* 0: none */
	uint64_t lost;	/* reported so far, as the others */
	uint64_t missed_ns;
	uint64_t skipped;
	uint64_t look_ns; /* when to look around again */
	int signal_fd;
	bool flows_only; /* conntrack watch */
	bool json;
	bool numeric;
	bool human;
	bool over;
};

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct monitor *monitor)
{
	static const struct option options[] = {
		{"count", required_argument, NULL, 'n'},
		FILTER_LONG_OPTIONS,
		NUMERIC_LONG_OPTION,
		HUMAN_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	filter_init(&monitor->filter);
	while ((option = command_option(argc, argv, "n:c:hjv" FILTER_SHORT_OPTIONS, options)) !=
	       -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == 'j') {
			monitor->json = true;
		} else if (option == OPTION_NUMERIC) {
			monitor->numeric = true;
		} else if (option == 'h') {
			monitor->human = true;
		} else if (option == 'n' || option == 'c') { /* -c: its name before */
			if (command_parse_count(command, &monitor->limit) >= 0)
				return EXIT_INVALID;
		} else if (filter_option(&monitor->filter, option, optarg, &error) < 0) {
			return command_fail(&error);
		}
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	return -1;
}

/* Whether the filter lets an event through. */
static bool is_wanted(struct monitor *monitor, const struct flow_event *event)
{
	struct filter *filter = &monitor->filter;

	if (event->type >= FLOW_EVENT_MAX ||
	    (monitor->flows_only && event->type == FLOW_EVENT_DROP))
		return false;
	if (filter->rule_id[0] && filter->rule == RULE_NONE)
		filter->rule = rule_names_number(&monitor->context.rules, filter->rule_id);
	return filter_match_event(filter, event);
}

/* Print an event, unless the filter or the count forbids it. */
static int show(void *arg, const struct flow_event *event)
{
	struct monitor *monitor = arg;
	struct flow_event_names names;
	char line[FLOW_LINE_MAX + 1];
	struct error ignored;

	if (monitor->over || !is_wanted(monitor, event))
		return 0;
	names = event_context_names(&monitor->context, event);
	names.interface = monitor->name;
	names.offset_ns = monitor->offset_ns;
	names.human = monitor->human;
	if (monitor->numeric)
		names.names = NULL;
	if (monitor->json) {
		if (output_json_line(flow_event_json(event, &names), stdout, &ignored))
			return -ENOMEM;
	} else {
		flow_event_line(event, &names, line);
		strcat(line, "\n");
		screen_write(line, stdout);
	}
	monitor->over = ++monitor->shown == monitor->limit;
	return 0;
}

static int on_event(void *arg, const struct flow_event *event)
{
	struct monitor *monitor = arg;

	missing_ends_note(monitor->missing_ends, event);
	return show(monitor, event);
}

/* A lost event may have been the end of any connection in the list. */
static void report_losses(struct monitor *monitor)
{
	uint64_t lost = flow_events_lost(monitor->events);
	uint64_t missed_ns = flow_events_missed_ns(monitor->events);
	uint64_t skipped = missing_ends_skipped(monitor->missing_ends);

	if (lost != monitor->lost)
		fprintf(stderr, "shrike: %llu events lost\n",
			(unsigned long long)(lost - monitor->lost));
	if (missed_ns != monitor->missed_ns)
		fprintf(stderr, "shrike: the events of %.1f s lost: this process was held up\n",
			(missed_ns - monitor->missed_ns) / (double)NS_PER_S);
	if (lost != monitor->lost || missed_ns != monitor->missed_ns)
		missing_ends_clear(monitor->missing_ends);
	if (skipped != monitor->skipped)
		fprintf(stderr,
			"shrike: %llu connections too many to follow: if they are displaced, that "
			"will not be reported\n",
			(unsigned long long)(skipped - monitor->skipped));
	monitor->lost = lost;
	monitor->missed_ns = missed_ns;
	monitor->skipped = skipped;
}

/*
 * Whether the interface is still protected; a new generation brings new rules.  And whether what
 * started is still there.
 */
static int look(struct monitor *monitor, uint64_t now_ns, struct error *error)
{
	int err = event_context_refresh(&monitor->context, error);

	if (err)
		return error_prefix(error, "%s", monitor->name);
	if (missing_ends_scan(monitor->missing_ends, &monitor->context.attached.maps, now_ns, show,
			      monitor))
		return error_no_memory(error);
	return 0;
}

/* Print what events there are; once a second, look for missing ends. */
static int step(struct monitor *monitor, struct error *error)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	int err;

	flow_events_keep(monitor->events);
	err = flow_events_read(monitor->events, error);
	report_losses(monitor);
	if (!err && now_ns >= monitor->look_ns) {
		monitor->look_ns = now_ns + LOOK_PERIOD_NS;
		err = look(monitor, now_ns, error);
	}
	return err ? err : output_flush(stdout, error);
}

/* Print events until a signal, the count or the reader ends it. */
static int loop(struct monitor *monitor, struct error *error)
{
	struct pollfd fds[] = {
		{.fd = flow_events_fd(monitor->events), .events = POLLIN},
		{.fd = monitor->signal_fd, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* poll() reports POLLERR without being asked */
	};
	int err = 0;

	while (!monitor->over && !err) {
		int n = poll(fds, 3, KEEP_PERIOD_MS);

		if (n < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait for events: %s",
					 strerror(errno));
		if (n > 0 && (fds[2].revents & POLLERR)) /* the reader of a pipe has gone */
			break;
		if (n > 0 && fds[2].revents)
			fds[2].fd = -1;
		err = step(monitor, error);
		if (n > 0 && fds[1].revents)
			break;
	}
	return err;
}

/* Read the names of addresses, and look those of the filter up. */
static int read_names(struct monitor *monitor, struct error *error)
{
	struct error ignored;

	if (filter_has_names(&monitor->filter))
		attached_names(&monitor->context.attached, &monitor->filter_names, &ignored);
	return filter_resolve(&monitor->filter, &monitor->filter_names, error);
}

/* Open all that is needed to print events. */
static int prepare(struct monitor *monitor, const char *given, struct error *error)
{
	int ifindex, err;

	err = command_interface(given, monitor->name, &ifindex, error);
	if (!err && event_context_open(&monitor->context, ifindex, error))
		err = error_prefix(error, "%s", monitor->name);
	if (err)
		return filter_unresolved(&monitor->filter, error);
	if (monitor->filter.rule_id[0] &&
	    rule_names_number(&monitor->context.rules, monitor->filter.rule_id) == RULE_NONE)
		return error_input(error, "rule %s: none in force has this id",
				   monitor->filter.rule_id);
	err = read_names(monitor, error);
	if (!err)
		err = command_signals(&monitor->signal_fd, error);
	if (err)
		return err;
	monitor->offset_ns = flow_clock_offset_ns();
	monitor->look_ns = clock_kernel_ns(CLOCK_MONOTONIC) + LOOK_PERIOD_NS;
	monitor->missing_ends = missing_ends_new();
	if (!monitor->missing_ends)
		return error_no_memory(error);
	monitor->events = flow_events_open(&monitor->context.attached.maps, monitor->name, on_event,
					   monitor, error);
	return monitor->events ? 0 : -error->code;
}

/* shrike monitor, and with @flows_only shrike conntrack watch. */
static int monitor_interface(const struct command *command, int argc, char **argv, bool flows_only)
{
	struct monitor monitor = {.flows_only = flows_only, .signal_fd = -1};
	int status = parse(command, argc, argv, &monitor), err;
	struct error error;

	if (status >= 0)
		return status;
	map_set_init(&monitor.context.attached.maps);
	err = prepare(&monitor, argv[optind], &error);
	if (!err)
		err = loop(&monitor, &error);
	flow_events_close(monitor.events);
	missing_ends_free(monitor.missing_ends);
	names_free(&monitor.filter_names);
	event_context_close(&monitor.context);
	if (monitor.signal_fd >= 0)
		close(monitor.signal_fd);
	return err ? command_fail(&error) : EXIT_DONE;
}

static int run_monitor(const struct command *command, int argc, char **argv)
{
	return monitor_interface(command, argc, argv, false);
}

/**
 * command_run_watch() - `conntrack watch`: the same for connections alone
 */
int command_run_watch(const struct command *command, int argc, char **argv)
{
	return monitor_interface(command, argc, argv, true);
}
