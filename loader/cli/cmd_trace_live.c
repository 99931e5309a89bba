/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "base/screen.h"
#include "base/value.h"
#include "cli/command.h"
#include "conntrack/event_print.h"
#include "dataplane/rule_names.h"
#include "packet/pcapng.h"
#include "trace/live.h"
#include "trace/options.h"
#include "trace/record_json.h"
#include "trace/record_print.h"
#include "version.h"

#define READ_PERIOD_MS 100 /* a record waits so long at most */
#define LOOK_PERIOD_NS NS_PER_S
#define SNAP_DEFAULT   256
#define COMMENT_MAX    4096
#define OUTPUT_BYTES   (1 << 20)

enum live_option {
	OPTION_DURATION = 0x200,
	OPTION_SNAPLEN,
	OPTION_EVERY,
};

struct session {
	struct trace_options filter;
	struct trace_live_spec spec;
	struct trace_live *trace;
	struct rule_names rules;
	struct names names;	   /* as of the last look around */
	struct names filter_names; /* as of the beginning */
	const char *interface;
	const char *path; /* of the capture to write, NULL: none */
	FILE *out;	  /* the capture, or standard output */
	char name[IF_NAMESIZE];
	uint64_t offset_ns;
	uint64_t shown;
	uint64_t limit;	  /* packets, 0: none */
	uint64_t end_ns;  /* CLOCK_MONOTONIC, 0: none */
	uint64_t look_ns; /* when to look whether the policy has changed */
	uint64_t lost;	  /* reported so far */
	uint64_t duration_ns;
	uint32_t every;
	int signal_fd;
	bool json;
	bool numeric;
	bool verbose;
	bool unread; /* the reader of the output has gone */
};

static int set_option(struct session *session, int option, const char *argument,
		      struct error *error)
{
	uint64_t number = 0;
	int err;

	switch (option) {
	case 'n':
	case 'c': /* its name before */
		err = number_parse(argument, 1, UINT64_MAX, &session->limit, error);
		return err ? error_prefix(error, "count") : 0;
	case OPTION_DURATION:
		err = duration_parse(argument, &session->duration_ns, error);
		return err ? error_prefix(error, "duration") : 0;
	case OPTION_SNAPLEN:
		err = number_parse(argument, 0, TRACE_SNAP_MAX, &number, error);
		session->spec.snap_len = number;
		return err ? error_prefix(error, "snaplen") : 0;
	case OPTION_EVERY:
		err = number_parse(argument, 1, UINT32_MAX, &number, error);
		session->every = number;
		return err ? error_prefix(error, "every") : 0;
	case 'i':
		session->interface = argument;
		return 0;
	case 'w':
		session->path = argument;
		return 0;
	case 'j':
		session->json = true;
		return 0;
	case 'v':
		session->verbose = true;
		return 0;
	case OPTION_NUMERIC:
		session->numeric = true;
		return 0;
	}
	return trace_options_take(&session->filter, option, argument, error);
}

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv, struct session *session)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		{"write", required_argument, NULL, 'w'},
		{"count", required_argument, NULL, 'n'},
		{"duration", required_argument, NULL, OPTION_DURATION},
		{"snaplen", required_argument, NULL, OPTION_SNAPLEN},
		{"every", required_argument, NULL, OPTION_EVERY},
		TRACE_FILTER_LONG_OPTIONS,
		NUMERIC_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "i:w:n:c:jv" FILTER_SHORT_OPTIONS, options)) !=
	       -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (set_option(session, option, optarg, &error))
			return command_fail(&error);
	}
	if (argc - optind > !session->interface)
		return command_usage(command, "unexpected argument '%s'", argv[argc - 1]);
	if (argc > optind)
		session->interface = argv[optind];
	if (session->path && session->json)
		return command_usage(command, "-j and -w exclude each other");
	return -1;
}

/* "verdict=drop reason=peer_acl_denied rule=ssh state=...", with -v also the stages. */
static const char *comment_of(const struct session *session, const struct trace_event *event,
			      const char *rule_id, char text[COMMENT_MAX])
{
	FILE *stages;
	int len;

	len = snprintf(text, COMMENT_MAX, "verdict=%s reason=%s%s%s%s%s",
		       verdict_name(event->verdict), reason_name(event->reason),
		       rule_id ? " rule=" : "", rule_id ? rule_id : "",
		       event->flow_state ? " state=" : "",
		       event->flow_state ? flow_state_name(event->flow_state) : "");
	stages = session->verbose ? fmemopen(text + len, COMMENT_MAX - len, "w") : NULL;
	if (!stages)
		return text;
	fputc('\n', stages);
	record_write_stages(event, &(struct record_names){.rule_id = rule_id}, "", stages);
	fclose(stages);
	*strrchr(text, '\n') = '\0';
	return text;
}

/* The link header that the capture says packets have. */
static uint32_t capture_l2_len(const struct session *session)
{
	return trace_live_generation(session->trace)->instance.config.l2_len;
}

/*
 * Have a packet begin as those of the interface do: what an uplink has brought may have a link header
 * of another length, or none, which becomes one without addresses.
 */
static void fit_link(struct pcapng_packet *packet, const struct trace_event *event, uint32_t l2_len)
{
	static uint8_t frame[ETH_HLEN + TRACE_SNAP_MAX];
	uint16_t ethertype = htons(event->ip_version == IP_VERSION_6 ? ETH_P_IPV6 : ETH_P_IP);
	uint32_t cut = event->l2_len < packet->captured ? event->l2_len : packet->captured;

	if (event->l2_len == l2_len)
		return;
	packet->bytes = (const uint8_t *)packet->bytes + cut;
	packet->captured -= cut;
	packet->len -= event->l2_len;
	if (!l2_len)
		return;
	memcpy(frame + ETH_HLEN - sizeof(ethertype), &ethertype, sizeof(ethertype));
	memcpy(frame + ETH_HLEN, packet->bytes, packet->captured);
	packet->bytes = frame;
	packet->captured += ETH_HLEN;
	packet->len += ETH_HLEN;
}

/* Write a packet to the capture, with the record as comment. */
static void write_packet(struct session *session, const struct trace_record *record,
			 const char *rule_id)
{
	const struct trace_event *event = &record->event;
	char comment[COMMENT_MAX];
	struct pcapng_packet packet = {
		.time_ns = event->time_ns + session->offset_ns,
		.bytes = record->frame,
		.captured = event->frame_len,
		.len = event->wire_len,
		.inbound = event->direction != DIR_EGRESS,
		.comment = comment_of(session, event, rule_id, comment),
	};

	fit_link(&packet, event, capture_l2_len(session));
	pcapng_packet(session->out, &packet);
}

/* Print a record as text, in lines that fit the terminal. */
static int print_text(struct session *session, const struct trace_event *event,
		      const struct record_names *names)
{
	bool colour = event->verdict == VERDICT_DROP && output_wants_colour(session->out);
	char time[OUTPUT_TIME_LEN], *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return -ENOMEM;
	fprintf(out, "%s %s", output_time(time, event->time_ns + session->offset_ns),
		output_colour_on(colour, OUTPUT_RED));
	record_write_line(event, names, out);
	record_write_details(event, out);
	fprintf(out, "%s\n", output_colour_off(colour));
	if (session->verbose)
		record_write_stages(event, names, "    ", out);
	if (!fclose(out))
		screen_write(text, session->out);
	free(text);
	return text ? 0 : -ENOMEM;
}

/* Print a record as a line of JSON. */
static int print_json(struct session *session, const struct trace_event *event,
		      const struct record_names *names)
{
	json_t *json = record_json(event, names);
	char time[OUTPUT_TIME_LEN];
	struct error ignored;

	if (!json)
		return -ENOMEM;
	json_object_set_new(json, "time",
			    json_string(output_time(time, event->time_ns + session->offset_ns)));
	if (event->flow_state)
		json_object_set_new(json, "state", json_string(flow_state_name(event->flow_state)));
	return output_json_line(json, session->out, &ignored);
}

static bool is_over(const struct session *session)
{
	return session->limit && session->shown >= session->limit;
}

/* Show a record in the format asked for, until the session is over. */
static int on_record(void *arg, const struct trace_record *record)
{
	const struct trace_event *event = &record->event;
	struct session *session = arg;
	const struct record_names names = {
		.rule_id = rule_names_find(&session->rules, event->rule),
		.names = session->numeric ? NULL : &session->names,
		.interface = session->name,
		.maps = &trace_live_generation(session->trace)->maps,
	};

	if (is_over(session) || !trace_options_match(&session->filter, event))
		return 0;
	session->shown++;
	if (session->path) {
		write_packet(session, record, names.rule_id);
		return 0;
	}
	if (session->json)
		return print_json(session, event, &names);
	return print_text(session, event, &names);
}

static void report_losses(struct session *session)
{
	struct trace_stats stats;

	trace_live_stats(session->trace, &stats);
	if (stats.lost > session->lost)
		fprintf(stderr, "shrike: %llu packets lost: more than can be written\n",
			(unsigned long long)(stats.lost - session->lost));
	session->lost = stats.lost;
}

static int look(struct session *session, struct error *error)
{
	struct error ignored;
	bool changed;
	int err = trace_live_follow(session->trace, &changed, error);

	if (err)
		return error_prefix(error, "%s", session->name);
	report_losses(session);
	if (!changed)
		return 0;
	names_free(&session->names);
	attached_names(trace_live_generation(session->trace), &session->names, &ignored);
	return rule_names_read(&session->rules, &trace_live_generation(session->trace)->maps,
			       error);
}

/* Read, hand over, and once a second look around. */
static int step(struct session *session, struct error *error)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int err = trace_live_read(session->trace, error);

	if (err == -ENOMEM)
		return error_no_memory(error);
	if (!err)
		err = output_flush(session->out, error);
	if (!err && now_ns >= session->look_ns) {
		session->look_ns = now_ns + LOOK_PERIOD_NS;
		err = look(session, error);
	}
	return err;
}

/* Until there is something to do; sets @over on a signal to end, or when nobody reads any more. */
static int wait(struct session *session, bool *over, struct error *error)
{
	struct pollfd fds[] = {
		{.fd = trace_live_fd(session->trace), .events = POLLIN},
		{.fd = session->signal_fd, .events = POLLIN},
		{.fd = fileno(session->out)}, /* poll() reports errors without being asked */
	};

	if (poll(fds, 3, READ_PERIOD_MS) < 0 && errno != EINTR)
		return error_set(error, errno, "cannot wait for packets: %s", strerror(errno));
	session->unread = fds[2].revents;
	*over = fds[1].revents || session->unread;
	return 0;
}

/* Read records until a signal, a limit or the reader ends it. */
static int loop(struct session *session, struct error *error)
{
	bool over = false;
	int err = 0;

	if (session->duration_ns)
		session->end_ns = clock_ns(CLOCK_MONOTONIC) + session->duration_ns;
	session->look_ns = clock_ns(CLOCK_MONOTONIC) + LOOK_PERIOD_NS;
	while (!err && !over && !is_over(session)) {
		if (session->end_ns && clock_ns(CLOCK_MONOTONIC) >= session->end_ns)
			over = true;
		else
			err = wait(session, &over, error);
		if (!err && !session->unread)
			err = step(session, error);
	}
	return err;
}

/* Open the capture file, and write what stands before the packets. */
static int open_output(struct session *session, struct error *error)
{
	const struct instance *instance = &trace_live_generation(session->trace)->instance;

	if (!session->path)
		return 0;
	if (strcmp(session->path, "-")) {
		session->out = fopen(session->path, "we");
		if (!session->out)
			return error_set(error, errno, "%s: %s", session->path, strerror(errno));
	}
	setvbuf(session->out, NULL, _IOFBF, OUTPUT_BYTES);
	pcapng_begin(session->out, "shrike " SHRIKE_VERSION, session->name,
		     instance->config.l2_len ? PCAPNG_LINK_ETHERNET : PCAPNG_LINK_RAW,
		     session->spec.snap_len);
	return output_flush(session->out, error);
}

/* The rule and the names of the filter have to be known before the kernel gets the filter. */
static int read_rules(struct session *session, struct error *error)
{
	struct filter *filter = &session->filter.one;
	struct attached attached;
	struct error ignored;
	int err = command_interface(session->interface, session->name, &session->spec.ifindex,
				    error);

	if (!err && attached_open(session->spec.ifindex, &attached, error))
		err = error_prefix(error, "%s", session->name);
	if (err)
		return trace_options_unresolved(&session->filter, error);
	err = rule_names_read(&session->rules, &attached.maps, error);
	attached_names(&attached, &session->names, &ignored);
	if (trace_options_has_names(&session->filter))
		attached_names(&attached, &session->filter_names, &ignored);
	attached_close(&attached);
	if (!err)
		err = trace_options_resolve(&session->filter, &session->filter_names, error);
	if (err || !filter->rule_id[0])
		return err;
	filter->rule = rule_names_number(&session->rules, filter->rule_id);
	return filter->rule != RULE_NONE
		       ? 0
		       : error_input(error, "rule %s: none in force has this id", filter->rule_id);
}

/* Open all that a trace needs, and begin it. */
static int prepare(struct session *session, struct error *error)
{
	int err;

	err = read_rules(session, error);
	if (!err)
		err = command_signals(&session->signal_fd, error);
	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away must not take us with it */
	session->spec.ifname = session->name;
	session->spec.on_record = on_record;
	session->spec.arg = session;
	session->offset_ns = flow_clock_offset_ns();
	trace_options_filter(&session->filter, session->every, &session->spec.filter);
	err = trace_live_open(&session->spec, &session->trace, error);
	if (err)
		return error_prefix(error, "%s", session->name);
	return open_output(session, error);
}

/* What came of it, on stderr: standard output may be a capture. */
static int sum_up(struct session *session, struct error *error)
{
	struct trace_stats stats;

	trace_live_stats(session->trace, &stats);
	if (session->path && !session->unread)
		pcapng_statistics(session->out,
				  clock_kernel_ns(CLOCK_MONOTONIC) + session->offset_ns,
				  stats.sampled, stats.lost);
	fprintf(stderr, "shrike: %llu packets traced, %llu matched, %llu lost\n",
		(unsigned long long)session->shown, (unsigned long long)stats.matched,
		(unsigned long long)stats.lost);
	return session->unread ? 0 : output_flush(session->out, error);
}

/* Trace until the end, and detach whatever happens. */
static int trace(struct session *session, struct error *error)
{
	struct error ignored;
	int err = prepare(session, error), closed;

	if (!err)
		err = loop(session, error);
	if (session->trace) {
		if (!err)
			err = sum_up(session, error);
		closed = trace_live_close(session->trace, err ? &ignored : error);
		err = err ? err : closed;
	}
	if (session->out && session->out != stdout)
		fclose(session->out);
	if (session->signal_fd >= 0)
		close(session->signal_fd);
	rule_names_free(&session->rules);
	names_free(&session->names);
	names_free(&session->filter_names);
	return err;
}

/**
 * command_run_trace_live() - `trace live`
 */
int command_run_trace_live(const struct command *command, int argc, char **argv)
{
	struct session session = {
		.spec.snap_len = SNAP_DEFAULT,
		.out = stdout,
		.every = 1,
		.signal_fd = -1,
	};
	struct error error;
	int status;

	trace_options_init(&session.filter);
	status = parse(command, argc, argv, &session);
	if (status >= 0)
		return status;
	return trace(&session, &error) ? command_fail(&error) : EXIT_DONE;
}
