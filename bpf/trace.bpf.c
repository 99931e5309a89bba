/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet's trace record, written at the end of its way.  Owns trace_v2 (trace_event.h), and
 * trace_filter_v1 and trace_stats_v1 (trace_filter.h).
 */
#include "masquerade_maps.h"
#include "packet.h"

#include "trace_event.h"
#include "trace_filter.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} trace_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_filter);
} trace_filter_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_stats);
} trace_stats_v1 SEC(".maps");

/* The source, and the destination port, as they were on the wire. */
static __always_inline const union addr *source(const struct packet *p)
{
	return p->direction == DIR_INGRESS ? &p->wire_addr : &p->saddr;
}

static __always_inline __be16 destination_port(const struct packet *p)
{
	return p->direction == DIR_INGRESS && p->nat_port ? p->nat_port : p->dport;
}

/* Whether the filter of the trace holds for a packet. */
static __always_inline bool is_matched(const struct packet *p, enum verdict verdict,
				       const struct trace_filter *filter)
{
	const struct trace_subject subject = {
		.addr = {source(p), &p->daddr},
		.rule = p->rule,
		.port = {bpf_ntohs(p->sport), bpf_ntohs(destination_port(p))},
		.has_ports = p->frag != FRAGMENT_LATER && l4_has_ports(p->l4_proto),
		.is_icmp = is_icmp(p),
		.ip_version = p->ip_version,
		.l4_proto = p->l4_proto,
		.direction = p->direction,
		.verdict = verdict,
		.reason = p->reason,
		.flow_state = p->flow_state,
	};

	return trace_filter_match(filter, &subject);
}

/* Whether it is the turn of a packet that matches. */
static __always_inline bool is_sampled(const struct trace_filter *filter, struct trace_stats *stats)
{
	__u64 n = stats->matched++;

	if (filter->every > 1 && n % filter->every)
		return false;
	stats->sampled++;
	return true;
}

static __always_inline bool is_by_uplink(const struct packet *p)
{
	return p->direction == DIR_UPLINK && !config.virtual_clock;
}

/* Which bytes of link header a packet has by now: one that an uplink has brought may have got them. */
static __always_inline __u8 link_len(const struct packet *p, enum verdict verdict)
{
	__u8 l2_len = uplink_at(p->uplink)->l2_len;

	if (!is_by_uplink(p) || (!l2_len && verdict == VERDICT_FORWARD))
		return config.l2_len;
	return l2_len;
}

/* By which uplink a packet leaves or has come, and what the peer is there. */
static __always_inline void note_uplink(struct trace_event *event, const struct packet *p)
{
	const struct uplink *uplink = uplink_at(p->uplink);

	event->snat_addr = p->direction == DIR_UPLINK ? p->wire_addr
						      : *uplink_addr(uplink, p->ip_version);
	event->snat_port = p->direction == DIR_UPLINK ? p->nat_port : p->snat_port;
	__builtin_memcpy(event->uplink, uplink->name, sizeof(event->uplink));
}

static __always_inline int write_record(struct frame *f, struct packet *p, enum verdict verdict)
{
	struct trace_event event = {
		.time_ns = config.virtual_clock ? p->now_ns : bpf_ktime_get_ns(),
		.saddr = *source(p),
		.daddr = p->daddr,
		.nat_addr = p->direction == DIR_INGRESS ? p->saddr : p->wire_addr,
		.rule = p->rule,
		.ip_len = p->ip_len,
		.ifindex = config.ifindex,
		.sport = p->sport,
		.dport = destination_port(p),
		.nat_port = p->dport,
		.ip_version = p->ip_version,
		.l4_proto = p->l4_proto,
		.tcp_flags = p->tcp_flags,
		.icmp_type = p->icmp_type,
		.icmp_code = p->icmp_code,
		.direction = p->direction,
		.verdict = verdict,
		.reason = p->reason,
		.flow_state = p->flow_state,
		.fragment = p->frag == FRAGMENT_LATER,
		.local_kind = p->local_kind,
		.l2_len = link_len(p, verdict),
		.wire_len = p->avail_len + link_len(p, verdict),
	};
	__u64 frame_len = event.wire_len;

	if (p->direction == DIR_EGRESS)
		event.nat_port = p->nat_port ? p->nat_port : p->sport;
	if ((p->direction == DIR_INGRESS && p->sender == SENDER_MASQUERADE) || is_by_uplink(p))
		note_uplink(&event, p);
	if (frame_len > config.snap_len)
		frame_len = config.snap_len;
	event.frame_len = frame_len;
	__builtin_memcpy(event.message, p->message, sizeof(event.message));
	return bpf_perf_event_output(f->ctx, &trace_v2, frame_len << 32 | BPF_F_CURRENT_CPU, &event,
				     sizeof(event));
}

/**
 * trace_emit() - Write the record of a packet, if it is wanted
 * @f, @p: packet at the end of its way
 * @verdict: what it came to
 *
 * Test runs want every record; a live trace has a filter and counts what it loses.
 */
__hidden void trace_emit(struct frame *f, struct packet *p, enum verdict verdict)
{
	const struct trace_filter *filter;
	struct trace_stats *stats;
	__u32 zero = 0;

	if (config.dry_run || config.virtual_clock) {
		write_record(f, p, verdict);
		return;
	}
	filter = bpf_map_lookup_elem(&trace_filter_v1, &zero);
	if (!filter || !is_matched(p, verdict, filter))
		return;
	stats = bpf_map_lookup_elem(&trace_stats_v1, &zero);
	if (stats && is_sampled(filter, stats) && write_record(f, p, verdict))
		stats->lost++;
}
