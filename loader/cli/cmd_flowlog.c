/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/value.h"
#include "cli/command.h"
#include "cli/log_print.h"
#include "conntrack/flow_log.h"
#include "dataplane/attached.h"
#include "flowlog/file_sink.h"
#include "flowlog/flowlog.h"
#include "flowlog/ipfix_sink.h"
#include "flowlog/journal_sink.h"

#define BATCH_NS	NS_PER_S
#define FILL_PERIOD_MS	100 /* how often to look at the fill of a ring that is not empty */
#define FILE_BYTES	(64u << 20)
#define FILE_BYTES_MIN	(64u << 10)
#define FILE_KEEP	5
#define DROPS_PER_S	1000
#define DROPS_PER_S_MAX 1000000

static int run_flowlog(const struct command *command, int argc, char **argv);

const struct command command_flowlog = {
	.name = "flowlog",
	.arguments = "[IFACE] [-o FILE | --journal | --ipfix COLLECTOR | --off]",
	.summary = "log connections and drops to files, the journal or IPFIX",
	/* clang-format off */
	.details =
		"  -o, --output FILE     append to FILE instead of standard output\n"
		"      --size SIZE       begin a new file where FILE would grow larger (64M)\n"
		"      --keep N          keep so many older ones: FILE.1, FILE.2 ... (5)\n"
		"      --journal         to systemd's journal\n"
		"      --ipfix udp:HOST:PORT | tcp:HOST:PORT\n"
		"                        as IPFIX to a collector\n"
		"      --drops N         at most N dropped packets a second are looked at (1000);\n"
		"                        the others are counted\n"
		"      --numeric         without the names that the policy gives to addresses\n"
		"      --off             end the log\n"
		"\n"
		"A JSON object per line for each start and end of a connection, and one a second\n"
		"for dropped packets of one sender, address, port and reason. The log goes on\n"
		"while nobody reads it: the next flowlog begins with what is still in its ring,\n"
		"and says what was lost. It costs nothing before the first flowlog, and after\n"
		"--off. SIGHUP opens FILE anew.\n",
	/* clang-format on */
	.run = run_flowlog,
};

struct flowlog_options {
	struct flowlog_settings settings;
	struct file_settings file;
	struct collector collector;
	bool is_journal;
	bool is_ipfix;
	bool has_file_option;
	bool off;
};

/* The value of --size: bytes, or K, M or G of them. */
static int parse_size(const char *text, uint64_t *bytes, struct error *error)
{
	uint64_t size;

	if (size_parse(text, &size, error))
		return error_prefix(error, "--size");
	if (size < FILE_BYTES_MIN)
		return error_input(error, "--size %.32s: less than 64K", text);
	*bytes = size;
	return 0;
}

/* The value of an option that is a number. */
static int parse_number(const char *option, uint64_t max, uint64_t *value, struct error *error)
{
	return number_parse(optarg, 0, max, value, error) ? error_prefix(error, "%s", option) : 0;
}

enum flowlog_option {
	OPTION_SIZE = OPTION_COMMAND,
	OPTION_KEEP,
	OPTION_JOURNAL,
	OPTION_IPFIX,
	OPTION_DROPS,
	OPTION_OFF,
};

/* Take one option: 0 or -errno. */
static int take_option(struct flowlog_options *options, int option, struct error *error)
{
	uint64_t keep;
	int err = 0;

	options->has_file_option |= option == OPTION_SIZE || option == OPTION_KEEP;
	if (option == 'o') {
		options->file.path = optarg;
	} else if (option == OPTION_SIZE) {
		err = parse_size(optarg, &options->file.bytes, error);
	} else if (option == OPTION_KEEP) {
		err = parse_number("--keep", FILE_KEEP_MAX, &keep, error);
		if (!err)
			options->file.keep = keep;
	} else if (option == OPTION_DROPS) {
		err = parse_number("--drops", DROPS_PER_S_MAX, &options->settings.drops_per_s,
				   error);
	} else if (option == OPTION_IPFIX) {
		options->is_ipfix = true;
		err = collector_parse(optarg, &options->collector, error);
	}
	options->is_journal |= option == OPTION_JOURNAL;
	options->off |= option == OPTION_OFF;
	options->settings.numeric |= option == OPTION_NUMERIC;
	return err;
}

/* What of the options does not go together, NULL: nothing. */
static const char *conflict(const struct flowlog_options *options)
{
	bool is_file = options->file.path;

	if (is_file + options->is_journal + options->is_ipfix + options->off > 1)
		return "one of -o, --journal, --ipfix and --off";
	if (options->has_file_option && !is_file)
		return "--size and --keep are of -o FILE";
	if (is_file && (!*options->file.path || strlen(options->file.path) >= PATH_MAX - 8))
		return "-o: not a path of a file";
	return NULL;
}

/* Returns an exit status, or -1 to go on. */
static int parse(const struct command *command, int argc, char **argv,
		 struct flowlog_options *options)
{
	static const struct option names[] = {
		{"output", required_argument, NULL, 'o'},
		{"size", required_argument, NULL, OPTION_SIZE},
		{"keep", required_argument, NULL, OPTION_KEEP},
		{"journal", no_argument, NULL, OPTION_JOURNAL},
		{"ipfix", required_argument, NULL, OPTION_IPFIX},
		{"drops", required_argument, NULL, OPTION_DROPS},
		{"off", no_argument, NULL, OPTION_OFF},
		NUMERIC_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "o:jv", names)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (take_option(options, option, &error))
			return command_fail(&error);
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	if (conflict(options))
		return command_usage(command, "%s", conflict(options));
	return -1;
}

static struct sink *make_sink(const struct flowlog_options *options, struct error *error)
{
	const struct flowlog_settings *settings = &options->settings;

	if (options->is_journal)
		return journal_sink_new(settings->ifname, error);
	if (options->is_ipfix)
		return ipfix_sink_new(&options->collector, settings->ifindex, settings->ifname,
				      error);
	return file_sink_new(&options->file, settings->ifname, error);
}

static int end_log(const struct flowlog_settings *settings, struct error *error)
{
	struct attached attached;
	int err = attached_open(settings->ifindex, &attached, error);

	if (err)
		return error_prefix(error, "%s", settings->ifname);
	err = flow_log_end(&attached.maps, settings->ifname, error);
	attached_close(&attached);
	return err;
}

struct loop {
	struct flowlog *flowlog;
	int signal_fd;
	uint64_t tick_ns; /* when to write, and to look around */
	bool is_pending;  /* something is in the ring */
	bool is_failing;  /* so the last attempt to write ended */
	bool over;
};

/* Write what there is; says where that begins or ceases to fail. */
static int write_batch(struct loop *loop, struct error *error)
{
	int err = flowlog_write(loop->flowlog, error);

	if (err == -ENOMEM)
		return err;
	if (err && !loop->is_failing)
		log_warn(error->text, NULL);
	else if (!err && loop->is_failing)
		log_warn("the flow log is written again", NULL);
	loop->is_failing = err;
	loop->is_pending = err;
	return 0;
}

static void take_signal(struct loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		flowlog_reopen(loop->flowlog);
	else
		loop->over = true;
}

/* Do what is due. */
static int step(struct loop *loop, struct error *error)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct error last;
	int err;

	if (loop->over) /* what fails could take as long as a collector does not answer */
		return loop->is_failing ? 0 : write_batch(loop, error);
	if (now_ns < loop->tick_ns)
		return loop->is_pending && flowlog_is_full(loop->flowlog) ? write_batch(loop, error)
									  : 0;
	loop->tick_ns = now_ns + BATCH_NS;
	err = flowlog_look(loop->flowlog, error);
	if (!err)
		return write_batch(loop, error);
	write_batch(loop, &last); /* what came before */
	return err;
}

/* Milliseconds until something may be due. */
static int timeout_ms(const struct loop *loop)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int ms = loop->tick_ns > now_ns ? (loop->tick_ns - now_ns) / NS_PER_MS + 1 : 0;

	return loop->is_pending && ms > FILL_PERIOD_MS ? FILL_PERIOD_MS : ms;
}

/* Write batches until a signal or the reader of a pipe ends it. */
static int run_loop(struct loop *loop, bool to_stdout, struct error *error)
{
	struct pollfd fds[] = {
		{.events = POLLIN},
		{.fd = loop->signal_fd, .events = POLLIN},
		{.fd = to_stdout ? STDOUT_FILENO : -1}, /* POLLERR comes unasked */
	};
	int err = 0;

	while (!loop->over && !err) {
		int n;

		fds[0].fd = loop->is_pending ? -1 : flowlog_fd(loop->flowlog);
		n = poll(fds, 3, timeout_ms(loop));
		if (n < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait for events: %s",
					 strerror(errno));
		if (n > 0 && (fds[2].revents & POLLERR)) /* nobody reads what would be written */
			return 0;
		if (n > 0 && fds[2].revents)
			fds[2].fd = -1;
		if (n > 0 && fds[1].revents)
			take_signal(loop);
		loop->is_pending |= n > 0 && fds[0].revents;
		err = step(loop, error);
	}
	return err;
}

/* Log until it is over. */
static int log_flows(struct flowlog_options *options, struct error *error)
{
	struct loop loop = {.signal_fd = -1};
	int err = command_signals(&loop.signal_fd, error);

	if (err)
		return err;
	options->settings.sink = make_sink(options, error);
	if (options->settings.sink)
		loop.flowlog = flowlog_open(&options->settings, error);
	if (loop.flowlog) {
		err = run_loop(&loop,
			       !(options->file.path || options->is_journal || options->is_ipfix),
			       error);
		flowlog_close(loop.flowlog);
	} else {
		err = -error->code;
	}
	close(loop.signal_fd);
	return err;
}

/* The command `shrike flowlog`. */
static int run_flowlog(const struct command *command, int argc, char **argv)
{
	struct flowlog_options options = {
		.settings = {.drops_per_s = DROPS_PER_S},
		.file = {.bytes = FILE_BYTES, .keep = FILE_KEEP},
	};
	int status = parse(command, argc, argv, &options), err;
	char name[IF_NAMESIZE];
	struct error error;

	if (status >= 0)
		return status;
	err = command_interface(argv[optind], name, &options.settings.ifindex, &error);
	options.settings.ifname = name;
	if (!err)
		err = options.off ? end_log(&options.settings, &error)
				  : log_flows(&options, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
