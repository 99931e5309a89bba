/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike why: what became of packets of the past, from the flight recorder.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "base/value.h"
#include "cli/command.h"
#include "conntrack/event_print.h"
#include "dataplane/past_policies.h"
#include "incident/past_file.h"
#include "packet/pcapng.h"
#include "trace/record_print.h"
#include "trace/why.h"
#include "version.h"

#define READ_PERIOD_MS 500
#define LATE_NS	       (50 * NS_PER_MS) /* by which a record may be in the past when it is written */
#define COMMENT_MAX    256

static int run_why(const struct command *command, int argc, char **argv);

const struct command command_why = {
	.name = "why",
	.arguments = "[SRC] [DST] [FILTER] [--since TIME] [-i IFACE | --from FILE] [--follow] "
		     "[-w FILE] [--numeric] [-j] [-v]",
	.summary = "why packets of the past were dropped or let through",
	.details = "  SRC, DST              addresses, prefixes or names; 'any' for all\n"
		   "      --since TIME      only what was seen in the last 90s, 10m, 2h\n"
		   "  -f, --follow          go on with what comes, until a signal\n"
		   "  -w, --write FILE      a capture (pcapng) of the headers; '-': stdout\n"
		   "  -i, --interface IFACE the interface; else the only attached one, else wt0\n"
		   "      --from FILE       what 'shrike report' has written, here or elsewhere;\n"
		   "                        needs no rights, and --since ends when it was written\n"
		   "  -j, --json            one object; with --follow one per kind and "
		   "line\n" NUMERIC_HELP
		   "  -v, --verbose         each stage, not only the one that decided\n"
		   "\n" TRACE_FILTER_HELP "\n"
		   "The programs record each drop and each new connection.  Packets of a kind,\n"
		   "with the same addresses and destination port, are counted.  The answer is by\n"
		   "the policy that was in force then, from the history.\n",
	.run = run_why,
};

enum why_option {
	OPTION_SINCE = OPTION_COMMAND,
	OPTION_FROM,
};

struct asked {
	struct why why;
	struct attached attached;
	struct past_policies past;
	struct rule_names rules;
	struct names names;
	struct incident_past report;
	const char *from; /* the report, NULL: the kernel is asked */
	const char *interface;
	const char *path; /* of the capture to write, NULL: none */
	char name[IF_NAMESIZE];
	uint64_t since_ns; /* 0: all that there is */
	int signal_fd;
	bool follow;
	bool json;
	bool numeric;
	bool named; /* the names of the policy in force are known */
};

static int set_option(struct asked *asked, int option, const char *argument, struct error *error)
{
	switch (option) {
	case OPTION_SINCE:
		return since_parse(argument, &asked->since_ns, error);
	case OPTION_FROM:
		asked->from = argument;
		return 0;
	case 'f':
		asked->follow = true;
		return 0;
	case 'w':
		asked->path = argument;
		return 0;
	case 'i':
		asked->interface = argument;
		return 0;
	case 'j':
		asked->json = true;
		return 0;
	case 'v':
		asked->why.verbose = true;
		return 0;
	case OPTION_NUMERIC:
		asked->numeric = true;
		return 0;
	}
	return trace_options_take(&asked->why.filter, option, argument, error);
}

/* Take SRC and DST, which are words of the filter. */
static int set_ends(struct asked *asked, int argc, char **argv, struct error *error)
{
	static const int options[] = {FILTER_SRC, FILTER_DST};
	int err = 0;

	for (int i = 0; i < argc && !err; i++)
		if (strcmp(argv[i], "any"))
			err = trace_options_take(&asked->why.filter, options[i], argv[i], error);
	return err;
}

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct asked *asked)
{
	static const struct option options[] = {
		{"since", required_argument, NULL, OPTION_SINCE},
		{"from", required_argument, NULL, OPTION_FROM},
		{"follow", no_argument, NULL, 'f'},
		{"write", required_argument, NULL, 'w'},
		{"interface", required_argument, NULL, 'i'},
		TRACE_FILTER_LONG_OPTIONS,
		NUMERIC_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "fi:w:jv" FILTER_SHORT_OPTIONS, options)) !=
	       -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (set_option(asked, option, optarg, &error))
			return command_fail(&error);
	}
	if (argc - optind > 2)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 2]);
	if (asked->path && (asked->json || asked->follow))
		return command_usage(command, "-w goes with neither -j nor --follow");
	if (asked->from && (asked->interface || asked->follow))
		return command_usage(command, "--from goes with neither -i nor --follow");
	if (asked->why.filter.one.state != FLOW_STATE_MAX)
		return command_usage(command, "--state: the recorder does not know it");
	if (set_ends(asked, argc - optind, argv + optind, &error))
		return command_fail(&error);
	return -1;
}

/* Write the first packet of a record, with what became of it as comment. */
static void write_packet(const struct why *why, const struct record *record, FILE *out)
{
	uint8_t bytes[RECORDED_HEADERS_MAX];
	char comment[COMMENT_MAX];
	struct trace_event event;
	const char *rule;
	size_t len;

	if (!recorded_headers(record, bytes, &len))
		return;
	recorded_event(record, &event);
	rule = why_rule(why, &event, record);
	snprintf(comment, sizeof(comment), "verdict=%s reason=%s%s%s count=%u",
		 verdict_name(event.verdict), reason_name(event.reason), rule ? " rule=" : "",
		 rule ? rule : "", record->count);
	pcapng_packet(out, &(struct pcapng_packet){
				   .time_ns = record->time_ns + why->offset_ns,
				   .bytes = bytes,
				   .captured = len,
				   .len = record->ip_len > len ? record->ip_len : len,
				   .inbound = event.direction != DIR_EGRESS,
				   .comment = comment,
			   });
}

/* Write a capture of all records that are asked for, each a kind by itself. */
static int write_capture(const struct asked *asked, const struct record *records, size_t n,
			 struct error *error)
{
	FILE *out = strcmp(asked->path, "-") ? fopen(asked->path, "we") : stdout;
	struct why_kind kind;
	int err;

	if (!out)
		return error_set(error, errno, "%s: %s", asked->path, strerror(errno));
	pcapng_begin(out, "shrike " SHRIKE_VERSION, asked->name, PCAPNG_LINK_RAW, UINT16_MAX);
	for (size_t i = 0; i < n; i++)
		if (why_kinds(&asked->why, &records[i], 1, &kind) &&
		    !(records[i].flags & RECORD_REST))
			write_packet(&asked->why, &records[i], out);
	err = output_flush(out, error);
	if (out != stdout && fclose(out) && !err)
		err = error_set(error, errno, "%s: %s", asked->path, strerror(errno));
	return err;
}

static int print_json(const struct asked *asked, const struct why_kind *kinds, size_t n,
		      struct error *error)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, why_json(&asked->why, &kinds[i]));
	return output_json(
		json_pack("{s:o,s:o}", "interface", output_json_text(asked->name), "kinds", list),
		stdout, error);
}

/* Print kinds, the one that was seen last at the end. */
static int print_kinds(const struct asked *asked, const struct why_kind *kinds, size_t n,
		       struct error *error)
{
	int err = 0;

	if (asked->json && !asked->follow)
		return print_json(asked, kinds, n, error);
	for (size_t i = 0; i < n && !err; i++)
		err = asked->json
			      ? output_json_line(why_json(&asked->why, &kinds[i]), stdout, error)
			      : why_print(&asked->why, &kinds[i], stdout, error);
	if (!n && !asked->follow)
		puts("Nothing of that is recorded.");
	return err ? err : output_flush(stdout, error);
}

/* Answer from records. */
static int answer_from(const struct asked *asked, const struct record *records, size_t n,
		       struct error *error)
{
	struct why_kind *kinds = calloc(n + 1, sizeof(*kinds));
	int err;

	if (!kinds)
		err = error_no_memory(error);
	else if (asked->path)
		err = write_capture(asked, records, n, error);
	else
		err = print_kinds(asked, kinds, why_kinds(&asked->why, records, n, kinds), error);
	free(kinds);
	return err;
}

/* Read what is recorded, and answer. */
static int answer(const struct asked *asked, struct error *error)
{
	struct record *records;
	size_t n;
	int err = recorded_read(&asked->attached.maps, &records, &n, error);

	if (err)
		return error_prefix(error, "%s", asked->name);
	err = answer_from(asked, records, n, error);
	free(records);
	return err;
}

/* Answer from a report. */
static int answer_report(struct asked *asked, struct error *error)
{
	const struct incident_past *report = &asked->report;
	int err = past_file_read(asked->from, &asked->report, error);

	if (!err)
		err = incident_past_policies(report, &asked->past, error);
	if (!err)
		err = incident_past_names(report, &asked->names, error);
	if (!err)
		err = trace_options_resolve(&asked->why.filter, &asked->names, error);
	if (err)
		return err;
	asked->why.names = asked->numeric ? NULL : &asked->names;
	asked->why.rules = &report->rules;
	asked->why.offset_ns = report->offset_ns;
	snprintf(asked->name, sizeof(asked->name), "%s", report->interface);
	if (asked->since_ns && asked->since_ns < report->written_ns)
		asked->why.from_ns = report->written_ns - asked->since_ns;
	asked->why.to_ns = UINT64_MAX;
	return answer_from(asked, report->records, report->n_records, error);
}

/* Read what answers refer to; after a change of the policy, again. */
static int read_context(struct asked *asked, struct error *error)
{
	struct attached fresh;
	struct error ignored;
	int err = attached_open(asked->attached.ifindex, &fresh, error);

	if (err)
		return error_prefix(error, "%s", asked->name);
	if (asked->past.n &&
	    fresh.instance.config.generation == asked->attached.instance.config.generation) {
		attached_close(&fresh);
		return 0;
	}
	attached_close(&asked->attached);
	asked->attached = fresh;
	past_policies_free(&asked->past);
	err = past_policies_read(&asked->past, asked->name, &fresh, error);
	if (!err)
		err = rule_names_read(&asked->rules, &asked->attached.maps, error);
	if (err || asked->names.n)
		return err;
	asked->named = true;
	attached_names(&asked->attached, &asked->names, &ignored);
	asked->why.names = asked->numeric ? NULL : &asked->names;
	return trace_options_resolve(&asked->why.filter, &asked->names, error);
}

/* Answer for what was first seen since the last time, until a signal. */
static int follow(struct asked *asked, struct error *error)
{
	struct pollfd fds[] = {{.fd = asked->signal_fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	int err = 0;

	while (!err) {
		asked->why.from_ns = asked->why.to_ns;
		asked->why.to_ns = clock_kernel_ns(CLOCK_MONOTONIC) - LATE_NS;
		if (poll(fds, 2, READ_PERIOD_MS) < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait: %s", strerror(errno));
		if (fds[0].revents || fds[1].revents & POLLERR)
			return 0;
		err = read_context(asked, error);
		if (!err)
			err = answer(asked, error);
	}
	return err;
}

/* Open the interface and answer. */
static int ask(struct asked *asked, struct error *error)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	int err;

	asked->why.past = &asked->past;
	asked->why.interface = asked->name;
	if (asked->from)
		return answer_report(asked, error);
	err = command_interface(asked->interface, asked->name, &asked->attached.ifindex, error);
	if (!err)
		err = read_context(asked, error);
	if (err)
		return asked->named ? err : trace_options_unresolved(&asked->why.filter, error);
	asked->why.rules = &asked->rules;
	asked->why.offset_ns = flow_clock_offset_ns();
	if (asked->since_ns && asked->since_ns < now_ns)
		asked->why.from_ns = now_ns - asked->since_ns;
	asked->why.to_ns = asked->follow ? now_ns - LATE_NS : UINT64_MAX;
	if (asked->follow)
		err = command_signals(&asked->signal_fd, error);
	if (!err)
		err = answer(asked, error);
	return err || !asked->follow ? err : follow(asked, error);
}

/* The command `shrike why`. */
static int run_why(const struct command *command, int argc, char **argv)
{
	struct asked asked = {.signal_fd = -1};
	struct error error;
	int status, err;

	trace_options_init(&asked.why.filter);
	map_set_init(&asked.attached.maps);
	status = parse(command, argc, argv, &asked);
	if (status >= 0)
		return status;
	err = ask(&asked, &error);
	past_policies_free(&asked.past);
	incident_past_free(&asked.report);
	rule_names_free(&asked.rules);
	names_free(&asked.names);
	attached_close(&asked.attached);
	if (asked.signal_fd >= 0)
		close(asked.signal_fd);
	return err ? command_fail(&error) : EXIT_DONE;
}
