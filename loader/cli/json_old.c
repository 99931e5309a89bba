/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/json_old.h"

#include <jansson.h>
#include <string.h>

#include "base/output.h"

/* Give the value of a key another name; nothing happens where there is no such key. */
static void rename_key(json_t *object, const char *now, const char *then)
{
	json_t *value = json_object_get(object, now);

	if (!value)
		return;
	json_object_set(object, then, value);
	json_object_del(object, now);
}

static void drop_keys(json_t *object, const char *const *keys)
{
	for (; *keys; keys++)
		json_object_del(object, *keys);
}

/* Give the counts of a counter names of their own. */
static void spread_counter(json_t *object, const char *key, const char *packets, const char *bytes)
{
	json_t *counter = json_object_get(object, key);

	if (!counter)
		return;
	json_object_set(object, packets, json_object_get(counter, "packets"));
	json_object_set(object, bytes, json_object_get(counter, "bytes"));
	json_object_del(object, key);
}

static bool is_ingress(const json_t *object)
{
	const char *direction = json_string_value(json_object_get(object, "direction"));

	return direction && !strcmp(direction, "ingress");
}

/* A connection of `conntrack list`. */
static json_t *old_flow(json_t *flow)
{
	static const char *const added[] = {"schema",  "interface", "flow",
					    "started", "direction", NULL};

	json_object_set_new(flow, "opened_by", json_string(is_ingress(flow) ? "peer" : "host"));
	rename_key(flow, "icmp_id", "id");
	rename_key(json_object_get(flow, "nat"), "icmp_id", "id");
	spread_counter(flow, "opener", "packets", "bytes");
	spread_counter(flow, "answerer", "reply_packets", "reply_bytes");
	drop_keys(flow, added);
	return flow;
}

/* An event of `monitor`. */
static json_t *old_event(json_t *event)
{
	static const char *const added[] = {"interface", "family", "since", NULL};
	bool opener_arrives = is_ingress(event);

	if (!json_object_get(event, "answerer"))
		json_object_set_new(event, "answerer",
				    json_pack("{s:i,s:i}", "packets", 0, "bytes", 0));
	rename_key(event, "flow", "id");
	rename_key(json_object_get(event, "nat"), "icmp_id", "id");
	spread_counter(event, opener_arrives ? "opener" : "answerer", "rx_packets", "rx_bytes");
	spread_counter(event, opener_arrives ? "answerer" : "opener", "tx_packets", "tx_bytes");
	drop_keys(event, added);
	return event;
}

static json_t *old_trace(json_t *trace)
{
	static const char *const added[] = {"interface", "flow", "direction", "family", NULL};

	drop_keys(trace, added);
	json_object_del(json_object_get(trace, "nat"), "icmp_id");
	return trace;
}

static json_t *old_policy(json_t *policy)
{
	static const char *const acls[] = {"peer_acl", "route_acl"};
	json_t *rule, *names = json_object_get(policy, "names");
	size_t i;

	if (names && !json_object_get(policy, "generation")) { /* with --names */
		json_incref(names);
		json_decref(policy);
		return names;
	}
	rename_key(policy, "policy", "path");
	json_object_del(policy, "interface");
	json_object_del(policy, "file");
	json_object_del(policy, "blocked");
	json_object_del(policy, "timeouts");
	json_object_del(policy, "run");
	for (int acl = 0; acl < 2; acl++)
		json_array_foreach (json_object_get(policy, acls[acl]), i, rule) {
			spread_counter(rule, "hits", "packets", "bytes");
			json_object_del(rule, "last_hit");
		}
	return policy;
}

/* What `policy diff` prints, or one of its connections. */
static json_t *old_diff(json_t *diff)
{
	json_t *changes = json_object_get(diff, "changes");

	rename_key(diff, "icmp_id", "id");
	json_object_del(diff, "flow");
	if (!changes)
		return diff;
	json_object_update(diff, changes);
	json_object_del(diff, "changes");
	rename_key(diff, "after", "policy");
	rename_key(diff, "tracked", "connections");
	if (json_object_get(diff, "interface"))
		json_object_del(diff, "before");
	return diff;
}

static json_t *old_status(json_t *all)
{
	json_t *status;
	size_t i;

	json_array_foreach (all, i, status) {
		rename_key(json_object_get(status, "netbird"), "age_s", "age");
		rename_key(json_object_get(status, "netbird"), "next_fetch_s", "next_fetch");
	}
	return all;
}

static json_t *old_without_interface(json_t *object)
{
	json_object_del(object, "interface");
	return object;
}

static json_t *unchanged(json_t *value)
{
	return value;
}

static const struct {
	const char *command;
	output_form form;
} forms[] = {
	{"conntrack count", old_without_interface},
	{"conntrack flush", old_without_interface},
	{"conntrack list", old_flow},
	{"conntrack watch", old_event},
	{"doctor", old_without_interface},
	{"monitor", old_event},
	{"policy diff", old_diff},
	{"policy show", old_policy},
	{"status", old_status},
	{"trace in", old_trace},
	{"trace live", old_trace},
	{"trace out", old_trace},
};

/**
 * json_old_use() - Have a command write JSON in the form before the present one
 * @command: "conntrack list"
 */
void json_old_use(const char *command)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(forms[i].command, command)) {
			output_set_form(forms[i].form);
			return;
		}
	output_set_form(unchanged);
}
