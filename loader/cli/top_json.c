/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/top_json.h"

#include <endian.h>
#include <netinet/in.h>

#include "base/address.h"
#include "base/names.h"
#include "base/output.h"
#include "cli/counters_print.h"
#include "conntrack/flow_id.h"

/* The rates of one way of a row. */
static json_t *rate_json(const struct top_row *row, int way, double seconds)
{
	return json_pack("{s:o,s:o}", "packets_per_s", output_real(row->packets[way] / seconds),
			 "bytes_per_s", output_real(row->bytes[way] / seconds));
}

/* Add the figures of a row. */
static void add_figures(json_t *json, const struct top_row *row, double seconds)
{
	json_t *reasons = json_object();

	for (unsigned int i = 0; i < row->n_reasons; i++)
		json_object_set_new(reasons, reason_name(row->reasons[i].reason),
				    json_integer(row->reasons[i].n));
	json_object_update_new(
		json,
		json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:o}", "rx", rate_json(row, 0, seconds), "tx",
			  rate_json(row, 1, seconds), "connections", (json_int_t)row->connections,
			  "opened", (json_int_t)row->opened, "ended", (json_int_t)row->ended,
			  "drops", (json_int_t)row->drops, "drop_reasons", reasons));
}

/* Add an address and its name. */
static void add_addr(json_t *json, const struct top_view *view, const struct top_key *key, int end,
		     const char *const words[2])
{
	const struct names *names = &view->top->context.names;
	char addr[ADDR_TEXT_MAX];
	const char *name;

	if (!key->ip_version) {
		json_object_set_new(json, words[0], json_null());
		return;
	}
	addr_format(&key->addr[end], key->ip_version, addr, sizeof(addr));
	json_object_set_new(json, words[0], json_string(addr));
	name = view->numeric ? NULL : names_of(names, &key->addr[end], key->ip_version);
	if (name)
		json_object_set_new(json, words[1], json_string(name));
}

/* Add protocol, family and the ports that are known, or the identifier. */
static void add_protocol(json_t *json, const struct top_key *key)
{
	char number[FLOW_PROTOCOL_NUMBER];
	const char *const ports[] = {l4_has_ports(key->l4_proto) ? "sport" : "icmp_id", "dport"};

	json_object_set_new(
		json, "protocol",
		json_string(key->ip_version
				    ? flow_protocol_name(key->l4_proto, key->ip_version, number)
				    : "non-ip"));
	if (key->ip_version)
		json_object_set_new(json, "family",
				    json_string(key->ip_version == IP_VERSION_4 ? "ipv4" : "ipv6"));
	for (int end = 0; end < 2; end++)
		if (key->port[end] && (l4_has_ports(key->l4_proto) ||
				       (!end && l4_is_icmp(key->l4_proto, key->ip_version))))
			json_object_set_new(json, ports[end],
					    json_integer(be16toh(key->port[end])));
}

/* Add what a connection, or a kind of drops, is. */
static void add_flow(json_t *json, const struct top_view *view, const struct top_row *row)
{
	static const char *const src[] = {"src", "src_name"}, *const dst[] = {"dst", "dst_name"};
	const char *rule_id = rule_names_find(&view->top->context.rules, row->rule);
	const struct top_key *key = &row->key;
	char id[FLOW_ID_LEN];

	add_addr(json, view, key, 0, src);
	add_addr(json, view, key, 1, dst);
	add_protocol(json, key);
	json_object_update_new(
		json, json_pack("{s:s?,s:s,s:s?,s:s?,s:s?}", "flow",
				row->id ? flow_id_text(row->id, id) : NULL, "direction",
				direction_name(key->direction), "state",
				key->is_drop ? NULL : flow_state_name(row->state), "reason",
				key->is_drop ? reason_name(key->reason) : NULL, "rule", rule_id));
}

static json_t *row_json(const struct top_view *view, const struct top_row *row)
{
	static const char *const peer[] = {"peer", "peer_name"}, *const dst[] = {"dst", "dst_name"};
	const char *rule_id = rule_names_find(&view->top->context.rules, row->key.rule);
	json_t *json = json_object();

	switch (view->question->by) {
	case TOP_BY_PEER:
		add_addr(json, view, &row->key, 0, peer);
		break;
	case TOP_BY_RULE:
		json_object_set_new(json, "rule", rule_id ? json_string(rule_id) : json_null());
		break;
	case TOP_BY_DEST:
		add_addr(json, view, &row->key, 1, dst);
		add_protocol(json, &row->key);
		break;
	default:
		add_flow(json, view, row);
	}
	add_figures(json, row, top_seconds(view->top));
	return json;
}

/* The rows, and the sum of those that are too many; NULL: there are none of those. */
static json_t *rows_json(const struct top_view *view, size_t max_rows, json_t **others)
{
	const struct top_rows *rows = view->rows;
	json_t *list = json_array();
	struct top_row sum;

	for (size_t i = 0; i < rows->n && i < max_rows; i++)
		json_array_append_new(list, row_json(view, &rows->list[i]));
	*others = NULL;
	if (rows->n <= max_rows)
		return list;
	top_row_sum(rows, max_rows, &sum);
	*others = json_pack("{s:I}", "rows", (json_int_t)(rows->n - max_rows));
	add_figures(*others, &sum, top_seconds(view->top));
	return list;
}

/* The rates of a direction. */
static json_t *direction_json(const struct top *top, int direction)
{
	struct counters growth;

	counters_since(&top->before.counters[direction], &top->now.counters[direction], &growth);
	return counters_json_rates(&growth, top_seconds(top));
}

/**
 * top_json() - A view as `top --json` prints it
 * @view: the view
 * @max_rows: of how many rows at most; the rest is summed up
 *
 * Return: a new object for output_formed(), NULL if memory is out.
 */
json_t *top_json(const struct top_view *view, size_t max_rows)
{
	const struct top *top = view->top;
	const struct config *config = &top->context.attached.instance.config;
	char time[OUTPUT_TIME_LEN];
	struct top_row sum;
	json_t *json, *others, *rows = rows_json(view, max_rows, &others);

	top_row_sum(view->rows, 0, &sum);
	json = json_pack("{s:s,s:o,s:i,s:I,s:o,s:s,s:s,s:o,s:o}", "time",
			 output_time(time, top->now.realtime_ns), "interface",
			 output_json_text(top->name), "ifindex", top->context.attached.ifindex,
			 "generation", (json_int_t)config->generation, "seconds",
			 output_real(top_seconds(top)), "by", top_by_name(view->question->by),
			 "order", top_order_name(view->question->order), "ingress",
			 direction_json(top, DIR_INGRESS), "egress",
			 direction_json(top, DIR_EGRESS));
	if (json && config->routing == ROUTING_NAT)
		json_object_set_new(json, "uplink", direction_json(top, DIR_UPLINK));
	json_object_update_new(
		json, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o?}", "connections",
				(json_int_t)sum.connections, "opened", (json_int_t)sum.opened,
				"ended", (json_int_t)sum.ended, "lost_events",
				(json_int_t)(top->now.lost - top->before.lost), "not_followed",
				(json_int_t)top->ledger.flows_beyond, "drops_beyond",
				(json_int_t)top->ledger.drops_beyond, "missed_s",
				output_real((top->now.missed_ns - top->before.missed_ns) /
					    (double)NS_PER_S),
				"rows", rows, "others", others));
	return json;
}
