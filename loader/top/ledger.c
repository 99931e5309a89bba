/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The connections are a list without holes.  A hash with open addressing, of at least twice as many
 * slots, finds them by id; each look makes it anew when it drops those that have gone.
 *
 * Counters of an entry only grow, and those of an end event are its last ones, so what was moved is
 * the difference to what was known, whichever of the two comes first.
 */
#include "top/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/events.h"
#include "conntrack/flow_id.h"

#define FIRST_ROOM 1024

/* Times of entries are some ms coarse. */
#define COARSE_NS (100 * NS_PER_MS)

/**
 * ledger_open() - Begin without connections
 * @ledger: is filled; for ledger_close()
 * @ifindex: the interface
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int ledger_open(struct ledger *ledger, uint32_t ifindex, struct error *error)
{
	*ledger = (struct ledger){
		.ifindex = ifindex,
		.room = FIRST_ROOM,
		.n_slots = 2 * FIRST_ROOM,
		.flows = calloc(FIRST_ROOM, sizeof(struct ledger_flow)),
		.slots = calloc(2 * FIRST_ROOM, sizeof(uint32_t)),
		.dropped = calloc(2, sizeof(struct aggregates)),
	};
	ledger->drops = &ledger->dropped[1];
	if (ledger->flows && ledger->slots && ledger->dropped)
		return 0;
	ledger_close(ledger);
	return error_no_memory(error);
}

/* The slot of an id, or the free one where it would be. */
static uint32_t *find(const struct ledger *ledger, uint64_t id)
{
	size_t slot = id & (ledger->n_slots - 1);

	while (ledger->slots[slot] && ledger->flows[ledger->slots[slot] - 1].id != id)
		slot = (slot + 1) & (ledger->n_slots - 1);
	return &ledger->slots[slot];
}

static void fill_slots(struct ledger *ledger)
{
	memset(ledger->slots, 0, ledger->n_slots * sizeof(*ledger->slots));
	for (size_t i = 0; i < ledger->n; i++)
		*find(ledger, ledger->flows[i].id) = i + 1;
}

static int grow(struct ledger *ledger)
{
	struct ledger_flow *flows = realloc(ledger->flows, 2 * ledger->room * sizeof(*flows));
	uint32_t *slots;

	if (!flows)
		return -ENOMEM;
	ledger->flows = flows;
	slots = realloc(ledger->slots, 2 * ledger->n_slots * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	ledger->slots = slots;
	ledger->room *= 2;
	ledger->n_slots *= 2;
	fill_slots(ledger);
	return 0;
}

/* Whether the last look could have found the connection of an event. */
static bool began_before_look(const struct ledger *ledger, const struct flow_event *event)
{
	return event->created_ns + COARSE_NS < ledger->looked_ns;
}

/*
 * Begin to note a connection.  What it has sent before is not of this interval where it was there
 * before the last look, which then had no room for it.
 */
static int add(struct ledger *ledger, const struct flow_event *event, uint64_t id)
{
	struct ledger_flow *flow;

	if (ledger->n == ledger->room && grow(ledger))
		return -ENOMEM;
	flow = &ledger->flows[ledger->n];
	*flow = (struct ledger_flow){.event = *event, .id = id};
	*find(ledger, id) = ++ledger->n;
	if (!ledger->looks || began_before_look(ledger, event))
		return 0;
	flow->is_new = true;
	for (int end = 0; end < 2; end++) {
		flow->now.packets[end] = event->packets[end];
		flow->now.bytes[end] = event->bytes[end];
	}
	return 0;
}

/* Take over what is known of a connection now. */
static void renew(struct ledger_flow *flow, const struct flow_event *event)
{
	struct flow_event *known = &flow->event;

	for (int end = 0; end < 2; end++) {
		if (event->packets[end] > known->packets[end]) {
			flow->now.packets[end] += event->packets[end] - known->packets[end];
			known->packets[end] = event->packets[end];
		}
		if (event->bytes[end] > known->bytes[end]) {
			flow->now.bytes[end] += event->bytes[end] - known->bytes[end];
			known->bytes[end] = event->bytes[end];
		}
	}
	known->flow_state = event->flow_state;
	known->rule = event->rule;
}

/*
 * Note what is known of a connection.
 *
 * Return: 0 or -ENOMEM; @flow is set to the connection, NULL: there is no room for it, or it is an
 * end that the looks before have noticed already.
 */
static int note(struct ledger *ledger, const struct flow_event *event, struct ledger_flow **flow)
{
	uint64_t id = flow_event_id(event);
	uint32_t place = *find(ledger, id);
	int err;

	*flow = NULL;
	if (place) {
		*flow = &ledger->flows[place - 1];
		renew(*flow, event);
		return 0;
	}
	if (event->type == FLOW_EVENT_END && began_before_look(ledger, event))
		return 0;
	if (ledger->n == LEDGER_FLOWS_MAX) {
		ledger->flows_beyond_now++;
		return 0;
	}
	err = add(ledger, event, id);
	if (!err)
		*flow = &ledger->flows[ledger->n - 1];
	return err;
}

/* Note that a connection is over, once. */
static void note_end(struct ledger_flow *flow)
{
	flow->ends |= !flow->is_over;
	flow->is_over = true;
}

/**
 * ledger_event() - Note the end of a connection, or a dropped packet
 * @ledger: where to
 * @event: as it came; starts tell nothing that the next look or the end does not
 *
 * Return: 0 or -ENOMEM.
 */
int ledger_event(struct ledger *ledger, const struct flow_event *event)
{
	struct ledger_flow *flow;
	int err;

	if (event->type == FLOW_EVENT_DROP &&
	    !aggregates_add(&ledger->dropped[ledger->dropped_now], event))
		ledger->drops_beyond_now++;
	if (event->type != FLOW_EVENT_END)
		return 0;
	err = note(ledger, event, &flow);
	if (flow)
		note_end(flow);
	return err;
}

/* Note an entry of the tables; a flow_visit. */
static int look_at(void *arg, const struct flow_view *view)
{
	struct ledger *ledger = arg;
	struct flow_event event = flow_event_of(view, ledger->ifindex);
	struct ledger_flow *flow;
	int err = note(ledger, &event, &flow);

	if (!flow)
		return err;
	flow->found_by = ledger->looks + 1;
	if (flow_has_ended(view))
		note_end(flow);
	return 0;
}

/* End the interval of a connection. */
static void close_interval(const struct ledger *ledger, struct ledger_flow *flow)
{
	bool missed = flow->found_by != ledger->looks;

	/* the event of its end may be on its way when a look misses it for the first time */
	flow->is_gone = missed && (flow->is_over || flow->missed);
	if (flow->is_gone)
		note_end(flow);
	flow->last = flow->now;
	flow->now = (struct ledger_moved){};
	flow->opened = flow->is_new;
	flow->ended = flow->ends && ledger->looks > 1;
	flow->is_there = !missed && !flow->is_over;
	flow->missed = missed;
	flow->is_new = flow->ends = false;
}

/* Forget the connections that had gone before the interval began. */
static void forget_gone(struct ledger *ledger)
{
	size_t kept = 0;

	for (size_t i = 0; i < ledger->n; i++)
		if (!ledger->flows[i].is_gone)
			ledger->flows[kept++] = ledger->flows[i];
	ledger->n = kept;
	fill_slots(ledger);
}

/* What was dropped since the last look becomes what was dropped in the interval. */
static void close_drops(struct ledger *ledger)
{
	ledger->drops = &ledger->dropped[ledger->dropped_now];
	ledger->dropped_now = !ledger->dropped_now;
	aggregates_clear(&ledger->dropped[ledger->dropped_now]);
	ledger->drops_beyond = ledger->drops_beyond_now;
	ledger->drops_beyond_now = 0;
}

/**
 * ledger_look() - Read the tables, and end the interval
 * @ledger: the ledger
 * @conntrack: the tables
 * @clock: now and the timeouts
 * @error: set on failure
 *
 * In the interval that the first look ends nothing has begun, ended or been moved: there was
 * nothing to compare with.
 *
 * Return: 0 or -errno; then the interval goes on.
 */
int ledger_look(struct ledger *ledger, const struct conntrack *conntrack,
		const struct flow_clock *clock, struct error *error)
{
	int err;

	forget_gone(ledger);
	ledger->flows_beyond_now = 0;
	err = conntrack_walk(conntrack, clock, NULL, look_at, ledger, error);
	if (err)
		return err == -ENOMEM ? error_no_memory(error) : err;
	ledger->looks++;
	ledger->looked_ns = clock->now_ns;
	ledger->flows_beyond = ledger->flows_beyond_now;
	for (size_t i = 0; i < ledger->n; i++)
		close_interval(ledger, &ledger->flows[i]);
	close_drops(ledger);
	return 0;
}

/**
 * ledger_close() - Free what was noted
 * @ledger: opened, or all zero
 */
void ledger_close(struct ledger *ledger)
{
	free(ledger->flows);
	free(ledger->slots);
	free(ledger->dropped);
	*ledger = (struct ledger){};
}
