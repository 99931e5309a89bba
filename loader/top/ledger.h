/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each connection has moved between two looks at the tables, also where it has begun and ended
 * in between; and which packets were dropped meanwhile.
 *
 * Events (flow_event.h) come at any time.  ledger_look() reads the tables and ends an interval,
 * whose figures stay until the next look.
 */
#ifndef SHRIKE_TOP_LEDGER_H
#define SHRIKE_TOP_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/tables.h"
#include "flow_event.h"
#include "flowlog/aggregate.h"

#define LEDGER_FLOWS_MAX (1u << 17)

/* What the two ends of a flow have sent: index 0 is the opener. */
struct ledger_moved {
	uint64_t packets[2];
	uint64_t bytes[2];
};

/*
 * struct ledger_flow - a connection
 * @event: as last seen
 * @id: as flow_event_id() gives it
 * @last: moved in the interval that the last look has ended
 * @opened: began in that interval
 * @ended: likewise
 * @is_there: at the last look it was in a table, and had not ended
 */
struct ledger_flow {
	struct flow_event event;
	uint64_t id;
	struct ledger_moved last;
	bool opened;
	bool ended;
	bool is_there;

	/* private to ledger.c */
	bool is_new;		 /* began since the last look */
	bool ends;		 /* its end was noted since the last look */
	bool is_over;		 /* its end was noted */
	bool missed;		 /* the last look has not found it */
	bool is_gone;		 /* and nothing more will be heard of it */
	uint32_t found_by;	 /* number of the look that has found it last; 0: none */
	struct ledger_moved now; /* moved since the last look */
};

/*
 * struct ledger - connections and dropped packets
 * @flows: of the last interval, and those that were first heard of since; moves with each event
 * @n: how many
 * @looks: how many there were; the first one only begins
 * @drops: of the last interval
 * @drops_beyond: packets that are in none of @drops, as there was no room for one more kind
 * @flows_beyond: connections at the last look that are not in @flows, for want of room
 */
struct ledger {
	struct ledger_flow *flows;
	size_t n;
	uint32_t looks;
	const struct aggregates *drops;
	uint64_t drops_beyond;
	uint64_t flows_beyond;

	/* private to ledger.c */
	size_t room;
	uint32_t *slots; /* place in flows, and 1; 0: the slot is free */
	size_t n_slots;
	struct aggregates *dropped; /* two: of the interval before, and since */
	uint64_t drops_beyond_now;
	uint64_t flows_beyond_now;
	uint64_t looked_ns; /* when the last look began */
	unsigned int dropped_now;
	uint32_t ifindex;
};

int ledger_open(struct ledger *ledger, uint32_t ifindex, struct error *error);
int ledger_event(struct ledger *ledger, const struct flow_event *event);
int ledger_look(struct ledger *ledger, const struct conntrack *conntrack,
		const struct flow_clock *clock, struct error *error);
void ledger_close(struct ledger *ledger);

#endif /* SHRIKE_TOP_LEDGER_H */
