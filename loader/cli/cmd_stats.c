/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "cli/command.h"
#include "cli/counters_print.h"
#include "dataplane/attached.h"
#include "maps.h"

static int run_stats(const struct command *command, int argc, char **argv);

const struct command command_stats = {
	.name = "stats",
	.arguments = "[IFACE] [-n COUNT] [--interval SECONDS] [-h] [-j]",
	.summary = "packets and bytes per second, by verdict and drop reason",
	/* clang-format off */
	.details =
		"  -n, --count COUNT     end after so many intervals\n"
		"  --interval SECONDS    their length, from 0.01 to 86400; default 1\n"
		HUMAN_HELP
		"  -j, --json            one object per interval and line\n"
		"\n"
		"Rates of each direction: packets seen, and what became of them. Reasons are\n"
		"listed that dropped a packet in the interval. Policies may change meanwhile.\n",
	/* clang-format on */
	.run = run_stats,
};

/* One reading of the counters. */
struct reading {
	struct counters counters[DIR_MAX];
	int64_t monotonic_ns;
	int64_t realtime_ns;
	uint32_t map_id; /* another one: other counters */
	uint32_t generation;
	bool has_uplinks;
};

struct stats {
	char name[IF_NAMESIZE];
	int ifindex;
	int signal_fd;
	int64_t interval_ns;
	uint64_t limit; /* 0: none */
	bool json;
	bool human;
	bool colour;
};

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct stats *stats)
{
	enum { OPTION_INTERVAL = OPTION_HELP + 1 };
	static const struct option options[] = {
		{"count", required_argument, NULL, 'n'},
		{"interval", required_argument, NULL, OPTION_INTERVAL},
		HUMAN_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	int option, status = -1;

	while (status < 0 && (option = command_option(argc, argv, "n:c:hjv", options)) != -1) {
		if (option == OPTION_HELP)
			status = command_help(command);
		else if (option == '?')
			status = command_unknown_option(command, argv);
		else if (option == OPTION_INTERVAL)
			status = command_parse_interval(command, &stats->interval_ns);
		else if (option == 'n' || option == 'c') /* -c: its name before */
			status = command_parse_count(command, &stats->limit);
		else if (option == 'h')
			stats->human = true;
		else
			stats->json |= option == 'j';
	}
	if (status < 0 && argc - optind > 1)
		status = command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	return status;
}

/* Asks the kernel anew each time: the generation may be another one, or gone. */
static int read_counters(const struct stats *stats, struct reading *reading, struct error *error)
{
	const struct map_entry *map;
	struct attached attached;
	int err = attached_open(stats->ifindex, &attached, error);

	if (err == -ENODEV)
		return error_set(error, ENODEV, "%s: the interface is gone", stats->name);
	if (err)
		return error_prefix(error, "%s", stats->name);
	err = attached_counters(&attached.maps, reading->counters, error);
	if (!err) {
		map = map_set_find(&attached.maps, MAP_COUNTERS);
		reading->map_id = map->id;
		reading->generation = attached.instance.config.generation;
		reading->has_uplinks = attached.instance.config.routing == ROUTING_NAT;
		reading->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
		reading->realtime_ns = clock_ns(CLOCK_REALTIME);
	}
	attached_close(&attached);
	return err;
}

/* What has grown since; counters of another map have grown from nothing. */
static json_t *json_rates(const struct stats *stats, const struct reading *before,
			  const struct reading *now)
{
	static const struct counters nothing;
	double seconds = (double)(now->monotonic_ns - before->monotonic_ns) / NS_PER_S;
	struct counters growth[DIR_MAX];
	char time[OUTPUT_TIME_LEN];
	json_t *uplink = NULL;

	for (int direction = 0; direction < DIR_MAX; direction++)
		counters_since(now->map_id == before->map_id ? &before->counters[direction]
							     : &nothing,
			       &now->counters[direction], &growth[direction]);
	if (now->has_uplinks)
		uplink = counters_json_rates(&growth[DIR_UPLINK], seconds);
	return json_pack("{s:s,s:o,s:i,s:I,s:o,s:o,s:o,s:o*}", "time",
			 output_time(time, now->realtime_ns), "interface",
			 output_json_text(stats->name), "ifindex", stats->ifindex, "generation",
			 (json_int_t)now->generation, "seconds", output_real(seconds), "ingress",
			 counters_json_rates(&growth[DIR_INGRESS], seconds), "egress",
			 counters_json_rates(&growth[DIR_EGRESS], seconds), "uplink", uplink);
}

/* Print a rate as a line of 79 columns. */
static void print_rate(const struct stats *stats, const char *where, const char *what,
		       const json_t *rate, bool red)
{
	double packets = json_number_value(json_object_get(rate, "packets_per_s"));
	double bytes = json_number_value(json_object_get(rate, "bytes_per_s"));
	char packets_text[32], bytes_text[32];

	if (stats->human) {
		output_human(packets_text, packets, UNIT_PACKETS);
		output_human(bytes_text, bytes, UNIT_BYTES);
	} else {
		snprintf(packets_text, sizeof(packets_text), "%.1f", packets);
		snprintf(bytes_text, sizeof(bytes_text), "%.1f", bytes);
	}
	printf("%s %s%-19s%s %11s %14s\n", where, output_colour_on(red, OUTPUT_RED), what,
	       output_colour_off(red), packets_text, bytes_text);
}

/* Print the rates of a direction, a line each. */
static void print_direction(const struct stats *stats, const json_t *rates, const char *direction)
{
	const char *const verdicts[] = {"seen", verdict_name(VERDICT_PASS),
					verdict_name(VERDICT_FORWARD), verdict_name(VERDICT_DROP)};
	const char *time = json_string_value(json_object_get(rates, "time")), *reason;
	const json_t *all = json_object_get(rates, direction);
	char where[64], what[64];
	json_t *rate;

	snprintf(where, sizeof(where), "%-24s %-7s", time, direction);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++)
		print_rate(stats, where, verdicts[i], json_object_get(all, verdicts[i]), false);
	json_object_foreach (json_object_get(all, "drop_reasons"), reason, rate) {
		snprintf(what, sizeof(what), "  %s", reason);
		print_rate(stats, where, what, rate, stats->colour);
	}
}

static int print(const struct stats *stats, json_t *rates, struct error *error)
{
	if (stats->json || !rates)
		return output_json(rates, stdout, error);
	print_direction(stats, rates, "ingress");
	print_direction(stats, rates, "egress");
	if (json_object_get(rates, "uplink"))
		print_direction(stats, rates, "uplink");
	json_decref(rates);
	return output_flush(stdout, error);
}

/* Returns 1 once nobody wants more: a signal has come, or the reader of a pipe has gone. */
static int wait_until(const struct stats *stats, int64_t deadline_ns)
{
	struct pollfd fds[] = {
		{.fd = stats->signal_fd, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* poll() reports POLLERR without being asked */
	};
	int64_t left_ns;

	while ((left_ns = deadline_ns - clock_ns(CLOCK_MONOTONIC)) > 0) {
		struct timespec left = {left_ns / NS_PER_S, left_ns % NS_PER_S};

		if (ppoll(fds, 2, &left, NULL) > 0 &&
		    (fds[0].revents || (fds[1].revents & POLLERR)))
			return 1;
		if (fds[1].revents)
			fds[1].fd = -1;
	}
	return 0;
}

static int print_title(const struct stats *stats, struct error *error)
{
	if (stats->json || !isatty(STDOUT_FILENO))
		return 0;
	printf("%-24s %-7s %-19s %11s %14s\n", "TIME", "WAY", "VERDICT", "PACKETS/S", "BYTES/S");
	return output_flush(stdout, error);
}

/* Print the rates of each interval until a signal, the count or the reader ends it. */
static int loop(const struct stats *stats, struct error *error)
{
	struct reading readings[2];
	int64_t deadline_ns;
	int err = read_counters(stats, &readings[1], error);

	if (!err)
		err = print_title(stats, error);
	deadline_ns = readings[1].monotonic_ns;
	for (uint64_t n = 0; !err && (!stats->limit || n < stats->limit); n++) {
		int64_t now_ns;

		deadline_ns += stats->interval_ns;
		if (wait_until(stats, deadline_ns))
			break;
		err = read_counters(stats, &readings[n % 2], error);
		if (!err)
			err = print(stats,
				    json_rates(stats, &readings[(n + 1) % 2], &readings[n % 2]),
				    error);
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns - deadline_ns >= stats->interval_ns) /* stopped or slept meanwhile */
			deadline_ns = now_ns;
	}
	return err;
}

/* The command `shrike stats`. */
static int run_stats(const struct command *command, int argc, char **argv)
{
	struct stats stats = {.interval_ns = NS_PER_S, .signal_fd = -1};
	int status = parse(command, argc, argv, &stats), err;
	struct error error;

	if (status >= 0)
		return status;
	stats.colour = output_wants_colour(stdout);
	signal(SIGPIPE, SIG_IGN);
	err = command_interface(argv[optind], stats.name, &stats.ifindex, &error);
	if (!err)
		err = command_signals(&stats.signal_fd, &error);
	if (!err)
		err = loop(&stats, &error);
	if (err == -EPIPE) { /* the end that a reader makes, not a failure */
		__fpurge(stdout);
		clearerr(stdout);
		err = 0;
	}
	if (stats.signal_fd >= 0)
		close(stats.signal_fd);
	return err ? command_fail(&error) : EXIT_DONE;
}
