/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A listener owns a lock, a slot of flow_rings_v2 and the ring in it.  The lock goes with the
 * process; the slot of one that was killed is cleared by the next listener or by `shrike run`.
 */
#include "conntrack/events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "conntrack/removal.h"
#include "kernel/lock.h"
#include "maps.h"

struct flow_events {
	struct ring_buffer *ring;
	flow_on_event on_event;
	void *arg;
	struct flow_gate *gate; /* mapped: programs count into it while the deadline is set */
	int rings_fd;		/* own descriptor: the generation may be closed */
	int ring_fd;
	int lock_fd;
	uint32_t slot;
	uint64_t lost_before;
	uint64_t missed_ns;
};

/**
 * flow_events_reap() - Clear the slots of listeners that are no more
 * @maps: of the generation in force
 * @ifname: the interface
 */
void flow_events_reap(const struct map_set *maps, const char *ifname)
{
	int rings_fd = map_set_fd(maps, MAP_FLOW_RINGS), lock;
	struct error ignored;
	uint32_t id;

	for (uint32_t slot = 0; slot < FLOW_LISTENERS; slot++) {
		if (bpf_map_lookup_elem(rings_fd, &slot, &id) ||
		    lock_try(LOCK_LISTEN + slot, ifname, &lock, &ignored))
			continue;
		bpf_map_delete_elem(rings_fd, &slot);
		close(lock);
	}
}

static int find_slot(struct flow_events *events, const char *ifname, struct error *error)
{
	for (uint32_t slot = 0; slot < FLOW_LISTENERS; slot++)
		if (!lock_try(LOCK_LISTEN + slot, ifname, &events->lock_fd, error)) {
			events->slot = slot;
			return 0;
		}
	return error_set(error, EBUSY, "%s: %u others listen already; end one of them", ifname,
			 FLOW_LISTENERS);
}

/**
 * flow_gate_map() - Map the gate of an interface's events
 * @maps: of the generation in force
 * @gate: set to it, for munmap()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int flow_gate_map(const struct map_set *maps, struct flow_gate **gate, struct error *error)
{
	const struct map_entry *map = map_set_find(maps, MAP_FLOW_GATE);
	void *mapped;

	if (!map || map_set_fd(maps, MAP_FLOW_RINGS) < 0)
		return error_set(error, EPROTO,
				 "the programs in force belong to another version of shrike");
	mapped = mmap(NULL, sizeof(**gate), PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (mapped == MAP_FAILED)
		return error_set(error, errno, "cannot map %s: %s", map->name, strerror(errno));
	*gate = mapped;
	return 0;
}

/* Open the maps by which programs find listeners. */
static int open_maps(struct flow_events *events, const struct map_set *maps, struct error *error)
{
	int err = flow_gate_map(maps, &events->gate, error);

	if (err)
		return err;
	events->rings_fd = fcntl(map_set_fd(maps, MAP_FLOW_RINGS), F_DUPFD_CLOEXEC, 0);
	if (events->rings_fd < 0)
		return error_set(error, errno, "cannot duplicate a map: %s", strerror(errno));
	return 0;
}

static int take(void *arg, void *data, size_t size)
{
	struct flow_events *events = arg;

	if (size < sizeof(struct flow_event))
		return 0;
	return events->on_event(events->arg, data);
}

/* Make the ring buffer, and give it to the programs. */
static int open_ring(struct flow_events *events, struct error *error)
{
	events->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "flow_ring", 0, 0,
					 FLOW_EVENTS_RING_BYTES, NULL);
	if (events->ring_fd < 0)
		return error_set(error, errno, "cannot make a ring buffer: %s", strerror(errno));
	events->ring = ring_buffer__new(events->ring_fd, take, events, NULL);
	if (!events->ring)
		return error_set(error, errno, "cannot read a ring buffer: %s", strerror(errno));
	events->lost_before = __atomic_load_n(&events->gate->lost[events->slot], __ATOMIC_RELAXED);
	if (bpf_map_update_elem(events->rings_fd, &events->slot, &events->ring_fd, BPF_ANY))
		return error_set(error, errno, "cannot fill BPF map flow_rings_v2: %s",
				 strerror(errno));
	return 0;
}

/**
 * flow_events_open() - Subscribe to the flow events of an interface
 * @maps: of the generation in force; events of later ones come as well
 * @ifname: the interface
 * @on_event: called for each event by flow_events_read(); a negative value ends that
 * @arg: for @on_event
 * @error: set on failure; EBUSY: too many listen
 *
 * Return: the subscription, for flow_events_close(); NULL on failure.
 */
struct flow_events *flow_events_open(const struct map_set *maps, const char *ifname,
				     flow_on_event on_event, void *arg, struct error *error)
{
	struct flow_events *opened = calloc(1, sizeof(*opened));
	int err;

	if (!opened) {
		error_no_memory(error);
		return NULL;
	}
	opened->on_event = on_event;
	opened->arg = arg;
	opened->rings_fd = opened->ring_fd = opened->lock_fd = -1;
	flow_events_reap(maps, ifname);
	err = find_slot(opened, ifname, error);
	if (!err)
		err = open_maps(opened, maps, error);
	if (!err) {
		/* before the ring: who sees the ring may rely on getting all events from then on */
		flow_events_keep(opened);
		err = open_ring(opened, error);
	}
	if (err) {
		flow_events_close(opened);
		return NULL;
	}
	return opened;
}

/**
 * flow_events_fd() - What to wait on until there are events
 */
int flow_events_fd(const struct flow_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

/**
 * flow_events_read() - Call @on_event of flow_events_open() for each event that has come
 *
 * Return: 0, or -errno; also what @on_event returned.
 */
int flow_events_read(struct flow_events *events, struct error *error)
{
	int n = ring_buffer__consume(events->ring);

	return n < 0 ? error_set(error, -n, "cannot read flow events: %s", strerror(-n)) : 0;
}

/**
 * flow_events_keep() - Keep the events coming; to be called every second
 *
 * Where that was too late, and no other listener has kept them coming either, there were none for a
 * while, and flow_events_missed_ns() says for how long.
 */
void flow_events_keep(struct flow_events *events)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	uint64_t until_ns = __atomic_exchange_n(&events->gate->until_ns, now_ns + FLOW_GATE_NS,
						__ATOMIC_RELAXED);

	if (events->ring && until_ns < now_ns)
		events->missed_ns += now_ns - until_ns;
}

/**
 * flow_events_missed_ns() - For how long no events were made since flow_events_open(), because this
 * process did not get around to ask for them
 */
uint64_t flow_events_missed_ns(const struct flow_events *events)
{
	return events->missed_ns;
}

/**
 * flow_events_lost() - Events that were lost since flow_events_open(), the ring being full
 */
uint64_t flow_events_lost(const struct flow_events *events)
{
	return __atomic_load_n(&events->gate->lost[events->slot], __ATOMIC_RELAXED) -
	       events->lost_before;
}

/**
 * flow_events_close() - End the subscription
 */
void flow_events_close(struct flow_events *events)
{
	if (!events)
		return;
	if (events->lock_fd >= 0 && events->rings_fd >= 0)
		bpf_map_delete_elem(events->rings_fd, &events->slot);
	ring_buffer__free(events->ring);
	if (events->ring_fd >= 0)
		close(events->ring_fd);
	if (events->rings_fd >= 0)
		close(events->rings_fd);
	if (events->gate)
		munmap(events->gate, sizeof(*events->gate));
	if (events->lock_fd >= 0)
		close(events->lock_fd);
	free(events);
}

/**
 * flow_event_of() - A flow in a table as an event that starts it
 * @view: the flow
 * @ifindex: the interface
 *
 * Return: the event, as of now.
 */
struct flow_event flow_event_of(const struct flow_view *view, uint32_t ifindex)
{
	const struct flow *flow = view->flow;
	bool has_ports = l4_has_ports(view->l4_proto);

	return (struct flow_event){
		.time_ns = clock_kernel_ns(CLOCK_MONOTONIC),
		.created_ns = flow->created_ns,
		.addr = {view->addr[0], view->addr[1]},
		.packets = {flow->packets[0], flow->packets[1]},
		.bytes = {flow->bytes[0], flow->bytes[1]},
		.rule = view->rule,
		.ifindex = ifindex,
		.port = {htobe16(has_ports ? view->port[0] : view->icmp_id),
			 htobe16(view->port[1])},
		.type = FLOW_EVENT_START,
		.direction = flow->flags & FLOW_BY_PEER ? DIR_INGRESS : DIR_EGRESS,
		.ip_version = view->ip_version,
		.l4_proto = view->l4_proto,
		.icmp_type = has_ports				? 0
			     : view->ip_version == IP_VERSION_4 ? 8
								: 128,
		.flow_state = view->state,
		.uplink = flow->flags & FLOW_MASQUERADED ? flow->uplink + 1 : 0,
		.snat_port = flow->flags & FLOW_MASQUERADED ? flow->snat_port : 0,
	};
}

/**
 * flow_has_ended() - Whether the end of a flow that is still in a table has been reported
 */
bool flow_has_ended(const struct flow_view *view)
{
	return view->state == FLOW_STATE_TIME_WAIT || view->state == FLOW_STATE_CLOSING ||
	       view->state == FLOW_STATE_CLOSED || view->flow->flags & FLOW_REVOKED;
}

/**
 * flow_event_report() - Report the end of a flow that the sweep has removed to the listeners
 * @prog_fd: the program shrike_event of any generation of the interface
 * @ifindex: the interface
 * @view: the flow
 * @reason: why it was removed
 */
void flow_event_report(int prog_fd, uint32_t ifindex, const struct flow_view *view,
		       enum removal_reason reason)
{
	struct flow_event event = flow_event_of(view, ifindex);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &event, .ctx_size_in = sizeof(event));

	if (flow_has_ended(view))
		return;
	event.type = FLOW_EVENT_END;
	event.cause = reason == REMOVAL_EVICTED ? FLOW_CAUSE_EVICTED : FLOW_CAUSE_TIMEOUT;
	bpf_prog_test_run_opts(prog_fd, &opts);
}
