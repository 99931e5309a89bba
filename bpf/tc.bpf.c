/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks: TC ingress and TC egress (TCX, or clsact before Linux 6.6).  Owns forward_tun_v1
 * (forwarder.h), the device by which the userspace forwarder gets GSO packets whole.
 */
#include "packet.h"

#include "forward_tun.h"

#define TC_ACT_UNSPEC	(-1) /* TCX: TCX_NEXT; the verdict is left to the next program */
#define TC_ACT_SHOT	2
#define TC_ACT_REDIRECT 7

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

/* The forwarder's device, 0: there is none (any more), or it is to take another interface's packets. */
static __always_inline __u32 forwarder_device(struct __sk_buff *skb)
{
	__u32 zero = 0, mtu = 0;
	const struct forward_tun *tun;

	if (config.forwarder_input != FORWARDER_INPUT_TUN)
		return 0;
	tun = bpf_map_lookup_elem(&forward_tun_v1, &zero);
	if (!tun || !tun->ifindex || (!config.dry_run && tun->protected_ifindex != skb->ifindex))
		return 0;
	/* whether the packet fits does not matter to a TUN, but a device that is gone is an error */
	if (bpf_check_mtu(skb, tun->ifindex, &mtu, 0, 0) < 0)
		return 0;
	return tun->ifindex;
}

/*
 * An allowed packet and its forwarder.  A redirect to a device that is gone drops, too, but nobody
 * would hear of it.  A dry run only says where the packet would go; one without a trace is asked for
 * the rules, which do not depend on who is there.
 */
static __always_inline int hand_over(struct packet *p, struct __sk_buff *skb, enum verdict *verdict)
{
	__u32 ifindex;

	if (config.virtual_clock)
		return TC_ACT_SHOT;
	if (config.dry_run && !config.trace)
		return TC_ACT_REDIRECT;
	ifindex = forwarder_device(skb);
	if (!ifindex) {
		trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NONE);
		*verdict = drop(p, REASON_NO_FORWARDER);
		return TC_ACT_SHOT;
	}
	if (config.dry_run)
		return TC_ACT_REDIRECT;
	skb->mark = FORWARDER_MARK;
	return bpf_redirect(ifindex, 0);
}

SEC("tc")
int shrike_ingress(struct __sk_buff *skb)
{
	struct packet p = {.avail_len = frame_behind_link(skb->len)};
	struct counters *counters;
	int action = TC_ACT_SHOT;
	enum verdict verdict;
	struct frame f;

	frame_set(&f, skb);
	counters = pipeline_begin(&p, DIR_INGRESS);
	/* this host's own multicast, looped back (dev_loopback_xmit()): it has no link header */
	if (skb->pkt_type == PACKET_LOOPBACK)
		verdict = pass(&p, REASON_LINK_HOUSEKEEPING);
	else
		verdict = pipeline_in(&f, &p, frame_ethertype(skb));
	if (verdict == VERDICT_FORWARD)
		action = hand_over(&p, skb, &verdict);
	else if (verdict == VERDICT_PASS)
		action = TC_ACT_UNSPEC;
	pipeline_end(&f, &p, counters, verdict);
	return action;
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
