/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "top/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "rule.h"

#define FIRST_ROOM 256

static const char *const by_names[TOP_BY_MAX] = {
#define BY(id, name, title) [TOP_BY_##id] = name,
	TOP_BYS(BY)
#undef BY
};

static const char *const by_titles[TOP_BY_MAX] = {
#define BY(id, name, title) [TOP_BY_##id] = title,
	TOP_BYS(BY)
#undef BY
};

static const char *const order_names[TOP_ORDER_MAX] = {
#define ORDER(id, name) [TOP_ORDER_##id] = name,
	TOP_ORDERS(ORDER)
#undef ORDER
};

/**
 * top_by_name() - What rows stand for, as options name it
 */
const char *top_by_name(enum top_by by)
{
	return by_names[by];
}

/**
 * top_by_title() - The title of the column with what rows stand for
 */
const char *top_by_title(enum top_by by)
{
	return by_titles[by];
}

/**
 * top_order_name() - What rows are sorted by, as options name it
 */
const char *top_order_name(enum top_order order)
{
	return order_names[order];
}

/* Which end of a connection, or of a dropped packet, is the peer: 0 has opened or sent it. */
static unsigned int peer_end(const struct flow_event *event)
{
	return event->direction == DIR_EGRESS ? 1 : 0;
}

/**
 * top_key_of() - The row that a connection or a drop belongs to
 * @by: what rows stand for
 * @event: the connection, or a FLOW_EVENT_DROP
 *
 * Of connections between two peers the one that has opened it is the peer, and of what an uplink
 * drops the sender.
 */
struct top_key top_key_of(enum top_by by, const struct flow_event *event)
{
	bool is_drop = event->type == FLOW_EVENT_DROP;

	switch (by) {
	case TOP_BY_PEER:
		return (struct top_key){
			.addr = {event->addr[peer_end(event)]},
			.ip_version = event->ip_version,
		};
	case TOP_BY_RULE:
		return (struct top_key){.rule = event->rule};
	case TOP_BY_DEST:
		return (struct top_key){
			.addr = {{}, event->addr[1]},
			.port = {0, event->port[1]},
			.ip_version = event->ip_version,
			.l4_proto = event->l4_proto,
		};
	default:
		return (struct top_key){
			.addr = {event->addr[0], event->addr[1]},
			.port = {event->port[0], event->port[1]},
			.ip_version = event->ip_version,
			.l4_proto = event->l4_proto,
			.direction = event->direction,
			.is_drop = is_drop,
			.reason = is_drop ? event->reason : 0,
		};
	}
}

static uint64_t hash(const struct top_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], sum = 0;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		sum = (sum ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
	}
	return sum;
}

/* The slot of a key, or the free one where it would be. */
static uint32_t *find(const struct top_rows *rows, const struct top_key *key)
{
	size_t slot = hash(key) & (rows->n_slots - 1);

	while (rows->slots[slot] &&
	       memcmp(&rows->list[rows->slots[slot] - 1].key, key, sizeof(*key)))
		slot = (slot + 1) & (rows->n_slots - 1);
	return &rows->slots[slot];
}

/* Make room for twice as many rows; where memory is out nothing has changed. */
static int grow(struct top_rows *rows)
{
	size_t room = rows->room ? 2 * rows->room : FIRST_ROOM;
	struct top_row *list = realloc(rows->list, room * sizeof(*list));
	uint32_t *slots;

	if (!list)
		return -ENOMEM;
	rows->list = list;
	slots = realloc(rows->slots, 2 * room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots, 0, 2 * room * sizeof(*slots));
	rows->slots = slots;
	rows->n_slots = 2 * room;
	rows->room = room;
	for (size_t i = 0; i < rows->n; i++)
		*find(rows, &rows->list[i].key) = i + 1;
	return 0;
}

/* The row of a connection or drop, NULL without memory. */
static struct top_row *row_of(struct top_rows *rows, enum top_by by, const struct flow_event *event)
{
	struct top_key key = top_key_of(by, event);
	uint32_t *slot;

	if (rows->n == rows->room && grow(rows))
		return NULL;
	slot = find(rows, &key);
	if (!*slot) {
		rows->list[rows->n] = (struct top_row){
			.key = key, .rule = event->rule, .state = event->flow_state};
		*slot = ++rows->n;
	}
	return &rows->list[*slot - 1];
}

/* Whether a connection or a drop is asked about. */
static bool is_wanted(const struct top_question *question, const struct flow_event *event)
{
	if (!filter_match_event(&question->filter, event))
		return false;
	for (size_t i = 0; i < question->n_scopes; i++) {
		struct top_key key = top_key_of(question->scopes[i].by, event);

		if (memcmp(&key, &question->scopes[i].key, sizeof(key)))
			return false;
	}
	return true;
}

static int add_flow(struct top_rows *rows, const struct top_question *question,
		    const struct ledger_flow *flow)
{
	unsigned int rx = peer_end(&flow->event);
	const struct ledger_moved *last = &flow->last;
	struct top_row *row;

	if (!flow->is_there && !flow->ended && !flow->opened && !last->packets[0] &&
	    !last->packets[1])
		return 0;
	if (!is_wanted(question, &flow->event))
		return 0;
	row = row_of(rows, question->by, &flow->event);
	if (!row)
		return -ENOMEM;
	for (unsigned int way = 0; way < 2; way++) {
		row->packets[way] += last->packets[way ? !rx : rx];
		row->bytes[way] += last->bytes[way ? !rx : rx];
	}
	row->id = flow->id;
	row->connections += flow->is_there;
	row->opened += flow->opened;
	row->ended += flow->ended;
	return 0;
}

/* Count drops of a row by their reasons, as far as there is room for them. */
static void add_reason(struct top_row *row, uint8_t reason, uint64_t n)
{
	unsigned int i = 0;

	while (i < row->n_reasons && row->reasons[i].reason != reason)
		i++;
	if (i == TOP_REASONS)
		return;
	if (i == row->n_reasons) {
		row->reasons[i].reason = reason;
		row->n_reasons++;
	}
	row->reasons[i].n += n;
}

static int add_drop(struct top_rows *rows, const struct top_question *question,
		    const struct flow_event *drop)
{
	struct top_row *row;

	if (!is_wanted(question, drop))
		return 0;
	row = row_of(rows, question->by, drop);
	if (!row)
		return -ENOMEM;
	row->drops += drop->packets[0];
	add_reason(row, drop->reason, drop->packets[0]);
	return 0;
}

static uint64_t rank(const struct top_row *row, enum top_order order)
{
	switch (order) {
	case TOP_ORDER_RX:
		return row->bytes[0];
	case TOP_ORDER_TX:
		return row->bytes[1];
	case TOP_ORDER_PACKETS:
		return row->packets[0] + row->packets[1];
	case TOP_ORDER_CONNECTIONS:
		return row->connections;
	case TOP_ORDER_NEW:
		return row->opened;
	case TOP_ORDER_DROPS:
		return row->drops;
	default:
		return row->bytes[0] + row->bytes[1];
	}
}

/* By the order that was asked for, then by what tells most, then so that equal rows stay in place. */
static int compare(const void *left, const void *right, void *arg)
{
	static const enum top_order then[] = {TOP_ORDER_BYTES, TOP_ORDER_DROPS,
					      TOP_ORDER_CONNECTIONS};
	const enum top_order *order = arg;
	const struct top_row *a = left, *b = right;
	uint64_t x = rank(a, *order), y = rank(b, *order);

	for (size_t i = 0; x == y && i < sizeof(then) / sizeof(*then); i++) {
		x = rank(a, then[i]);
		y = rank(b, then[i]);
	}
	if (x != y)
		return x < y ? 1 : -1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

/**
 * top_rows_make() - Make the rows of the interval that the last look has ended
 * @rows: all zero, or made before; are replaced
 * @ledger: connections and drops
 * @question: which rows
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int top_rows_make(struct top_rows *rows, const struct ledger *ledger,
		  const struct top_question *question, struct error *error)
{
	enum top_order order = question->order;
	int err = 0;

	rows->n = 0;
	if (rows->n_slots)
		memset(rows->slots, 0, rows->n_slots * sizeof(*rows->slots));
	for (size_t i = 0; !err && i < ledger->n; i++)
		err = add_flow(rows, question, &ledger->flows[i]);
	for (size_t i = 0; !err && i < ledger->drops->n; i++)
		err = add_drop(rows, question, &ledger->drops->list[i].sum);
	if (err)
		return error_no_memory(error);
	if (rows->n)
		qsort_r(rows->list, rows->n, sizeof(*rows->list), compare, &order);
	return 0;
}

/**
 * top_row_sum() - Sum rows up
 * @rows: the rows
 * @from: the first one that counts; the rest behind it does, too
 * @sum: set to the sums, without a key
 */
void top_row_sum(const struct top_rows *rows, size_t from, struct top_row *sum)
{
	*sum = (struct top_row){.rule = RULE_NONE};
	for (size_t i = from; i < rows->n; i++) {
		const struct top_row *row = &rows->list[i];

		for (int way = 0; way < 2; way++) {
			sum->packets[way] += row->packets[way];
			sum->bytes[way] += row->bytes[way];
		}
		sum->connections += row->connections;
		sum->opened += row->opened;
		sum->ended += row->ended;
		sum->drops += row->drops;
		for (unsigned int r = 0; r < row->n_reasons; r++)
			add_reason(sum, row->reasons[r].reason, row->reasons[r].n);
	}
}

/**
 * top_row_reason() - The reason for most of a row's drops
 *
 * Return: its name, empty where nothing was dropped.
 */
const char *top_row_reason(const struct top_row *row)
{
	unsigned int most = 0;

	for (unsigned int i = 1; i < row->n_reasons; i++)
		if (row->reasons[i].n > row->reasons[most].n)
			most = i;
	return row->n_reasons ? reason_name(row->reasons[most].reason) : "";
}

/**
 * top_rows_free() - Free rows
 */
void top_rows_free(struct top_rows *rows)
{
	free(rows->list);
	free(rows->slots);
	*rows = (struct top_rows){};
}
