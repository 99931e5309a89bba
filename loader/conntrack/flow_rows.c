/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/flow_rows.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/names.h"
#include "base/output.h"
#include "base/table.h"
#include "conntrack/endpoint.h"

#define PAGE_ROWS  1000
#define COUNTS_LEN (2 * OUTPUT_COUNT_LEN)
#define NAT_LEN	   (ENDPOINT_MAX + 32)

enum cell {
	CELL_PROTOCOL,
	CELL_STATE,
	CELL_LEFT,
	CELL_BY,
	CELL_SOURCE,
	CELL_DESTINATION,
	CELL_NAT,
	CELL_PACKETS,
	CELL_BYTES,
	CELL_RULE,
	CELL_FLAGS,
	N_CELLS,
};

static const struct table_column columns[N_CELLS] = {
	[CELL_PROTOCOL] = {"PROTO", 0, NULL},
	[CELL_STATE] = {"STATE", 0, NULL},
	[CELL_LEFT] = {"LEFT", TABLE_RIGHT, NULL},
	[CELL_BY] = {"BY", 0, NULL},
	[CELL_SOURCE] = {"SOURCE", TABLE_WRAP, NULL},
	[CELL_DESTINATION] = {"DESTINATION", TABLE_WRAP, NULL},
	[CELL_NAT] = {"NAT", TABLE_WRAP | TABLE_OPTIONAL, NULL},
	[CELL_PACKETS] = {"PACKETS", TABLE_RIGHT, NULL},
	[CELL_BYTES] = {"BYTES", TABLE_RIGHT, NULL},
	[CELL_RULE] = {"RULE", TABLE_WRAP | TABLE_OPTIONAL, NULL},
	[CELL_FLAGS] = {"FLAGS", TABLE_WRAP | TABLE_OPTIONAL, NULL},
};

/**
 * flow_rows_uplink() - The uplink by which a flow leaves
 * @masquerade: what the programs know of the host, or NULL
 * @flow: the flow
 *
 * Return: the uplink, NULL: it leaves by none, or by one that has gone.
 */
const struct uplink *flow_rows_uplink(const struct masquerade *masquerade, const struct flow *flow)
{
	if (!masquerade || !(flow->flags & FLOW_MASQUERADED))
		return NULL;
	return masquerade_uplink(masquerade, flow->uplink);
}

/* What the opener has sent, and the answerer. */
static void put_counts(const __u64 counts[2], unsigned int unit, bool human, char text[COUNTS_LEN])
{
	char each[2][OUTPUT_COUNT_LEN];

	snprintf(text, COUNTS_LEN, "%s/%s", output_count(each[0], counts[0], unit, human),
		 output_count(each[1], counts[1], unit, human));
}

/* An end, and what tells echoes of a host apart. */
static void put_end(const struct flow_rows *rows, const struct flow_view *view, int end,
		    char text[NAT_LEN])
{
	const struct endpoint endpoint = {&view->addr[end], view->port[end], view->ip_version,
					  view->l4_proto};
	size_t len = strlen(endpoint_text(&endpoint, rows->names, text));

	if (view->state == FLOW_STATE_ICMP && !end)
		snprintf(text + len, NAT_LEN - len, " id %u", view->icmp_id);
}

/* What the flow is translated to; nothing where it is not. */
static void put_nat(const struct flow_rows *rows, const struct flow_view *view, char text[NAT_LEN])
{
	const struct uplink *uplink = flow_rows_uplink(rows->masquerade, view->flow);
	char from[ENDPOINT_MAX];

	*text = '\0';
	if (uplink) {
		const struct endpoint end = {uplink_addr(uplink, view->ip_version),
					     ntohs(view->flow->snat_port), view->ip_version,
					     view->l4_proto};

		snprintf(text, NAT_LEN, "%s %s", endpoint_text(&end, rows->names, from),
			 uplink->name);
	} else if (flow_nat_port(view->flow)) {
		snprintf(text, NAT_LEN, "port %u", ntohs(flow_nat_port(view->flow)));
	}
}

/**
 * flow_rows_add() - Add a flow
 * @rows: where to
 * @view: the flow
 * @rule: what admitted it, NULL: no rule that there still is
 * @error: set on failure
 *
 * Return: 0; -ENOMEM, or -errno of the stream.
 */
int flow_rows_add(struct flow_rows *rows, const struct flow_view *view, const char *rule,
		  struct error *error)
{
	char number[FLOW_PROTOCOL_NUMBER], left[OUTPUT_DURATION_LEN], packets[COUNTS_LEN],
		bytes[COUNTS_LEN], from[NAT_LEN], to[NAT_LEN], nat[NAT_LEN];
	bool is_forwarded = view->flow->flags & FLOW_FORWARD;
	const char *const cells[N_CELLS] = {
		[CELL_PROTOCOL] = flow_protocol_name(view->l4_proto, view->ip_version, number),
		[CELL_STATE] = flow_state_name(view->state),
		[CELL_LEFT] = left,
		[CELL_BY] = view->flow->flags & FLOW_BY_PEER ? "peer" : "host",
		[CELL_SOURCE] = from,
		[CELL_DESTINATION] = to,
		[CELL_NAT] = nat,
		[CELL_PACKETS] = packets,
		[CELL_BYTES] = bytes,
		[CELL_RULE] = rule,
		[CELL_FLAGS] = is_forwarded && !view->confirmed ? "forward, unconfirmed"
			       : is_forwarded			? "forward"
			       : view->confirmed		? ""
								: "unconfirmed",
	};

	output_duration(left, view->remaining_ns / NS_PER_S * NS_PER_S);
	put_end(rows, view, 0, from);
	put_end(rows, view, 1, to);
	put_nat(rows, view, nat);
	put_counts(view->flow->packets, UNIT_PACKETS, rows->human, packets);
	put_counts(view->flow->bytes, UNIT_BYTES, rows->human, bytes);
	if (!rows->table)
		rows->table = table_new(columns, N_CELLS, rows->file);
	if (!rows->table || table_row(rows->table, cells))
		return error_no_memory(error);
	return ++rows->n < PAGE_ROWS ? 0 : flow_rows_end(rows, error);
}

/**
 * flow_rows_end() - Print what has not been printed yet
 * @rows: the rows
 * @error: set on failure
 *
 * Return: 0; -ENOMEM, or -errno of the stream.
 */
int flow_rows_end(struct flow_rows *rows, struct error *error)
{
	int err = rows->table ? table_print(rows->table, error) : 0;

	flow_rows_free(rows);
	return err;
}

/**
 * flow_rows_free() - Release what has not been printed
 */
void flow_rows_free(struct flow_rows *rows)
{
	table_free(rows->table);
	rows->table = NULL;
	rows->n = 0;
}
