/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "top/top.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "conntrack/events.h"
#include "maps.h"

#define BATCH_NS (20 * NS_PER_MS) /* a ring holds more events than come in that time */
#define KEEP_NS	 NS_PER_S	  /* how often events are asked for, see FLOW_GATE_NS */

static int on_event(void *arg, const struct flow_event *event)
{
	return ledger_event(arg, event);
}

/* Read the counters and the clocks. */
static int read_counters(struct top *top, struct error *error)
{
	struct attached *attached = &top->context.attached;
	struct top_reading now = {
		.lost = flow_events_lost(top->events),
		.missed_ns = flow_events_missed_ns(top->events),
		.monotonic_ns = clock_ns(CLOCK_MONOTONIC),
		.realtime_ns = clock_ns(CLOCK_REALTIME),
	};
	int err = attached_counters(&attached->maps, now.counters, error);

	if (err)
		return err;
	now.map_id = map_set_find(&attached->maps, MAP_COUNTERS)->id;
	top->before = top->now.map_id ? top->now : now;
	top->now = now;
	if (top->before.map_id != now.map_id) /* what they have counted began with them */
		memset(top->before.counters, 0, sizeof(top->before.counters));
	return 0;
}

/**
 * top_open() - Begin to look at an interface
 * @top: is filled; to be closed also after a failure
 * @name: of the interface, which the caller keeps
 * @ifindex: its index
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int top_open(struct top *top, const char *name, int ifindex, struct error *error)
{
	int err;

	*top = (struct top){.name = name};
	map_set_init(&top->context.attached.maps);
	err = event_context_open(&top->context, ifindex, error);
	if (err)
		return error_prefix(error, "%s", name);
	err = ledger_open(&top->ledger, ifindex, error);
	if (err)
		return err;
	top->events = flow_events_open(&top->context.attached.maps, name, on_event, &top->ledger,
				       error);
	return top->events ? 0 : -error->code;
}

/* Note what has happened. */
static int read_events(struct top *top, struct error *error)
{
	top->read_ns = clock_ns(CLOCK_MONOTONIC);
	flow_events_keep(top->events);
	return flow_events_read(top->events, error);
}

/* How long to wait, and for events only where there were none just now: a flood of them comes by the batch. */
static int64_t pause_ns(const struct top *top, int64_t deadline_ns, bool *for_events)
{
	int64_t now_ns = clock_ns(CLOCK_MONOTONIC), next_ns = top->read_ns + BATCH_NS;

	*for_events = now_ns >= next_ns;
	if (*for_events)
		next_ns = top->read_ns + KEEP_NS;
	if (next_ns > deadline_ns)
		next_ns = deadline_ns;
	return next_ns > now_ns ? next_ns - now_ns : 0;
}

/**
 * top_wait() - Wait, and note what happens meanwhile
 * @top: the interface
 * @fds: what else to wait for, as for poll()
 * @n: how many, at most TOP_WAIT_FDS
 * @deadline_ns: CLOCK_MONOTONIC, until when
 * @error: set on failure
 *
 * Return: 1: one of @fds has something; 0: the time has come; or -errno.
 */
int top_wait(struct top *top, struct pollfd *fds, size_t n, int64_t deadline_ns,
	     struct error *error)
{
	struct pollfd all[TOP_WAIT_FDS + 1] = {};
	int err = 0, others = 0;
	bool for_events;

	memcpy(all, fds, n * sizeof(*fds));
	all[n].events = POLLIN;
	while (!err && !others && (int64_t)clock_ns(CLOCK_MONOTONIC) < deadline_ns) {
		int64_t left_ns = pause_ns(top, deadline_ns, &for_events);
		struct timespec left = {left_ns / NS_PER_S, left_ns % NS_PER_S};
		int ready;

		all[n].fd = for_events ? flow_events_fd(top->events) : -1;
		all[n].revents = 0;
		ready = ppoll(all, n + 1, &left, NULL);
		if (ready < 0 && errno != EINTR)
			return error_set(error, errno, "cannot wait: %s", strerror(errno));
		others = ready > 0 && ready > !!all[n].revents;
		if (for_events)
			err = read_events(top, error);
	}
	for (size_t i = 0; i < n; i++)
		fds[i].revents = others ? all[i].revents : 0;
	return err ? err : others;
}

/**
 * top_look() - Look at the tables and counters, and end an interval
 * @top: the interface
 * @error: set on failure
 *
 * Return: 0; -ENOENT: nothing is attached any more; or another -errno.
 */
int top_look(struct top *top, struct error *error)
{
	struct attached *attached = &top->context.attached;
	struct conntrack conntrack;
	struct flow_clock clock;
	int err = read_events(top, error);

	if (err)
		return err;
	err = event_context_refresh(&top->context, error);
	if (err)
		return error_prefix(error, "%s", top->name);
	err = conntrack_open(&attached->maps, &conntrack, error);
	if (err)
		return err;
	flow_clock_read(&attached->instance, &clock);
	err = ledger_look(&top->ledger, &conntrack, &clock, error);
	return err ? err : read_counters(top, error);
}

/**
 * top_seconds() - The length of the interval that the last look has ended
 *
 * Return: more than 0, also where there was no look before, and so nothing has happened.
 */
double top_seconds(const struct top *top)
{
	int64_t ns = top->now.monotonic_ns - top->before.monotonic_ns;

	return ns > 0 ? ns / (double)NS_PER_S : 1;
}

/**
 * top_close() - End
 * @top: opened, also in vain
 */
void top_close(struct top *top)
{
	flow_events_close(top->events);
	ledger_close(&top->ledger);
	event_context_close(&top->context);
}
