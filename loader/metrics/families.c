/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics/families.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/names.h"
#include "counter.h"
#include "forwarder.h"
#include "rule.h"
#include "version.h"

/* Samples under construction. */
struct builder {
	json_t *samples;
	const char *interface;
	bool is_whole; /* there was memory for all of them */
};

struct family;

/* Adds the samples of an interface. */
typedef void (*family_fill)(struct builder *builder, const struct family *family,
			    const json_t *status);

/*
 * struct family - one family
 * @type: counter, gauge or info
 * @fill: adds its samples
 * @key: for @fill: what of the status it is about, a path with dots
 * @member: for @fill: which figure of that
 */
struct family {
	const char *name;
	const char *type;
	const char *help;
	family_fill fill;
	const char *key;
	const char *member;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* A value by its path, words with dots between them; NULL where it is not there, or null. */
static const json_t *find(const json_t *object, const char *path)
{
	while (object && *path) {
		size_t len = strcspn(path, ".");

		object = json_object_getn(object, path, len);
		path += len + (path[len] == '.');
	}
	return json_is_null(object) ? NULL : object;
}

static json_int_t number_of(const json_t *value)
{
	return json_is_true(value) ? 1 : json_integer_value(value);
}

/* Add a sample, with pairs of labels' names and values that a NULL ends. */
static void add(struct builder *builder, json_int_t value, ...)
{
	json_t *labels = json_object();
	const char *label;
	va_list args;

	if (builder->interface)
		json_object_set_new(labels, "interface", json_string(builder->interface));
	va_start(args, value);
	while ((label = va_arg(args, const char *)))
		if (json_object_set_new(labels, label, json_string(va_arg(args, const char *))))
			builder->is_whole = false;
	va_end(args);
	if (json_array_append_new(builder->samples,
				  json_pack("{s:o,s:I}", "labels", labels, "value", value)))
		builder->is_whole = false;
}

static void fill_number(struct builder *builder, const struct family *family, const json_t *status)
{
	const json_t *value = find(status, family->key);

	if (value)
		add(builder, number_of(value), NULL);
}

/* Whether a member that may be null is there. */
static void fill_presence(struct builder *builder, const struct family *family,
			  const json_t *status)
{
	const json_t *object = find(status, family->key);

	if (object)
		add(builder, find(object, family->member) != NULL, NULL);
}

static void fill_interface(struct builder *builder, const struct family *family,
			   const json_t *status)
{
	(void)family;
	if (json_is_true(json_object_get(status, "attached")))
		add(builder, 1, "routing", text_of(status, "routing"), "hook",
		    text_of(status, "hook"), "stateful",
		    json_is_true(json_object_get(status, "stateful")) ? "true" : "false", "version",
		    text_of(status, "version"), "policy", text_of(status, "policy"), NULL);
}

/* Whether the policy in force is what was meant to be put into force last. */
static void fill_reload(struct builder *builder, const struct family *family, const json_t *status)
{
	if (json_is_true(json_object_get(status, "attached")))
		add(builder, !find(status, family->key), NULL);
}

/* The counters of a direction, NULL where nothing goes that way. */
static const json_t *counters_of(const json_t *status, const char *direction)
{
	if (!strcmp(direction, direction_name(DIR_UPLINK)) && !find(status, "nat"))
		return NULL;
	return json_object_get(json_object_get(status, "counters"), direction);
}

static void fill_directions(struct builder *builder, const struct family *family,
			    const json_t *status)
{
	for (int i = 0; i < DIR_MAX; i++) {
		const json_t *value = json_object_get(counters_of(status, direction_name(i)),
						      family->key);

		if (value && family->member)
			value = json_object_get(value, family->member);
		if (value)
			add(builder, number_of(value), "direction", direction_name(i), NULL);
	}
}

static void fill_translated(struct builder *builder, const struct family *family,
			    const json_t *status)
{
	if (find(status, "nat"))
		fill_directions(builder, family, status);
}

static void fill_verdicts(struct builder *builder, const struct family *family,
			  const json_t *status)
{
	for (int i = 0; i < DIR_MAX; i++)
		for (int verdict = 0; verdict < VERDICT_MAX; verdict++) {
			const json_t *counter = json_object_get(
				counters_of(status, direction_name(i)), verdict_name(verdict));

			if (counter)
				add(builder, number_of(json_object_get(counter, family->member)),
				    "direction", direction_name(i), "verdict",
				    verdict_name(verdict), NULL);
		}
}

/* All reasons, also those that have not been, or the first packet of each would be no increase. */
static void fill_reasons(struct builder *builder, const struct family *family, const json_t *status)
{
	for (int i = 0; i < DIR_MAX; i++) {
		const json_t *counters = counters_of(status, direction_name(i));

		for (int reason = 0; reason < REASON_MAX && counters; reason++) {
			bool is_drop = reason_is_drop(reason);
			const json_t *of = json_object_get(counters, is_drop ? "drop_reasons"
									     : "pass_reasons");
			const json_t *counter = json_object_get(of, reason_name(reason));

			add(builder, number_of(json_object_get(counter, family->member)),
			    "direction", direction_name(i), "reason", reason_name(reason), "result",
			    is_drop ? "drop" : "allow", NULL);
		}
	}
}

/* What the rules without series of their own have counted, by list and action. */
static void add_other_rules(struct builder *builder, const struct family *family,
			    const json_t *rules)
{
	static const char *const actions[] = {"allow", "deny"};

	for (int acl = 0; acl < ACL_MAX; acl++)
		for (int i = 0; i < 2; i++) {
			json_int_t sum = 0, n = 0;
			const json_t *rule;
			size_t index;

			json_array_foreach (rules, index, rule) {
				if ((index < METRICS_RULES_MAX &&
				     strcmp(text_of(rule, "id"), METRICS_OTHER_RULES)) ||
				    strcmp(text_of(rule, "acl"), acl_name(acl)) ||
				    strcmp(text_of(rule, "action"), actions[i]))
					continue;
				sum += number_of(json_object_get(rule, family->member));
				n++;
			}
			if (n)
				add(builder, sum, "acl", acl_name(acl), "rule", METRICS_OTHER_RULES,
				    "action", actions[i], NULL);
		}
}

static void fill_rules(struct builder *builder, const struct family *family, const json_t *status)
{
	const json_t *rules = json_object_get(status, "rule_hits"), *rule;
	size_t index;

	json_array_foreach (rules, index, rule)
		if (index < METRICS_RULES_MAX && strcmp(text_of(rule, "id"), METRICS_OTHER_RULES))
			add(builder, number_of(json_object_get(rule, family->member)), "acl",
			    text_of(rule, "acl"), "rule", text_of(rule, "id"), "action",
			    text_of(rule, "action"), NULL);
	add_other_rules(builder, family, rules);
}

static void fill_tables(struct builder *builder, const struct family *family, const json_t *status)
{
	static const char *const of[] = {"tables", "nat.answers"};
	const char *name;
	json_t *table;

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		json_object_foreach ((json_t *)find(status, of[i]), name, table)
			add(builder, number_of(json_object_get(table, family->member)), "table",
			    name, NULL);
}

static void fill_connections(struct builder *builder, const struct family *family,
			     const json_t *status)
{
	const char *protocol, *ip_version, *state;
	json_t *versions, *states, *count;

	json_object_foreach ((json_t *)find(status, family->key), protocol, versions)
		json_object_foreach (versions, ip_version, states)
			json_object_foreach (states, state, count)
				add(builder, number_of(count), "protocol", protocol, "ip_version",
				    ip_version, "state", state, NULL);
}

static void fill_forwarder(struct builder *builder, const struct family *family,
			   const json_t *status)
{
	const json_t *forwarder = find(status, "forwarder");

	(void)family;
	if (forwarder)
		add(builder, number_of(json_object_get(forwarder, "pid")) != 0, NULL);
}

/* Figures of the forwarder, with their names in a label; a NULL ends them. */
static void add_forwarder(struct builder *builder, const json_t *status, const char *label,
			  const char *const names[])
{
	const json_t *forwarder = find(status, "forwarder");

	for (size_t i = 0; names[i] && forwarder; i++)
		add(builder, number_of(json_object_get(forwarder, names[i])), label, names[i],
		    NULL);
}

static void fill_forwarder_state(struct builder *builder, const struct family *family,
				 const json_t *status)
{
	static const char *const gauges[] = {
#define GAUGE(name) #name,
		FORWARDER_GAUGES(GAUGE)
#undef GAUGE
			NULL,
	};

	(void)family;
	add_forwarder(builder, status, "kind", gauges + 1); /* the first is its pid */
}

static void fill_forwarder_events(struct builder *builder, const struct family *family,
				  const json_t *status)
{
	const json_t *forwarder = find(status, "forwarder");

	(void)family;
	/* bytes have a family of their own */
#define TOTAL(name)                                                                                \
	if (forwarder && strncmp(#name, "bytes_", strlen("bytes_")))                               \
		add(builder, number_of(json_object_get(forwarder, #name)), "event", #name, NULL);
	FORWARDER_TOTALS(TOTAL)
#undef TOTAL
}

static void fill_forwarder_losses(struct builder *builder, const struct family *family,
				  const json_t *status)
{
	static const char *const losses[] = {
#define LOSS(name, help) #name,
		FORWARDER_WAY_LOSSES(LOSS) FORWARDER_LOSSES(LOSS)
#undef LOSS
			NULL,
	};

	(void)family;
	add_forwarder(builder, status, "reason", losses);
}

static void fill_forwarder_bytes(struct builder *builder, const struct family *family,
				 const json_t *status)
{
	const json_t *forwarder = find(status, "forwarder");

	(void)family;
	if (!forwarder)
		return;
	add(builder, number_of(json_object_get(forwarder, "bytes_up")), "direction", "up", NULL);
	add(builder, number_of(json_object_get(forwarder, "bytes_down")), "direction", "down",
	    NULL);
}

static void fill_uplinks(struct builder *builder, const struct family *family, const json_t *status)
{
	const json_t *uplink;
	size_t index;

	json_array_foreach (find(status, "nat.uplinks"), index, uplink)
		add(builder, number_of(json_object_get(uplink, family->member)), "uplink",
		    text_of(uplink, "name"), NULL);
}

/* clang-format off */
static const struct family families[] = {
	{"shrike_attached", "gauge",
	 "Whether the programs are attached to the interface: 0 means that it is not protected.",
	 fill_number, "attached", NULL},
	{"shrike_running", "gauge",
	 "Whether a process of shrike run is in charge of the interface.",
	 fill_number, "running", NULL},
	{"shrike_running_hung", "gauge",
	 "Whether the process in charge of the interface hangs.",
	 fill_number, "run.hung", NULL},
	{"shrike_interface_info", "info",
	 "How the interface is protected: mode, hook, version of the programs, policy file.",
	 fill_interface, NULL, NULL},
	{"shrike_policy_generation", "gauge",
	 "Number of the policy in force; each change of the policy or its environment makes another.",
	 fill_number, "generation", NULL},
	{"shrike_policy_rules", "gauge",
	 "Rules of the policy in force.",
	 fill_number, "rules", NULL},
	{"shrike_policy_applied_timestamp_seconds", "gauge",
	 "When the policy in force came into force, Unix time.",
	 fill_number, "applied_timestamp", NULL},
	{"shrike_policy_last_reload_successful", "gauge",
	 "Whether the last attempt to replace the policy succeeded; else the one before is in force.",
	 fill_reload, "last_failure", NULL},
	{"shrike_seen_packets_total", "counter",
	 "Packets that arrived at the programs, by direction.",
	 fill_directions, "seen", "packets"},
	{"shrike_seen_bytes_total", "counter",
	 "Bytes of the packets that arrived at the programs, from the IP header on.",
	 fill_directions, "seen", "bytes"},
	{"shrike_packets_total", "counter",
	 "Packets by direction and verdict.",
	 fill_verdicts, NULL, "packets"},
	{"shrike_bytes_total", "counter",
	 "Bytes of packets by direction and verdict, from the IP header on.",
	 fill_verdicts, NULL, "bytes"},
	{"shrike_reason_packets_total", "counter",
	 "Packets by direction and reason; result is allow or drop.",
	 fill_reasons, NULL, "packets"},
	{"shrike_reason_bytes_total", "counter",
	 "Bytes of packets by direction and reason, from the IP header on.",
	 fill_reasons, NULL, "bytes"},
	{"shrike_residue_packets", "gauge",
	 "Packets seen without a verdict: 0, but for those on their way.",
	 fill_directions, "residue", NULL},
	{"shrike_tcp_out_of_window_packets_total", "counter",
	 "TCP segments that fitted no window and moved no connection.",
	 fill_directions, "tcp_out_of_window", "packets"},
	{"shrike_tcp_out_of_window_bytes_total", "counter",
	 "Bytes of TCP segments that fitted no window and moved no connection.",
	 fill_directions, "tcp_out_of_window", "bytes"},
	{"shrike_rule_packets_total", "counter",
	 "Packets that a rule decided: openings, and the first of a connection after a change.",
	 fill_rules, NULL, "packets"},
	{"shrike_rule_bytes_total", "counter",
	 "Bytes of the packets that a rule decided.",
	 fill_rules, NULL, "bytes"},
	{"shrike_table_entries", "gauge",
	 "Live entries of a table.",
	 fill_tables, NULL, "entries"},
	{"shrike_table_max_entries", "gauge",
	 "Entries that a table has room for.",
	 fill_tables, NULL, "max_entries"},
	{"shrike_connections", "gauge",
	 "Tracked connections by protocol, IP version and state.",
	 fill_connections, "connections", NULL},
	{"shrike_lost_events_total", "counter",
	 "Flow events that listeners lost, as their rings were full.",
	 fill_number, "lost_events", NULL},
	{"shrike_flowlog_reader", "gauge",
	 "Whether a process writes the flow log down, where there is one; it goes on without.",
	 fill_presence, "flow_log", "reader"},
	{"shrike_flowlog_ring_bytes", "gauge",
	 "Bytes that the ring of the flow log has room for.",
	 fill_number, "flow_log.ring_bytes", NULL},
	{"shrike_flowlog_ring_used_bytes", "gauge",
	 "Bytes in the ring of the flow log that have not been written down.",
	 fill_number, "flow_log.used_bytes", NULL},
	{"shrike_flowlog_lost_events_total", "counter",
	 "Events that are not in the flow log, as its ring was full.",
	 fill_number, "flow_log.lost_events", NULL},
	{"shrike_flowlog_unsampled_drops_total", "counter",
	 "Dropped packets that are not in the flow log, as they were too many.",
	 fill_number, "flow_log.unsampled_drops", NULL},
	{"shrike_recorder_bytes", "gauge",
	 "Memory of the recorder of drops and new connections.",
	 fill_number, "recorder.bytes", NULL},
	{"shrike_recorder_records_total", "counter",
	 "Records of drops and new connections that were made.",
	 fill_number, "recorder.records", NULL},
	{"shrike_recorder_beyond_total", "counter",
	 "Drops and new connections that were recorded without addresses, of too many kinds.",
	 fill_number, "recorder.beyond", NULL},
	{"shrike_recorder_forgotten_total", "counter",
	 "Drops and new connections whose records were written over.",
	 fill_number, "recorder.forgotten", NULL},
	{"shrike_forwarder_up", "gauge",
	 "Whether the userspace forwarder runs, where the policy needs one.",
	 fill_forwarder, NULL, NULL},
	{"shrike_forwarder_state", "gauge",
	 "What the forwarder holds, by kind: connections, dials, flows, sockets, fragments.",
	 fill_forwarder_state, NULL, NULL},
	{"shrike_forwarder_events_total", "counter",
	 "What has happened in the forwarder, by event; shrike-metrics(7) explains them.",
	 fill_forwarder_events, NULL, NULL},
	{"shrike_forwarder_relayed_bytes_total", "counter",
	 "Payload relayed: up is from peers, down is to peers.",
	 fill_forwarder_bytes, NULL, NULL},
	{"shrike_forwarder_lost_packets_total", "counter",
	 "Packets forwarded by the programs and not relayed by the forwarder, by reason.",
	 fill_forwarder_losses, NULL, NULL},
	{"shrike_forwarder_unreceived_packets", "gauge",
	 "Packets forwarded, neither received nor lost for a reason: 0, but for those on their way.",
	 fill_number, "forwarder.unreceived", NULL},
	{"shrike_forwarder_unrelayed_packets", "gauge",
	 "Packets received, neither relayed nor lost for a reason: 0, but for those on their way.",
	 fill_number, "forwarder.unrelayed", NULL},
	{"shrike_nat_packets_total", "counter",
	 "Packets that routing by NAT translated: ingress sent on, uplink and egress their answers.",
	 fill_translated, "translated", "packets"},
	{"shrike_nat_no_port_packets_total", "counter",
	 "Packets that found no free port of the uplink's address.",
	 fill_number, "nat.no_port", NULL},
	{"shrike_nat_unsent_packets", "gauge",
	 "Answers lost between their uplink and the interface.",
	 fill_number, "nat.unsent", NULL},
	{"shrike_nat_ports", "gauge",
	 "Ports that connections may take, for each remote end.",
	 fill_number, "nat.ports.count", NULL},
	{"shrike_nat_uplink_attached", "gauge",
	 "Whether the program for answers is on the uplink.",
	 fill_uplinks, NULL, "attached"},
	{"shrike_nat_uplink_mtu_bytes", "gauge",
	 "MTU of the uplink.",
	 fill_uplinks, NULL, "mtu"},
	{"shrike_netbird_map_age_seconds", "gauge",
	 "Since when NetBird's map in force is known, where its daemon is followed.",
	 fill_number, "netbird.age_s", NULL},
	{"shrike_netbird_map_stale", "gauge",
	 "Whether NetBird may have a newer map that cannot be had.",
	 fill_number, "netbird.stale", NULL},
	{"shrike_netbird_map_serial", "gauge",
	 "Serial number of NetBird's map in force.",
	 fill_number, "netbird.serial", NULL},
};
/* clang-format on */

static const struct family build = {
	.name = "shrike_build_info",
	.type = "info",
	.help = "The version of this command.",
};

/* End a family: its samples are those added since @builder->samples was new. */
static void end_family(json_t *to, const struct family *family, struct builder *builder)
{
	if (json_array_append_new(to, json_pack("{s:s,s:s,s:s,s:o}", "name", family->name, "type",
						family->type, "help", family->help, "samples",
						builder->samples)))
		builder->is_whole = false;
}

/**
 * metrics_families() - What is known of interfaces, as families (exposition.h)
 * @interfaces: an array of what `status -j` prints, with "rule_hits" where rules are to be there
 *
 * Return: a new array, NULL without memory.
 */
json_t *metrics_families(const json_t *interfaces)
{
	struct builder builder = {.samples = json_array(), .is_whole = true};
	json_t *all = json_array();
	const json_t *status;
	size_t index;

	add(&builder, 1, "version", SHRIKE_VERSION, NULL);
	end_family(all, &build, &builder);
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		builder.samples = json_array();
		json_array_foreach (interfaces, index, status) {
			builder.interface = text_of(status, "interface");
			families[i].fill(&builder, &families[i], status);
		}
		end_family(all, &families[i], &builder);
	}
	if (builder.is_whole)
		return all;
	json_decref(all);
	return NULL;
}
