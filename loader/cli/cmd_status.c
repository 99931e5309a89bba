/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "cli/command.h"
#include "cli/counters_print.h"
#include "cli/nat_print.h"
#include "cli/stale_print.h"
#include "conntrack/tables.h"
#include "dataplane/attached.h"
#include "follow/follow_status.h"
#include "forwarder.h"
#include "kernel/lock.h"
#include "kernel/netlink.h"
#include "maps.h"
#include "trace/record_print.h"

static int run_status(const struct command *command, int argc, char **argv);

const struct command command_status = {
	.name = "status",
	.arguments = "[IFACE] [-j]",
	.summary = "what is attached, in which mode and why, counters, table fill",
	/* clang-format off */
	.details =
		"Without IFACE: every attached interface. The counters hold\n"
		"  seen = passed + forwarded + the sum of all drop reasons\n"
		"and the difference, which should be 0, is printed as the residue.\n",
	/* clang-format on */
	.run = run_status,
};

static json_t *json_hooks(const struct hook_state hooks[HOOK_POINTS])
{
	json_t *object = json_object();

	for (int point = 0; point < HOOK_POINTS; point++)
		if (hooks[point].prog_id)
			json_object_set_new(object, hook_point_name(point),
					    json_pack("{s:s,s:i,s:i}", "kind",
						      hook_kind_name(hooks[point].kind), "prog_id",
						      hooks[point].prog_id, "link_id",
						      hooks[point].link_id));
	return object;
}

/* How many entries each connection table holds, and how many it may hold. */
static json_t *json_tables(const struct attached *attached, struct error *error)
{
	struct conntrack all, one = {.n = 1};
	json_t *object = json_object();
	struct flow_clock clock;

	flow_clock_read(&attached->instance, &clock);
	if (conntrack_open(&attached->maps, &all, error)) {
		json_decref(object);
		return NULL;
	}
	for (size_t i = 0; i < all.n; i++) {
		uint64_t count;

		one.tables[0] = all.tables[i];
		if (conntrack_count(&one, &clock, NULL, &count, error)) {
			json_decref(object);
			return NULL;
		}
		json_object_set_new(object, conntrack_maps[i].name,
				    json_pack("{s:I,s:I}", "entries", (json_int_t)count,
					      "max_entries",
					      (json_int_t)all.tables[i].max_entries));
	}
	return object;
}

/* The way into the forwarder. */
static void add_input(json_t *object, const struct attached *attached)
{
	const struct config *config = &attached->instance.config;
	bool is_tun = config->forwarder_input == FORWARDER_INPUT_TUN;
	uint32_t most = is_tun ? UINT16_MAX : forwarder_packet_max(config->l2_len);
	struct link_info device;
	bool found = attached_forwarder_device(attached, &device);

	json_object_set_new(object, "input",
			    json_string(forwarder_input_name(config->forwarder_input)));
	json_object_set_new(object, "device", found ? json_string(device.name) : json_null());
	json_object_set_new(object, "packet_max", json_integer(most));
}

/* What the forwarder tells of itself; null where packets have none to go to. */
static json_t *json_forwarder(const struct attached *attached, uint64_t forwarded)
{
	int fd = map_set_fd(&attached->maps, MAP_FORWARDER);
	const struct config *config = &attached->instance.config;
	struct forwarder_status status;
	uint32_t zero = 0;
	json_t *object;

	if (!config_has_forwarder(config) || fd < 0 || bpf_map_lookup_elem(fd, &zero, &status))
		return json_null();
	object = json_object();
#define FIELD(name) json_object_set_new(object, #name, json_integer(status.name));
	FORWARDER_GAUGES(FIELD)
	FORWARDER_TOTALS(FIELD)
#undef FIELD
#define FIELD(name, help) json_object_set_new(object, #name, json_integer(status.name));
	FORWARDER_WAY_LOSSES(FIELD)
	FORWARDER_LOSSES(FIELD)
#undef FIELD
	json_object_set_new(object, "unreceived",
			    json_integer(forwarder_unreceived(&status, forwarded)));
	json_object_set_new(object, "unrelayed", json_integer(forwarder_unrelayed(&status)));
	add_input(object, attached);
	json_object_set_new(object, "mtu", json_integer(attached->instance.mtu));
	return object;
}

/* Seconds between two times, null where one of them has not been. */
static json_t *seconds_json(uint64_t time_ns, uint64_t from_ns, uint64_t to_ns)
{
	if (!time_ns)
		return json_null();
	return json_integer(to_ns > from_ns ? (to_ns - from_ns) / NS_PER_S : 0);
}

/* How NetBird's daemon is followed; null where it is not. */
static json_t *json_netbird(const char *ifname)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	char sentence[FOLLOW_SENTENCE_MAX];
	struct follow_status status;

	if (!follow_status_read(ifname, &status))
		return json_null();
	follow_status_sentence(&status, now_ns, sentence);
	return json_pack("{s:s,s:o,s:o,s:b,s:b,s:o,s:o,s:s}", "socket", status.socket, "serial",
			 status.map_ns ? json_integer(status.serial) : json_null(), "age",
			 seconds_json(status.map_ns, status.map_ns, now_ns), "fetching",
			 status.is_fetching, "stale", status.why[0] != '\0', "why",
			 status.why[0] ? json_string(status.why) : json_null(), "next_fetch",
			 seconds_json(status.due_ns, now_ns, status.due_ns), "text", sentence);
}

/* What is in force on an attached interface. */
static json_t *json_live(const struct attached *attached, const struct link_info *link,
			 struct error *error)
{
	const struct instance *instance = &attached->instance;
	struct counters counters[DIR_MAX];
	char time[OUTPUT_TIME_LEN];
	json_t *tables;

	if (attached_counters(&attached->maps, counters, error))
		return NULL;
	tables = json_tables(attached, error);
	if (!tables)
		return NULL;
	return json_pack(
		"{s:o,s:i,s:b,s:b,s:s,s:o,s:s,s:s,s:s,s:s,s:b,s:i,s:i,s:o,s:s,s:{s:o,s:o,s:o},"
		"s:o,s:o,s:o,s:o}",
		"interface", output_json_text(link->name), "ifindex", link->ifindex, "attached", 1,
		"running", lock_is_held(LOCK_RUN, link->name), "version", instance->version,
		"hooks", json_hooks(attached->hooks), "hook",
		hook_kind_name(attached->hooks[attached->ingress].kind), "hook_why",
		instance->hook_why, "routing", routing_name(instance->config.routing),
		"routing_why", instance->routing_why, "stateful", instance->config.stateful,
		"generation", instance->config.generation, "rules", instance->rules, "policy",
		output_json_text(instance->policy_path), "applied",
		output_time(time, instance->applied_ns), "counters", "ingress",
		counters_json(&counters[DIR_INGRESS]), "egress",
		counters_json(&counters[DIR_EGRESS]), "uplink",
		counters_json(&counters[DIR_UPLINK]), "tables", tables, "forwarder",
		json_forwarder(attached, counters_to_forwarder(&counters[DIR_INGRESS])), "nat",
		nat_json(attached, counters), "netbird", json_netbird(link->name));
}

/* What there is to say of one interface. */
static json_t *json_status(const struct link_info *link, struct error *error)
{
	struct attached attached;
	json_t *object;
	int err = attached_open(link->ifindex, &attached, error);

	if (err == -ENOENT)
		object = json_pack("{s:o,s:i,s:b,s:b}", "interface", output_json_text(link->name),
				   "ifindex", link->ifindex, "attached", 0, "running",
				   lock_is_held(LOCK_RUN, link->name));
	else if (err) {
		error_prefix(error, "%s", link->name);
		return NULL;
	} else {
		error->code = 0;
		object = json_live(&attached, link, error);
		attached_close(&attached);
		if (!object && error->code)
			return NULL;
	}
	if (!object)
		error_no_memory_for(error, link->name);
	return object;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Print the counters of a verdict by reason. */
static void print_reasons(const json_t *reasons, const char *verdict, bool colour)
{
	const char *name;
	json_t *counter;

	json_object_foreach ((json_t *)reasons, name, counter) {
		int reason = 0;

		while (reason < REASON_MAX - 1 && strcmp(reason_name(reason), name))
			reason++;
		printf("    %s%-5s%s %-20s %12lld packets %14lld bytes  %s\n",
		       output_colour_on(colour, *verdict == 'd' ? OUTPUT_RED : OUTPUT_GREEN),
		       verdict, output_colour_off(colour), name, number_of(counter, "packets"),
		       number_of(counter, "bytes"), reason_help(reason));
	}
}

/* Print the counters of a direction. */
static void print_counters(const json_t *counters, const char *direction, bool colour)
{
	const json_t *one = json_object_get(counters, direction);
	const json_t *out_of_window = json_object_get(one, "tcp_out_of_window");

	printf("  %s: %lld seen, %lld passed, %lld forwarded, %lld dropped, residue %lld\n",
	       direction, number_of(json_object_get(one, "seen"), "packets"),
	       number_of(json_object_get(one, "pass"), "packets"),
	       number_of(json_object_get(one, "forward"), "packets"),
	       number_of(json_object_get(one, "drop"), "packets"), number_of(one, "residue"));
	print_reasons(json_object_get(one, "pass_reasons"), "allow", colour);
	print_reasons(json_object_get(one, "drop_reasons"), "drop", colour);
	if (number_of(out_of_window, "packets"))
		printf("    of all these %lld TCP segments fitted no window and moved no "
		       "connection\n",
		       number_of(out_of_window, "packets"));
}

static void print_tables(const json_t *tables)
{
	const char *name;
	json_t *table;

	printf("  tables:");
	json_object_foreach ((json_t *)tables, name, table) {
		if (number_of(table, "entries"))
			printf(" %s %lld/%lld", name, number_of(table, "entries"),
			       number_of(table, "max_entries"));
	}
	printf("\n");
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
static void print_forwarder(const json_t *forwarder)
{
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
	printf("    %lld bytes up, %lld bytes down, %lld connections opened, %lld refused, "
	       "%lld unreachable, %lld timed out, %lld revoked\n",
	       number_of(forwarder, "bytes_up"), number_of(forwarder, "bytes_down"),
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

/* Print the status of an interface as text. */
static void print_status(const json_t *status, bool colour)
{
	bool running = json_is_true(json_object_get(status, "running"));
	const json_t *netbird = json_object_get(status, "netbird");
	const char *hook;
	json_t *state;

	if (!json_is_true(json_object_get(status, "attached"))) {
		printf("%s: %snot attached: nothing protects this interface%s%s\n",
		       text_of(status, "interface"), output_colour_on(colour, OUTPUT_RED),
		       output_colour_off(colour),
		       running ? " ('shrike run' is trying to attach)" : "");
		return;
	}
	printf("%s: attached, generation %lld, %lld rules from %s, applied %s\n",
	       text_of(status, "interface"), number_of(status, "generation"),
	       number_of(status, "rules"),
	       *text_of(status, "policy") ? text_of(status, "policy") : "the default policy",
	       text_of(status, "applied"));
	printf("  routing %s (%s), %s, shrike run %s\n", text_of(status, "routing"),
	       text_of(status, "routing_why"),
	       json_is_true(json_object_get(status, "stateful")) ? "stateful" : "stateless",
	       running ? "is active" : "is not active: nobody follows address changes");
	if (json_is_object(netbird))
		printf("  %s\n", text_of(netbird, "text"));
	printf("  hook %s (%s):", text_of(status, "hook"), text_of(status, "hook_why"));
	json_object_foreach (json_object_get(status, "hooks"), hook, state)
		printf(" %s %s prog %lld", hook, text_of(state, "kind"),
		       number_of(state, "prog_id"));
	printf("\n");
	print_counters(json_object_get(status, "counters"), "ingress", colour);
	print_counters(json_object_get(status, "counters"), "egress", colour);
	if (json_is_object(json_object_get(status, "nat")))
		print_counters(json_object_get(status, "counters"), "uplink", colour);
	print_tables(json_object_get(status, "tables"));
	nat_print(json_object_get(status, "nat"));
	print_forwarder(json_object_get(status, "forwarder"));
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
	char text[1024];

	if (!stale_describe(text, sizeof(text)))
		return;
	if (json)
		command_warn(text, NULL);
	else
		printf("stale pins: %s\n", text);
}

/* Print the status of an interface, or of all that are attached. */
static int status_of(const char *given, bool json, struct error *error)
{
	json_t *all = json_array();
	bool colour = output_wants_colour(stdout);
	int *ifindexes, err;
	size_t n;

	err = find_links(given, &ifindexes, &n, error);
	if (err) {
		json_decref(all);
		return err;
	}
	for (size_t i = 0; i < n && !err; i++) {
		struct link_info link;
		json_t *one;

		err = netlink_link_by_index(ifindexes[i], &link, error);
		one = err ? NULL : json_status(&link, error);
		if (!one)
			err = -error->code;
		else
			json_array_append_new(all, one);
	}
	free(ifindexes);
	if (!err && json) {
		print_stale(true);
		return output_json(all, stdout, error);
	}
	for (size_t i = 0; i < json_array_size(all) && !err; i++)
		print_status(json_array_get(all, i), colour);
	if (!err)
		print_stale(false);
	json_decref(all);
	return err;
}

static int run_status(const struct command *command, int argc, char **argv)
{
	bool json = false;
	int status = command_parse_json(command, argc, argv, 1, &json);
	struct error error;

	if (status >= 0)
		return status;
	return status_of(argv[optind], json, &error) ? command_fail(&error) : EXIT_DONE;
}
