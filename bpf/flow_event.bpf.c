/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports flows and drops to listeners.  Owns flow_gate_v2 and flow_rings_v2 (flow_event.h).
 */
#include "packet.h"

#include "flow_event.h"

struct flow_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* of the pattern; listeners choose the size of their own */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, FLOW_RINGS);
	__type(key, __u32);
	__array(values, struct flow_ring);
} flow_rings_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_gate);
} flow_gate_v2 SEC(".maps");

/**
 * flow_event_wanted() - Whether anybody listens
 * @now_ns: CLOCK_MONOTONIC
 */
__hidden bool flow_event_wanted(__u64 now_ns)
{
	struct flow_gate *gate;
	__u32 zero = 0;

	if (config.dry_run)
		return false;
	gate = bpf_map_lookup_elem(&flow_gate_v2, &zero);
	return gate && (gate->log.on || (__s64)(gate->until_ns - now_ns) > 0);
}

/*
 * Whether a drop is one of those that the log gets in this second.  CPUs that begin a second at
 * once may let some more through; those that do not pass are counted.
 */
static __always_inline bool is_sampled(struct flow_log *log, __u64 now_ns)
{
	if ((__s64)(now_ns - log->second_ns) >= (__s64)FLOW_LOG_SECOND_NS) {
		log->second_ns = now_ns;
		log->drops = 0;
	}
	if (log->drops < log->drops_per_s) {
		__sync_fetch_and_add(&log->drops, 1);
		return true;
	}
	__sync_fetch_and_add(&log->unsampled, 1);
	return false;
}

/**
 * flow_event_emit() - Give an event to every listener
 * @event: the event
 *
 * Return: 0.
 */
int flow_event_emit(struct flow_event *event)
{
	struct flow_gate *gate;
	__u32 zero = 0, slot;

	if (!event)
		return 0;
	gate = bpf_map_lookup_elem(&flow_gate_v2, &zero);
	if (!gate)
		return 0;
	for (slot = 0; slot < FLOW_RINGS; slot++) {
		__u32 key = slot;
		void *ring = bpf_map_lookup_elem(&flow_rings_v2, &key);

		if (ring && slot == FLOW_LOG_SLOT && event->type == FLOW_EVENT_DROP &&
		    !is_sampled(&gate->log, event->time_ns))
			continue;
		if (ring && bpf_ringbuf_output(ring, event, sizeof(*event), 0))
			__sync_fetch_and_add(&gate->lost[slot], 1);
	}
	return 0;
}

/**
 * flow_event_drop() - Report a dropped packet
 * @p: the packet, with the reason
 *
 * Return: 0.
 */
int flow_event_drop(struct packet *p)
{
	struct flow_event event;

	if (!p || !flow_event_wanted(p->now_ns))
		return 0;
	__builtin_memset(&event, 0, sizeof(event));
	event.time_ns = p->now_ns;
	event.addr[0] = p->saddr;
	event.addr[1] = p->daddr;
	event.packets[0] = 1;
	event.bytes[0] = p->ip_len;
	event.rule = p->rule;
	event.ifindex = config.ifindex;
	event.port[0] = p->sport;
	if (!is_icmp(p))
		event.port[1] = p->dport;
	event.type = FLOW_EVENT_DROP;
	event.reason = p->reason;
	event.direction = p->direction;
	event.ip_version = p->ip_version;
	event.l4_proto = p->l4_proto;
	event.icmp_type = p->icmp_type;
	event.icmp_code = p->icmp_code;
	return flow_event_emit(&event);
}

/*
 * Not a hook: `shrike run` calls it for the flows that it has removed, as only programs can write
 * into these rings.
 */
SEC("syscall")
int shrike_event(struct flow_event *given)
{
	struct flow_event event;

	__builtin_memcpy(&event, given, sizeof(event));
	if (flow_event_wanted(event.time_ns))
		flow_event_emit(&event);
	return 0;
}
