/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks: TC ingress and TC egress (TCX, or clsact before Linux 6.6).
 */
#include "packet.h"

#include "forwarder.h"

#define TC_ACT_UNSPEC (-1) /* TCX: TCX_NEXT; the verdict is left to the next program */
#define TC_ACT_SHOT   2

#define PACKET_LOOPBACK 5 /* linux/if_packet.h */

#define LINEAR_MIN 256 /* bytes behind the link header that the stages may want to read */

/* Ethertype of the frame.  L3 devices have none, and test runs make one up there. */
static __always_inline __u16 frame_ethertype(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (config.l2_len) {
		struct ethhdr *eth = data;

		if (skb->vlan_present || (void *)(eth + 1) > data_end)
			return 0;
		return bpf_ntohs(eth->h_proto);
	}
	return ip_ethertype(data, data_end);
}

/* Have the headers in the linear part; GSO packets may come with fewer. */
static __always_inline void linearize(struct __sk_buff *skb)
{
	__u32 linear = (void *)(long)skb->data_end - (void *)(long)skb->data;
	__u32 want = config.l2_len + LINEAR_MIN;

	if (linear < want && linear < skb->len)
		bpf_skb_pull_data(skb, skb->len < want ? skb->len : want);
}

static __always_inline void frame_set(struct frame *f, struct __sk_buff *skb)
{
	linearize(skb);
	f->data = (void *)(long)skb->data + config.l2_len;
	f->data_end = (void *)(long)skb->data_end;
	f->ctx = skb;
}

SEC("tc")
int shrike_ingress(struct __sk_buff *skb)
{
	struct packet p = {.avail_len = frame_behind_link(skb->len)};
	struct counters *counters;
	enum verdict verdict;
	struct frame f;

	frame_set(&f, skb);
	counters = pipeline_begin(&p, DIR_INGRESS);
	/* this host's own multicast, looped back (dev_loopback_xmit()): it has no link header */
	if (skb->pkt_type == PACKET_LOOPBACK)
		verdict = pass(&p, REASON_LINK_HOUSEKEEPING);
	else
		verdict = pipeline_in(&f, &p, frame_ethertype(skb));
	if (verdict == VERDICT_FORWARD && !config.virtual_clock) {
		trace_note(&p, STAGE_FORWARDING, MESSAGE_FORWARD_NONE);
		verdict = drop(&p, REASON_NO_FORWARDER); /* TC cannot reach AF_XDP sockets */
	}
	pipeline_end(&f, &p, counters, verdict);
	return verdict == VERDICT_PASS ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int shrike_egress(struct __sk_buff *skb)
{
	struct packet p = {.avail_len = frame_behind_link(skb->len)};
	struct counters *counters;
	enum verdict verdict;
	struct frame f;

	frame_set(&f, skb);
	counters = pipeline_begin(&p, DIR_EGRESS);
	p.by_forwarder = skb->mark == FORWARDER_MARK;
	verdict = pipeline_out(&f, &p, frame_ethertype(skb));
	pipeline_end(&f, &p, counters, verdict);
	return TC_ACT_UNSPEC;
}
