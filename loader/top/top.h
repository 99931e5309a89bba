/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens on an interface, looked at from time to time: its counters, and a ledger of its
 * connections.
 */
#ifndef SHRIKE_TOP_TOP_H
#define SHRIKE_TOP_TOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "counter.h"
#include "dataplane/event_context.h"
#include "top/ledger.h"

#define TOP_WAIT_FDS 2 /* descriptors that top_wait() takes at most */

/* What was read at a look. */
struct top_reading {
	struct counters counters[DIR_MAX];
	int64_t monotonic_ns;
	int64_t realtime_ns;
	uint64_t lost;	    /* events since top_open() */
	uint64_t missed_ns; /* for how long no events were made, since then */
	uint32_t map_id;    /* of the counters: another one has other counters */
};

/*
 * struct top - an interface that is looked at
 * @name: of the interface
 * @context: what its events refer to, as of the last look
 * @ledger: its connections, and what was dropped
 * @before, @now: the last two looks
 */
struct top {
	const char *name;
	struct event_context context;
	struct ledger ledger;
	struct top_reading before;
	struct top_reading now;

	/* private to top.c */
	struct flow_events *events;
	int64_t read_ns; /* when events were read last */
};

int top_open(struct top *top, const char *name, int ifindex, struct error *error);
int top_wait(struct top *top, struct pollfd *fds, size_t n, int64_t deadline_ns,
	     struct error *error);
int top_look(struct top *top, struct error *error);
double top_seconds(const struct top *top);
void top_close(struct top *top);

#endif /* SHRIKE_TOP_TOP_H */
