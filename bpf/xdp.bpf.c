/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hook: XDP ingress.  Owns xsks_v1, the AF_XDP sockets of the userspace forwarder by RX queue, and
 * forwarder_v2 (forwarder.h), which no program reads, but which lives as long as they do.
 */
#include "packet.h"

#include "forwarder.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, FORWARDER_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct forwarder_status);
} forwarder_v2 SEC(".maps");

/* Ethertype of the frame; 0, which is none, where there is not even a link header. */
static __always_inline __u16 frame_ethertype(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;

	if (config.l2_len) {
		struct ethhdr *eth = data;

		return (void *)(eth + 1) > data_end ? 0 : bpf_ntohs(eth->h_proto);
	}
	return ip_ethertype(data, data_end);
}

/*
 * An allowed packet and its forwarder.  An empty slot of the map drops: a dead forwarder must
 * never open the way through the kernel's stack.  A dry run only says where the packet would go; one
 * without a trace is asked for the rules, which do not depend on who is there.
 */
static __always_inline int hand_over(struct packet *p, struct xdp_md *ctx, enum verdict *verdict)
{
	__u32 queue = ctx->rx_queue_index;

	if (config.virtual_clock)
		return XDP_DROP;
	if ((config.dry_run && !config.trace) || bpf_map_lookup_elem(&xsks_v1, &queue))
		return config.dry_run ? XDP_REDIRECT : bpf_redirect_map(&xsks_v1, queue, XDP_DROP);
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NONE);
	*verdict = drop(p, REASON_NO_FORWARDER);
	return XDP_DROP;
}

SEC("xdp")
int shrike_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct frame f = {.data = data + config.l2_len, .data_end = data_end, .ctx = ctx};
	struct packet p = {.avail_len = frame_behind_link(data_end - data)};
	struct counters *counters = pipeline_begin(&p, DIR_INGRESS);
	enum verdict verdict = pipeline_in(&f, &p, frame_ethertype(ctx));
	int action = XDP_DROP;

	if (verdict == VERDICT_FORWARD)
		action = hand_over(&p, ctx, &verdict);
	else if (verdict == VERDICT_PASS)
		action = XDP_PASS;
	pipeline_end(&f, &p, counters, verdict);
	return action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
