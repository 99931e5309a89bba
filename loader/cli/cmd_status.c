/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/names.h"
#include "base/output.h"
#include "cli/block_print.h"
#include "cli/command.h"
#include "cli/counters_print.h"
#include "cli/nat_print.h"
#include "cli/stale_print.h"
#include "cli/status_check.h"
#include "cli/status_json.h"
#include "forwarder.h"
#include "kernel/lock.h"
#include "kernel/netlink.h"
#include "trace/record_print.h"

/* Packets are on their way for less than this. */
#define RESIDUE_LOOKS	 10
#define RESIDUE_PAUSE_NS 50000000

static int run_status(const struct command *command, int argc, char **argv);

const struct command command_status = {
	.name = "status",
	.arguments = "[IFACE] [--check] [-h] [-j]",
	.summary = "what is attached, in which mode and why, counters, table fill",
	/* clang-format off */
	.details =
		"      --check           one line: whether all is well; exit status 3 if not\n"
		HUMAN_HELP
		"\n"
		"Without IFACE: every attached interface. The counters hold\n"
		"  seen = passed + forwarded + the sum of all drop reasons\n"
		"and the difference, which should be 0, is printed as the residue.\n"
		"Not well is: not attached, no run or one that hangs, no forwarder where one\n"
		"is needed, a last reload that failed, a residue, or a stale map of NetBird's.\n",
	/* clang-format on */
	.run = run_status,
	.fits = true,
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* How text looks. */
struct look {
	bool colour;
	bool human; /* -h */
};

/* A number of a counter, as it was asked for. */
static const char *count_text(const json_t *counter, const char *key, const struct look *look,
			      char text[OUTPUT_COUNT_LEN])
{
	return output_count(text, number_of(counter, key),
			    strcmp(key, "bytes") ? UNIT_PACKETS : UNIT_BYTES, look->human);
}

/* Print the counters of a verdict by reason. */
static void print_reasons(const json_t *reasons, const char *verdict, const struct look *look)
{
	char packets[OUTPUT_COUNT_LEN], bytes[OUTPUT_COUNT_LEN];
	const char *name;
	json_t *counter;

	json_object_foreach ((json_t *)reasons, name, counter) {
		int reason = 0;

		while (reason < REASON_MAX - 1 && strcmp(reason_name(reason), name))
			reason++;
		printf("    %s%-5s%s %-19s %*s packets %*s bytes  %s\n",
		       output_colour_on(look->colour, *verdict == 'd' ? OUTPUT_RED : OUTPUT_GREEN),
		       verdict, output_colour_off(look->colour), name, look->human ? 5 : 12,
		       count_text(counter, "packets", look, packets), look->human ? 6 : 14,
		       count_text(counter, "bytes", look, bytes), reason_help(reason));
	}
}

/* Print the counters of a direction. */
static void print_counters(const json_t *counters, const char *direction, const struct look *look)
{
	static const char *const keys[] = {"seen", "pass", "forward", "drop", "tcp_out_of_window"};
	enum { SEEN, PASS, FORWARD, DROP, OUT_OF_WINDOW, N_KEYS };
	const json_t *one = json_object_get(counters, direction);
	char text[N_KEYS][OUTPUT_COUNT_LEN];

	for (int i = 0; i < N_KEYS; i++)
		count_text(json_object_get(one, keys[i]), "packets", look, text[i]);
	printf("  %s: %s seen, %s passed, %s forwarded, %s dropped, residue %lld\n", direction,
	       text[SEEN], text[PASS], text[FORWARD], text[DROP], number_of(one, "residue"));
	print_reasons(json_object_get(one, "pass_reasons"), "allow", look);
	print_reasons(json_object_get(one, "drop_reasons"), "drop", look);
	if (strcmp(text[OUT_OF_WINDOW], "0"))
		printf("    of all these %s TCP segments fitted no window and moved no "
		       "connection\n",
		       text[OUT_OF_WINDOW]);
}

static void print_tables(const json_t *tables)
{
	bool is_empty = true;
	const char *name;
	json_t *table;

	printf("  tables:");
	json_object_foreach ((json_t *)tables, name, table) {
		if (!number_of(table, "entries"))
			continue;
		printf(" %s %lld/%lld", name, number_of(table, "entries"),
		       number_of(table, "max_entries"));
		is_empty = false;
	}
	puts(is_empty ? " empty" : "");
}

static void print_loss(const json_t *forwarder, const char *name, const char *help)
{
	if (number_of(forwarder, name))
		printf("    lost  %-20s %12lld packets  %s\n", name, number_of(forwarder, name),
		       help);
}

/* What became of the packets that the dataplane has forwarded. */
static void print_packets(const json_t *forwarder)
{
	const char *device = text_of(forwarder, "device");

	printf("    input %s%s%s: %lld received, residue %lld; %lld relayed, residue %lld\n",
	       text_of(forwarder, "input"), device ? ", device " : "", device ? device : "",
	       number_of(forwarder, "rx_packets"), number_of(forwarder, "unreceived"),
	       number_of(forwarder, "rx_relayed"), number_of(forwarder, "unrelayed"));
#define LOSS(name, help) print_loss(forwarder, #name, help);
	FORWARDER_WAY_LOSSES(LOSS)
	FORWARDER_LOSSES(LOSS)
#undef LOSS
	if (number_of(forwarder, "echo_overflow"))
		printf("    %lld answers to pings found no room in a socket\n",
		       number_of(forwarder, "echo_overflow"));
	if (number_of(forwarder, "tx_failed") || number_of(forwarder, "tx_full"))
		printf("    of %lld packets to peers %lld were refused by the kernel; for %lld "
		       "more "
		       "it had no room\n",
		       number_of(forwarder, "tx_packets"), number_of(forwarder, "tx_failed"),
		       number_of(forwarder, "tx_full"));
}

/* Print the state of the forwarder, if the mode needs one. */
static void print_forwarder(const json_t *forwarder, const struct look *look)
{
	char up[OUTPUT_COUNT_LEN], down[OUTPUT_COUNT_LEN];

	if (!json_is_object(forwarder))
		return;
	if (!number_of(forwarder, "pid")) {
		printf("  forwarder: none is running, routed packets drop\n");
		return;
	}
	printf("  forwarder: pid %lld, %lld TCP connections, %lld dials in flight, %lld UDP flows, "
	       "%lld pings\n",
	       number_of(forwarder, "pid"), number_of(forwarder, "tcp_connections"),
	       number_of(forwarder, "tcp_dials"), number_of(forwarder, "udp_flows"),
	       number_of(forwarder, "echo_flows"));
	printf("    %s bytes up, %s bytes down, %lld connections opened, %lld refused, "
	       "%lld unreachable, %lld timed out, %lld revoked\n",
	       output_count(up, number_of(forwarder, "bytes_up"), UNIT_BYTES, look->human),
	       output_count(down, number_of(forwarder, "bytes_down"), UNIT_BYTES, look->human),
	       number_of(forwarder, "tcp_opened"), number_of(forwarder, "tcp_refused"),
	       number_of(forwarder, "tcp_unreachable"), number_of(forwarder, "tcp_timed_out"),
	       number_of(forwarder, "revoked"));
	print_packets(forwarder);
	if (number_of(forwarder, "displaced"))
		printf("    %lld flows and dials made room for those of peers that had fewer\n",
		       number_of(forwarder, "displaced"));
	if (number_of(forwarder, "refused_ports"))
		printf("    %lld openings were refused for want of a port of this host "
		       "(ip_local_port_range)\n",
		       number_of(forwarder, "refused_ports"));
	if (number_of(forwarder, "udp_overflow"))
		printf("    %lld answers were lost, as a socket had no room for them\n",
		       number_of(forwarder, "udp_overflow"));
	if (number_of(forwarder, "mtu") > number_of(forwarder, "packet_max"))
		printf("    packets of peers above %lld bytes are lost, as the MTU is %lld\n",
		       number_of(forwarder, "packet_max"), number_of(forwarder, "mtu"));
}

/* Print how the flow log is doing, if there is one. */
static void print_flow_log(const json_t *log, const struct look *look)
{
	long long lost = number_of(log, "lost_events"),
		  unsampled = number_of(log, "unsampled_drops");
	double fill = 100.0 * number_of(log, "used_bytes") / (number_of(log, "ring_bytes") ?: 1);
	char packets[2][OUTPUT_COUNT_LEN];

	if (!json_is_object(log))
		return;
	if (number_of(log, "reader"))
		printf("  flow log: written by process %lld, ", number_of(log, "reader"));
	else
		printf("  flow log: %snobody writes it down%s, ",
		       output_colour_on(look->colour, OUTPUT_RED), output_colour_off(look->colour));
	printf("its ring is %.0f%% full\n", fill);
	if (lost || unsampled)
		printf("    %s events were lost, as it was full; %s drops were not sampled\n",
		       output_count(packets[0], lost, UNIT_PACKETS, look->human),
		       output_count(packets[1], unsampled, UNIT_PACKETS, look->human));
}

/* Print that an interface has no protection, and what is being done about it. */
static void print_bare(const json_t *status, const struct look *look)
{
	const json_t *run = json_object_get(status, "run");
	bool is_there = json_is_integer(json_object_get(status, "ifindex"));
	char who[64] = "";

	if (json_is_object(run))
		snprintf(who, sizeof(who), "; shrike run (pid %lld) %s", number_of(run, "pid"),
			 is_there ? "is trying to attach" : "is waiting for it");
	printf("%s: %s%s%s%s\n", text_of(status, "interface"),
	       output_colour_on(look->colour, OUTPUT_RED),
	       is_there ? "not attached: nothing protects this interface" : "no such interface",
	       output_colour_off(look->colour), who);
}

/* Print who is in charge, and what they were asked for last. */
static void print_run(const json_t *status, const struct look *look)
{
	const json_t *run = json_object_get(status, "run");
	const json_t *failure = json_object_get(status, "last_failure");

	if (!json_is_true(json_object_get(status, "running")))
		printf("shrike run is not active: nobody follows address changes\n");
	else if (!json_is_object(run))
		printf("shrike run is active\n");
	else if (json_is_true(json_object_get(run, "hung")))
		printf("%sshrike run (pid %lld) hangs, silent for %lld s%s\n",
		       output_colour_on(look->colour, OUTPUT_RED), number_of(run, "pid"),
		       number_of(run, "silent_s"), output_colour_off(look->colour));
	else
		printf("shrike run is active (pid %lld)\n", number_of(run, "pid"));
	if (json_is_object(failure))
		printf("  %sthe last reload failed%s (%s, %s), the old policy stays: %s\n",
		       output_colour_on(look->colour, OUTPUT_RED), output_colour_off(look->colour),
		       text_of(failure, "cause"), text_of(failure, "time"),
		       text_of(failure, "why"));
}

/* Print the status of an interface as text. */
static void print_status(const json_t *status, const struct look *look)
{
	const json_t *netbird = json_object_get(status, "netbird");
	const char *hook;
	json_t *state;

	if (!json_is_true(json_object_get(status, "attached"))) {
		print_bare(status, look);
		return;
	}
	printf("%s: attached, generation %lld, %lld rule%s from %s, applied %s\n",
	       text_of(status, "interface"), number_of(status, "generation"),
	       number_of(status, "rules"), number_of(status, "rules") == 1 ? "" : "s",
	       *text_of(status, "policy") ? text_of(status, "policy") : "the default policy",
	       text_of(status, "applied"));
	printf("  routing %s (%s), %s, ", text_of(status, "routing"),
	       text_of(status, "routing_why"),
	       json_is_true(json_object_get(status, "stateful")) ? "stateful" : "stateless");
	print_run(status, look);
	if (json_is_object(netbird))
		printf("  %s\n", text_of(netbird, "text"));
	printf("  hook %s (%s):", text_of(status, "hook"), text_of(status, "hook_why"));
	json_object_foreach (json_object_get(status, "hooks"), hook, state)
		printf(" %s %s prog %lld", hook, text_of(state, "kind"),
		       number_of(state, "prog_id"));
	printf("\n");
	block_print(json_object_get(status, "blocked"), "  ", stdout);
	print_counters(json_object_get(status, "counters"), "ingress", look);
	print_counters(json_object_get(status, "counters"), "egress", look);
	if (json_is_object(json_object_get(status, "nat")))
		print_counters(json_object_get(status, "counters"), "uplink", look);
	print_tables(json_object_get(status, "tables"));
	if (number_of(status, "lost_events"))
		printf("  %lld flow events were lost, as a listener's ring was full\n",
		       number_of(status, "lost_events"));
	print_flow_log(json_object_get(status, "flow_log"), look);
	if (number_of(json_object_get(status, "recorder"), "beyond"))
		printf("  %lld drops or new connections were recorded without addresses: too many "
		       "kinds\n",
		       number_of(json_object_get(status, "recorder"), "beyond"));
	nat_print(json_object_get(status, "nat"));
	print_forwarder(json_object_get(status, "forwarder"), look);
}

/* The interfaces that are meant: the one given, or all attached ones, or none but wt0. */
static int find_links(const char *given, int **ifindexes, size_t *n, struct error *error)
{
	char name[IF_NAMESIZE];
	int err;

	err = command_attached(ifindexes, n, error);
	if (err || (!given && *n))
		return err;
	free(*ifindexes);
	*ifindexes = calloc(1, sizeof(**ifindexes));
	if (!*ifindexes)
		return error_no_memory(error);
	*n = 1;
	err = command_interface(given, name, *ifindexes, error);
	if (err)
		free(*ifindexes);
	return err;
}

/* Programs that read JSON get an array of interfaces, and nothing else. */
static void print_stale(bool json)
{
	const char what[] = "stale pins: ";
	size_t len = strlen(what);
	char text[1024];

	strcpy(text, what);
	if (!stale_describe(text + len, sizeof(text) - len))
		return;
	if (json)
		command_warn(text, NULL);
	else
		puts(text);
}

/* What there is to say of an interface that is not there, if somebody waits for it. */
static json_t *json_awaited(const char *given, struct error *error)
{
	const char *name = given ?: "wt0";
	json_t *run = status_json_run(name);

	if (json_is_object(run))
		return json_pack("{s:o,s:n,s:b,s:b,s:o}", "interface", output_json_text(name),
				 "ifindex", "attached", 0, "running", lock_is_held(LOCK_RUN, name),
				 "run", run);
	json_decref(run);
	error_set(error, ENODEV, "%s: no such interface in this network namespace", name);
	return NULL;
}

/* The status of an interface.  Packets on their way are no residue: they are waited for. */
static json_t *json_one(int ifindex, bool settled, struct error *error)
{
	const struct timespec pause = {.tv_nsec = RESIDUE_PAUSE_NS};
	json_t *status = NULL;

	for (int look = 0; look < RESIDUE_LOOKS; look++) {
		struct link_info link;

		json_decref(status);
		status = netlink_link_by_index(ifindex, &link, error)
				 ? NULL
				 : status_json(&link, false, error);
		if (!status || !settled || !status_has_residue(status))
			break;
		nanosleep(&pause, NULL);
	}
	return status;
}

/* Collect the status of an interface, or of all that are attached. */
static int collect(const char *given, bool settled, json_t *all, struct error *error)
{
	int *ifindexes, err;
	size_t n;

	err = find_links(given, &ifindexes, &n, error);
	if (err == -ENODEV) {
		json_t *one = json_awaited(given, error);

		return one ? json_array_append_new(all, one) : -ENODEV;
	}
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		json_t *one = json_one(ifindexes[i], settled, error);

		err = one ? json_array_append_new(all, one) : -error->code;
	}
	free(ifindexes);
	return err;
}

/* Print whether all is well, a line for each interface; the exit status. */
static int print_check(const json_t *all, bool json)
{
	json_t *checks = json_array(), *status;
	int result = EXIT_DONE;
	struct error error;
	size_t i;

	json_array_foreach ((json_t *)all, i, status) {
		json_t *check = status_check(status);

		if (!json_is_true(json_object_get(check, "healthy")))
			result = EXIT_UNHEALTHY;
		if (!json)
			status_check_print(status, check);
		json_array_append_new(checks, check);
	}
	if (json && output_json(checks, stdout, &error))
		return command_fail(&error);
	if (!json)
		json_decref(checks);
	return result;
}

/* For whoever watches, an interface that is not there is not protected. */
static int check(const char *given, bool json, struct error *error)
{
	json_t *all = json_array();
	int err = collect(given, true, all, error), result;

	if (err == -ENODEV)
		json_array_append_new(all, json_pack("{s:o,s:n,s:b,s:b}", "interface",
						     output_json_text(given ?: "wt0"), "ifindex",
						     "attached", 0, "running", 0));
	result = err && err != -ENODEV ? command_fail(error) : print_check(all, json);
	json_decref(all);
	return result;
}

/* Print the status of an interface, or of all that are attached. */
static int status_of(const char *given, bool json, struct look *look, struct error *error)
{
	json_t *all = json_array();
	int err = collect(given, false, all, error);

	if (!err && json) {
		print_stale(true);
		return output_json(all, stdout, error);
	}
	for (size_t i = 0; i < json_array_size(all) && !err; i++)
		print_status(json_array_get(all, i), look);
	if (!err)
		print_stale(false);
	json_decref(all);
	return err;
}

static int run_status(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"check", no_argument, NULL, 'c'},
		HUMAN_LONG_OPTION,
		COMMON_LONG_OPTIONS,
		{},
	};
	struct look look = {.colour = output_wants_colour(stdout)};
	bool json = false, checks = false;
	struct error error;
	int option;

	while ((option = command_option(argc, argv, "hjv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		json |= option == 'j';
		checks |= option == 'c';
		look.human |= option == 'h';
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	if (checks)
		return check(argv[optind], json, &error);
	return status_of(argv[optind], json, &look, &error) ? command_fail(&error) : EXIT_DONE;
}
