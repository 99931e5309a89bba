/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/status_json.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "cli/block_print.h"
#include "cli/counters_print.h"
#include "cli/nat_print.h"
#include "conntrack/census.h"
#include "conntrack/flow_log.h"
#include "daemon/beat.h"
#include "dataplane/attached.h"
#include "dataplane/blocking.h"
#include "dataplane/change.h"
#include "flow_event.h"
#include "follow/follow_status.h"
#include "forwarder.h"
#include "kernel/lock.h"
#include "maps.h"
#include "policy/part.h"
#include "trace/recorded.h"

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

/* The rules with their hits, those first whose ids have been in force longest; NULL on failure. */
static json_t *json_rule_hits(const struct attached *attached, struct error *error)
{
	json_t *list = json_array();
	struct rule_view *rules;
	size_t n;

	if (generation_read_rules(&attached->maps, &rules, &n, error)) {
		json_decref(list);
		return NULL;
	}
	generation_sort_rules(rules, n);
	for (size_t i = 0; i < n; i++) {
		const struct rule *rule = &rules[i].rule;

		if (rule->flags & RULE_BUILTIN)
			continue;
		json_array_append_new(list, json_pack("{s:o,s:s,s:s,s:I,s:I}", "id",
						      output_json_text(rule->id), "acl",
						      acl_name(rule->acl), "action",
						      rule->flags & RULE_ALLOW ? "allow" : "deny",
						      "packets", (json_int_t)rule->packets, "bytes",
						      (json_int_t)rule->bytes));
	}
	free(rules);
	return list;
}

/* Flow events that found a listener's ring full, since the interface was attached. */
static uint64_t lost_events(const struct attached *attached)
{
	int fd = map_set_fd(&attached->maps, MAP_FLOW_GATE);
	struct flow_gate gate;
	uint32_t zero = 0;
	uint64_t sum = 0;

	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &gate))
		return 0;
	for (int i = 0; i < FLOW_LISTENERS; i++)
		sum += gate.lost[i];
	return sum;
}

/* How the flow log is doing; null: there is none. */
static json_t *json_flow_log(const struct attached *attached, const char *ifname)
{
	struct flow_log_state state;

	if (flow_log_look(&attached->maps, ifname, &state))
		return json_null();
	return json_pack("{s:o,s:I,s:I,s:I,s:I}", "reader",
			 state.reader ? json_integer(state.reader) : json_null(), "ring_bytes",
			 (json_int_t)state.ring_bytes, "used_bytes", (json_int_t)state.used_bytes,
			 "lost_events", (json_int_t)state.lost_events, "unsampled_drops",
			 (json_int_t)state.unsampled_drops);
}

/* What has come to the recorder; null where it is off. */
static json_t *json_recorder(const struct attached *attached)
{
	struct recorded_totals totals;
	struct error ignored;

	if (recorded_totals_read(&attached->maps, &totals, &ignored))
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I}", "bytes", (json_int_t)totals.bytes, "records",
			 (json_int_t)totals.records, "beyond", (json_int_t)totals.beyond,
			 "forgotten", (json_int_t)totals.forgotten);
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

/* Words with ", " between them as an array. */
static json_t *words_json(const char *text)
{
	json_t *array = json_array();

	while (*text) {
		size_t len = strcspn(text, ",");

		json_array_append_new(array, json_stringn(text, len));
		text += len + strspn(text + len, ", ");
	}
	return array;
}

/* NetBird's part is in force, and nobody is there to follow what becomes of it; null: it is not. */
static json_t *json_netbird_left(const struct attached *attached, const char *ifname)
{
	struct part_text text = {};
	struct error ignored;
	bool is_left = !lock_is_held(LOCK_RUN, ifname) &&
		       !attached_policy_text(attached, &text.text, &text.len, &ignored) &&
		       part_is_in(attached->instance.policy_path, &text);

	free(text.text);
	if (!is_left)
		return json_null();
	return json_pack("{s:n,s:n,s:n,s:b,s:b,s:s,s:n,s:n,s:[],s:s}", "socket", "serial", "age_s",
			 "fetching", 0, "stale", 1, "why", "shrike run is not active",
			 "next_fetch_s", "full_sets", "missing_names", "text",
			 "NetBird's rules stay as they are: shrike run is not active, and nobody "
			 "follows its map");
}

/* How NetBird's daemon is followed; null where it is not. */
static json_t *json_netbird(const struct attached *attached, const char *ifname)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	char sentence[FOLLOW_SENTENCE_MAX];
	struct follow_status status;

	if (!follow_status_read(ifname, &status))
		return json_netbird_left(attached, ifname);
	follow_status_sentence(&status, now_ns, sentence);
	return json_pack("{s:s,s:o,s:o,s:b,s:b,s:o,s:o,s:i,s:o,s:s}", "socket", status.socket,
			 "serial", status.map_ns ? json_integer(status.serial) : json_null(),
			 "age_s", seconds_json(status.map_ns, status.map_ns, now_ns), "fetching",
			 status.is_fetching, "stale", status.why[0] != '\0', "why",
			 status.why[0] ? json_string(status.why) : json_null(), "next_fetch_s",
			 seconds_json(status.due_ns, now_ns, status.due_ns), "full_sets",
			 status.full_sets, "missing_names", words_json(status.missing), "text",
			 sentence);
}

/**
 * status_json_run() - What the process in charge of an interface says of itself
 * @ifname: the interface
 *
 * Return: an object, or null where there is no process, or one of an older version.
 */
json_t *status_json_run(const char *ifname)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_BOOTTIME);
	struct beat last;

	if (beat_read(ifname, &last))
		return json_null();
	return json_pack("{s:i,s:b,s:b,s:o}", "pid", last.pid, "waiting", last.is_waiting, "hung",
			 beat_is_hung(&last), "silent_s",
			 seconds_json(last.at_ns, last.at_ns, now_ns));
}

static json_t *json_count(uint32_t count)
{
	return count == CHANGE_NO_COUNT ? json_null() : json_integer(count);
}

/* Add why the generation is in force, and what has been tried in vain since. */
static void add_change(json_t *object, const struct attached *attached)
{
	char time[OUTPUT_TIME_LEN];
	struct change change;
	bool counted;

	if (change_read(&attached->maps, &change))
		return;
	counted = change.state == CHANGE_COUNTED;
	json_object_set_new(
		object, "change",
		json_pack("{s:o,s:o,s:o,s:o,s:o}", "cause", output_json_text(change.cause), "uid",
			  json_count(change.uid), "added",
			  json_count(counted ? change.rules_added : CHANGE_NO_COUNT), "removed",
			  json_count(counted ? change.rules_removed : CHANGE_NO_COUNT), "cut",
			  json_count(counted ? change.cut : CHANGE_NO_COUNT)));
	json_object_set_new(object, "last_failure",
			    change.failed_ns
				    ? json_pack("{s:s,s:o,s:o,s:o}", "time",
						output_time(time, change.failed_ns), "cause",
						output_json_text(change.failed_cause), "uid",
						json_count(change.failed_uid), "why",
						output_json_text(change.failure))
				    : json_null());
}

/* Add who is blocked. */
static void add_blocked(json_t *object, const struct attached *attached)
{
	struct block_list list;
	struct error ignored;
	struct names names;

	if (blocking_read(&attached->maps, &list, &ignored))
		return;
	attached_names(attached, &names, &ignored);
	json_object_set_new(object, "blocked", block_json(&list, &names));
	names_free(&names);
}

/* What is in force on an attached interface. */
static json_t *json_live(const struct attached *attached, const struct link_info *link,
			 struct error *error)
{
	json_t *object;
	const struct instance *instance = &attached->instance;
	struct counters counters[DIR_MAX];
	char time[OUTPUT_TIME_LEN];
	struct flow_clock clock;
	struct census census;

	flow_clock_read(instance, &clock);
	if (attached_counters(&attached->maps, counters, error) ||
	    census_take(&attached->maps, &clock, &census, error))
		return NULL;
	object = json_pack(
		"{s:o,s:i,s:b,s:b,s:s,s:o,s:s,s:s,s:s,s:s,s:b,s:i,s:i,s:o,s:s,s:{s:o,s:o,s:o},"
		"s:o,s:o,s:o,s:o,s:o,s:I,s:o,s:o,s:I}",
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
		counters_json(&counters[DIR_UPLINK]), "tables", census_tables(&census), "forwarder",
		json_forwarder(attached, counters_to_forwarder(&counters[DIR_INGRESS])), "nat",
		nat_json(attached, counters), "netbird", json_netbird(attached, link->name),
		"connections", census_states(&census), "lost_events",
		(json_int_t)lost_events(attached), "flow_log", json_flow_log(attached, link->name),
		"recorder", json_recorder(attached), "applied_timestamp",
		(json_int_t)(instance->applied_ns / NS_PER_S));
	if (object) {
		add_change(object, attached);
		add_blocked(object, attached);
	}
	return object;
}

/**
 * status_unattached_json() - What there is to say of an interface that nothing is attached to
 *
 * Return: a new object, NULL without memory.
 */
json_t *status_unattached_json(const struct link_info *link)
{
	return json_pack("{s:o,s:i,s:b,s:b}", "interface", output_json_text(link->name), "ifindex",
			 link->ifindex, "attached", 0, "running",
			 lock_is_held(LOCK_RUN, link->name));
}

/* Likewise of one with a generation in force; NULL on failure, without a code: there is no memory. */
static json_t *json_attached(const struct attached *attached, const struct link_info *link,
			     bool with_rules, struct error *error)
{
	json_t *object, *rules = NULL;

	error->code = 0;
	if (with_rules) {
		rules = json_rule_hits(attached, error);
		if (!rules)
			return NULL;
	}
	object = json_live(attached, link, error);
	if (rules && (!object || json_object_set(object, "rule_hits", rules))) {
		json_decref(object);
		object = NULL;
	}
	json_decref(rules);
	return object;
}

/**
 * status_json() - What there is to say of one interface
 * @link: the interface
 * @with_rules: add "rule_hits": its rules with what they have decided
 * @error: set on failure
 *
 * Return: an object, or NULL.
 */
json_t *status_json(const struct link_info *link, bool with_rules, struct error *error)
{
	struct attached attached;
	json_t *object;
	int err = attached_open(link->ifindex, &attached, error);

	if (err == -ENOENT)
		object = status_unattached_json(link);
	else if (err) {
		error_prefix(error, "%s", link->name);
		return NULL;
	} else {
		object = json_attached(&attached, link, with_rules, error);
		attached_close(&attached);
		if (!object && error->code)
			return NULL;
	}
	if (object)
		json_object_set_new(object, "run", status_json_run(link->name));
	else
		error_no_memory_for(error, link->name);
	return object;
}
