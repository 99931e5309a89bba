/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A list without holes, and a hash of fixed size with open addressing over it, where what is deleted
 * pulls up those behind it.
 *
 * A connection counts as ended when it was in no table on two occasions: what a program or the
 * sweep has told between its removal and the first of them is heard before the second.
 */
#include "conntrack/missing_ends.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/event_print.h"
#include "conntrack/tables.h"
#include "flow_key.h"

#define SLOTS (2 * FLOW_FOLLOW_MAX)
#define MASK  (SLOTS - 1)

_Static_assert((SLOTS & MASK) == 0, "the hash takes the low bits");

struct followed {
	struct flow_event event; /* of the start; counts and state as last seen */
	uint64_t id;
	bool missing; /* it was in no table when it was looked for last */
};

struct flow_follow {
	struct followed list[FLOW_FOLLOW_MAX];
	uint32_t slots[SLOTS]; /* place in the list, and 1; 0: the slot is free */
	uint32_t n;
	uint32_t at; /* where in the list the next look begins */
	uint64_t skipped;
};

/**
 * flow_follow_new() - Remember nobody yet
 *
 * Return: for flow_follow_free(); NULL if memory is out.
 */
struct flow_follow *flow_follow_new(void)
{
	return calloc(1, sizeof(struct flow_follow));
}

/* The slot of an id, or the free one where it would be. */
static uint32_t find(const struct flow_follow *follow, uint64_t id)
{
	uint32_t slot = id & MASK;

	while (follow->slots[slot] && follow->list[follow->slots[slot] - 1].id != id)
		slot = (slot + 1) & MASK;
	return slot;
}

static void free_slot(struct flow_follow *follow, uint32_t slot)
{
	uint32_t next = slot;

	while (follow->slots[next = (next + 1) & MASK]) {
		uint32_t home = follow->list[follow->slots[next] - 1].id & MASK;

		if (((next - home) & MASK) < ((next - slot) & MASK))
			continue; /* it would be before its home */
		follow->slots[slot] = follow->slots[next];
		slot = next;
	}
	follow->slots[slot] = 0;
}

/* The last of the list takes the place. */
static void delete (struct flow_follow *follow, uint32_t place)
{
	uint32_t last = follow->n - 1;

	free_slot(follow, find(follow, follow->list[place].id));
	if (place != last) {
		follow->slots[find(follow, follow->list[last].id)] = place + 1;
		follow->list[place] = follow->list[last];
	}
	follow->n--;
}

/**
 * flow_follow_hear() - Remember a connection that starts, forget one that ends
 * @event: as it was heard; every event has to come by here
 */
void flow_follow_hear(struct flow_follow *follow, const struct flow_event *event)
{
	uint64_t id = flow_event_id(event);
	uint32_t slot;

	if (event->type != FLOW_EVENT_START && event->type != FLOW_EVENT_END)
		return;
	slot = find(follow, id);
	if (event->type == FLOW_EVENT_END) {
		if (follow->slots[slot])
			delete (follow, follow->slots[slot] - 1);
	} else if (follow->n == FLOW_FOLLOW_MAX) {
		follow->skipped++;
	} else if (!follow->slots[slot]) {
		follow->list[follow->n] = (struct followed){.event = *event, .id = id};
		follow->slots[slot] = ++follow->n;
	}
}

/* Openings first: one that is confirmed meanwhile is in both tables for a moment. */
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
	uint8_t l4_proto = flow_table_protocol(event->l4_proto, event->ip_version);
	struct flow_key key;
	struct flow flow;

	flow_key_of(&key, &opening);
	for (int i = 0; i < CONNTRACK_TABLES; i++) {
		const struct conntrack_map *map = &conntrack_maps[i];

		if (map->ip_version != event->ip_version || map->l4_proto != l4_proto ||
		    bpf_map_lookup_elem(map_set_fd(maps, map->name), &key, &flow) ||
		    flow.created_ns != event->created_ns)
			continue;
		for (int end = 0; end < 2; end++) {
			event->packets[end] = flow.packets[end];
			event->bytes[end] = flow.bytes[end];
		}
		event->flow_state = flow.state;
		return true;
	}
	return false;
}

static int report_end(const struct followed *followed, uint64_t now_ns, flow_on_event on_event,
		      void *arg)
{
	struct flow_event event = followed->event;

	event.type = FLOW_EVENT_END;
	event.cause = FLOW_CAUSE_EVICTED;
	event.time_ns = now_ns;
	return on_event(arg, &event);
}

/**
 * flow_follow_look() - Look for some of the connections that are remembered
 * @follow: which
 * @maps: of the generation in force
 * @now_ns: CLOCK_MONOTONIC
 * @on_event: called with the end of each that is gone; packets and bytes are those of the last look
 * @arg: for @on_event
 *
 * To be called every second or so, after events were heard.
 *
 * Return: 0, or what @on_event returned.
 */
int flow_follow_look(struct flow_follow *follow, const struct map_set *maps, uint64_t now_ns,
		     flow_on_event on_event, void *arg)
{
	int err = 0;

	for (uint32_t looked = 0; !err && looked < FLOW_FOLLOW_STEP; looked++) {
		struct followed *followed = &follow->list[follow->at];
		bool was_missing;

		if (follow->at >= follow->n) {
			follow->at = 0;
			break;
		}
		was_missing = followed->missing;
		followed->missing = !is_tracked(maps, &followed->event);
		if (followed->missing && was_missing) {
			err = report_end(followed, now_ns, on_event, arg);
			delete (follow, follow->at);
		} else {
			follow->at++;
		}
	}
	return err;
}

/**
 * flow_follow_forget() - Forget all: events were lost, and ends may have been among them
 */
void flow_follow_forget(struct flow_follow *follow)
{
	memset(follow->slots, 0, sizeof(follow->slots));
	follow->n = follow->at = 0;
}

/**
 * flow_follow_skipped() - Connections that there was no room to remember
 */
uint64_t flow_follow_skipped(const struct flow_follow *follow)
{
	return follow->skipped;
}

/**
 * flow_follow_free() - Forget all for good
 */
void flow_follow_free(struct flow_follow *follow)
{
	free(follow);
}
