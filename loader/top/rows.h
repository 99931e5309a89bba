/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of a view: sums over the connections and drops of an interval, by peer, rule, destination or
 * connection.
 */
#ifndef SHRIKE_TOP_ROWS_H
#define SHRIKE_TOP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/filter.h"
#include "top/ledger.h"

/* BY(id, name, title): what a row stands for */
#define TOP_BYS(BY)                                                                                \
	BY(PEER, "peer", "PEER")                                                                   \
	BY(RULE, "rule", "RULE")                                                                   \
	BY(DEST, "dest", "DESTINATION")                                                            \
	BY(FLOW, "flow", "CONNECTION")

enum top_by {
#define BY(id, name, title) TOP_BY_##id,
	TOP_BYS(BY)
#undef BY
		TOP_BY_MAX,
};

/* ORDER(id, name): what rows are sorted by, the largest first */
#define TOP_ORDERS(ORDER)                                                                          \
	ORDER(BYTES, "bytes")                                                                      \
	ORDER(RX, "rx")                                                                            \
	ORDER(TX, "tx")                                                                            \
	ORDER(PACKETS, "packets")                                                                  \
	ORDER(CONNECTIONS, "connections")                                                          \
	ORDER(NEW, "new")                                                                          \
	ORDER(DROPS, "drops")

enum top_order {
#define ORDER(id, name) TOP_ORDER_##id,
	TOP_ORDERS(ORDER)
#undef ORDER
		TOP_ORDER_MAX,
};

/*
 * struct top_key - what a row stands for; all zero but for what it is made by
 * @addr: of a connection opener and other end, of a peer and a destination one of them
 * @port: likewise; of drops 0 where the sender's port was not always the same
 * @rule: number, RULE_NONE
 * @reason: of a row of drops among connections
 * @is_drop: such a row
 */
struct top_key {
	union addr addr[2];
	__be16 port[2];
	uint32_t rule;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t direction; /* enum direction of what opened the connection, or was dropped */
	uint8_t reason;
	uint8_t is_drop;
	uint8_t pad[3];
};
_Static_assert(sizeof(struct top_key) == 48, "keys are compared as bytes, so they have no holes");

#define TOP_REASONS 4

/*
 * struct top_row - the sums of a row, of an interval
 * @packets, @bytes: 0: came in by the interface from the peer, 1: went out to it
 * @connections: that are there
 * @drops: packets
 * @reasons: those of the drops, in no order; @n_reasons of them, the rest has others
 * @id, @state, @rule: of a connection; of drops @id is 0
 */
struct top_row {
	struct top_key key;
	uint64_t packets[2];
	uint64_t bytes[2];
	uint64_t connections;
	uint64_t opened;
	uint64_t ended;
	uint64_t drops;
	struct {
		uint64_t n;
		uint8_t reason;
	} reasons[TOP_REASONS];
	uint64_t id;
	uint32_t rule;
	uint8_t n_reasons;
	uint8_t state;
};

/* A row of another view, of whose connections and drops the rows are made. */
struct top_scope {
	enum top_by by;
	struct top_key key;
};

#define TOP_SCOPES 3 /* one within the other: peer, rule and destination */

/*
 * struct top_question - which rows are asked for
 * @by: what they stand for
 * @order: what they are sorted by
 * @filter: connections and drops that count
 * @scopes: likewise, @n_scopes of them
 */
struct top_question {
	enum top_by by;
	enum top_order order;
	struct filter filter;
	struct top_scope scopes[TOP_SCOPES];
	size_t n_scopes;
};

/* All zero: none yet. */
struct top_rows {
	struct top_row *list;
	size_t n;

	/* private to rows.c */
	size_t room;
	uint32_t *slots;
	size_t n_slots;
};

const char *top_by_name(enum top_by by);
const char *top_by_title(enum top_by by);
const char *top_order_name(enum top_order order);
struct top_key top_key_of(enum top_by by, const struct flow_event *event);
int top_rows_make(struct top_rows *rows, const struct ledger *ledger,
		  const struct top_question *question, struct error *error);
void top_row_sum(const struct top_rows *rows, size_t from, struct top_row *sum);
const char *top_row_reason(const struct top_row *row);
void top_rows_free(struct top_rows *rows);

#endif /* SHRIKE_TOP_ROWS_H */
