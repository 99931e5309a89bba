/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet's story, told at the end of its way.  Owns trace_v1 (event.h).
 */
#include "packet.h"

#include "event.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} trace_v1 SEC(".maps");

/**
 * trace_emit() - Write the record of a packet
 * @f, @p: packet at the end of its way
 * @verdict: what it came to
 */
__hidden void trace_emit(struct frame *f, struct packet *p, enum verdict verdict)
{
	struct trace_event event = {
		.time_ns = p->now_ns,
		.saddr = p->direction == DIR_INGRESS ? p->wire_addr : p->saddr,
		.daddr = p->daddr,
		.nat_addr = p->direction == DIR_INGRESS ? p->saddr : p->wire_addr,
		.rule = p->rule,
		.ip_len = p->ip_len,
		.ifindex = config.ifindex,
		.sport = p->sport,
		.dport = p->dport,
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
		.l2_len = config.l2_len,
	};
	__u64 frame_len = p->avail_len + config.l2_len;

	if (p->direction == DIR_EGRESS)
		event.nat_port = p->nat_port ? p->nat_port : p->sport;
	else if (p->nat_port)
		event.dport = p->nat_port;
	if (frame_len > config.snap_len)
		frame_len = config.snap_len;
	event.frame_len = frame_len;
	__builtin_memcpy(event.message, p->message, sizeof(event.message));
	bpf_perf_event_output(f->ctx, &trace_v1, frame_len << 32 | BPF_F_CURRENT_CPU, &event,
			      sizeof(event));
}
