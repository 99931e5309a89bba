/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The connections are a list without holes.  A hash of fixed size with open addressing finds them
 * by id; deleting an entry moves the entries behind it up (free_slot()).
 *
 * A connection counts as ended when two scans in a row find it in no table.  An end event that a
 * program or the sweep has reported, and that is still in the ring buffer during the first scan, is
 * read before the second one.
 */
#include "conntrack/missing_ends.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/flow_id.h"

#define SLOTS (2 * MISSING_ENDS_MAX)
#define MASK  (SLOTS - 1)

_Static_assert((SLOTS & MASK) == 0, "the hash takes the low bits");

struct started {
	struct flow_event event; /* of the start; counts and state as last seen */
	uint64_t id;
	bool missing; /* the last scan found it in no table */
};

struct missing_ends {
	struct started list[MISSING_ENDS_MAX];
	uint32_t slots[SLOTS]; /* place in the list, and 1; 0: the slot is free */
	uint32_t n;
	uint32_t at; /* where in the list the next scan begins */
	uint64_t skipped;
};

/**
 * missing_ends_new() - Make an empty list of connections
 *
 * Return: for missing_ends_free(); NULL if memory is out.
 */
struct missing_ends *missing_ends_new(void)
{
	return calloc(1, sizeof(struct missing_ends));
}

/* The slot of an id, or the free one where it would be. */
static uint32_t find(const struct missing_ends *ends, uint64_t id)
{
	uint32_t slot = id & MASK;

	while (ends->slots[slot] && ends->list[ends->slots[slot] - 1].id != id)
		slot = (slot + 1) & MASK;
	return slot;
}

/* Empty a slot, and move up entries that would not be found any more. */
static void free_slot(struct missing_ends *ends, uint32_t slot)
{
	uint32_t next = slot;

	while (ends->slots[next = (next + 1) & MASK]) {
		uint32_t home = ends->list[ends->slots[next] - 1].id & MASK;

		if (((next - home) & MASK) < ((next - slot) & MASK))
			continue; /* it would be before its home */
		ends->slots[slot] = ends->slots[next];
		slot = next;
	}
	ends->slots[slot] = 0;
}

/* Remove the entry at @place; the last entry of the list moves there. */
static void drop_entry(struct missing_ends *ends, uint32_t place)
{
	uint32_t last = ends->n - 1;

	free_slot(ends, find(ends, ends->list[place].id));
	if (place != last) {
		ends->slots[find(ends, ends->list[last].id)] = place + 1;
		ends->list[place] = ends->list[last];
	}
	ends->n--;
}

/**
 * missing_ends_note() - Add a connection that starts, remove one that ends
 * @event: as it came from the listener; every event has to be noted
 */
void missing_ends_note(struct missing_ends *ends, const struct flow_event *event)
{
	uint64_t id = flow_event_id(event);
	uint32_t slot;

	if (event->type != FLOW_EVENT_START && event->type != FLOW_EVENT_END)
		return;
	slot = find(ends, id);
	if (event->type == FLOW_EVENT_END) {
		if (ends->slots[slot])
			drop_entry(ends, ends->slots[slot] - 1);
	} else if (ends->n == MISSING_ENDS_MAX) {
		ends->skipped++;
	} else if (!ends->slots[slot]) {
		ends->list[ends->n] = (struct started){.event = *event, .id = id};
		ends->slots[slot] = ++ends->n;
	}
}

/* Where connections of an interface are noted. */
struct note {
	struct missing_ends *ends;
	uint32_t ifindex;
};

/* Note a flow of the tables, unless its end has been reported. */
static int note_tracked(void *arg, const struct flow_view *view)
{
	const struct note *note = arg;
	struct flow_event event = flow_event_of(view, note->ifindex);

	if (!flow_has_ended(view))
		missing_ends_note(note->ends, &event);
	return 0;
}

/**
 * missing_ends_begin() - Add the connections that there are, whose start nobody has read
 * @ends: the connections
 * @conntrack: the tables
 * @clock: now and the timeouts
 * @ifindex: the interface
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int missing_ends_begin(struct missing_ends *ends, const struct conntrack *conntrack,
		       const struct flow_clock *clock, uint32_t ifindex, struct error *error)
{
	struct note note = {ends, ifindex};

	return conntrack_walk(conntrack, clock, NULL, note_tracked, &note, error);
}

/* Whether the tables have the connection of an event; if so, the counts of the event are renewed. */
static bool is_tracked(const struct map_set *maps, struct flow_event *event)
{
	const struct tuple opening = {
		.saddr = event->addr[0],
		.daddr = event->addr[1],
		.sport = event->port[0],
		.dport = event->port[1],
		.ip_version = event->ip_version,
		.l4_proto = event->l4_proto,
	};
	struct flow flow;

	if (!flow_find(maps, &opening, event->created_ns, &flow))
		return false;
	for (int end = 0; end < 2; end++) {
		event->packets[end] = flow.packets[end];
		event->bytes[end] = flow.bytes[end];
	}
	event->flow_state = flow.state;
	return true;
}

/* Call @on_event with the end that no program has reported. */
static int report_end(const struct started *started, uint64_t now_ns, flow_on_event on_event,
		      void *arg)
{
	struct flow_event event = started->event;

	event.type = FLOW_EVENT_END;
	event.cause = FLOW_CAUSE_EVICTED;
	event.time_ns = now_ns;
	return on_event(arg, &event);
}

/**
 * missing_ends_scan() - Look up some of the connections, and report those that are in no table
 * @ends: the connections
 * @maps: of the generation in force
 * @now_ns: CLOCK_MONOTONIC
 * @on_event: called with the end of each that is gone; packets and bytes are those of the last look
 * @arg: for @on_event
 *
 * To be called every second or so, after flow_events_read().
 *
 * Return: 0, or what @on_event returned.
 */
int missing_ends_scan(struct missing_ends *ends, const struct map_set *maps, uint64_t now_ns,
		      flow_on_event on_event, void *arg)
{
	int err = 0;

	for (uint32_t looked = 0; !err && looked < MISSING_ENDS_STEP; looked++) {
		struct started *started = &ends->list[ends->at];
		bool was_missing;

		if (ends->at >= ends->n) {
			ends->at = 0;
			break;
		}
		was_missing = started->missing;
		started->missing = !is_tracked(maps, &started->event);
		if (started->missing && was_missing) {
			err = report_end(started, now_ns, on_event, arg);
			drop_entry(ends, ends->at);
		} else {
			ends->at++;
		}
	}
	return err;
}

/**
 * missing_ends_clear() - Drop all connections, since lost events may have been their ends
 */
void missing_ends_clear(struct missing_ends *ends)
{
	memset(ends->slots, 0, sizeof(ends->slots));
	ends->n = ends->at = 0;
}

/**
 * missing_ends_skipped() - How many connections were not noted, the list being full
 */
uint64_t missing_ends_skipped(const struct missing_ends *ends)
{
	return ends->skipped;
}

/**
 * missing_ends_free() - Free the list
 */
void missing_ends_free(struct missing_ends *ends)
{
	free(ends);
}
