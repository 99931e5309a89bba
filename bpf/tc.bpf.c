/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks: TC ingress and TC egress (TCX, or clsact before Linux 6.6).  Owns forward_tun_v1
 * (forwarder.h), the device by which the userspace forwarder gets GSO packets whole.
 */
#include "packet.h"

#include "forward_tun.h"
#include "masquerade.h"
#include "tc.h"

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

static __always_inline void frame_set(struct frame *f, struct __sk_buff *skb)
{
	tc_linearize(skb, config.l2_len);
	f->ctx = skb;
	tc_read_anew(f, config.l2_len);
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
 * Whether it is the flow that has no way, rather than this packet of it; one that has left before may
 * find its way again.
 */
static __always_inline bool has_no_way(const struct packet *p, enum verdict verdict)
{
	if (verdict != VERDICT_DROP || p->reason == REASON_TOO_BIG ||
	    p->reason == REASON_NO_NEIGHBOUR || p->reason == REASON_FILTERED ||
	    p->frag == FRAGMENT_LATER)
		return false;
	if (p->reason == REASON_TTL || p->reason == REASON_LINK_MULTICAST ||
	    p->reason == REASON_NO_ROUTE || p->reason == REASON_UPLINK_DOWN)
		return p->flow_match == FLOW_MATCH_NONE || p->flow_match == FLOW_MATCH_OLD;
	return true;
}

static __always_inline bool wants_room(const struct packet *p)
{
	return p->reason == REASON_NO_PORT || p->reason == REASON_REMOTE_TAKEN;
}

/* A flow that finds no port makes room and looks again; without a way it ends before it began. */
static __always_inline int by_nat(struct frame *f, struct packet *p, enum verdict *verdict)
{
	__u8 reason = p->reason;
	int action = masquerade_out(f, p, verdict);

	if (has_no_way(p, *verdict) && wants_room(p) && snat_make_room(f, p)) {
		*verdict = VERDICT_FORWARD;
		p->reason = reason;
		action = masquerade_out(f, p, verdict);
	}
	if (has_no_way(p, *verdict))
		conntrack_forget(p);
	if (*verdict == VERDICT_DROP && p->frag == FRAGMENT_FIRST)
		fragment_drop_verdict(p); /* nor have the later ones a way */
	return action;
}

/*
 * An allowed packet and its way: by NAT, or to the forwarder.  A redirect to a device that is gone
 * drops, too, but nobody would hear of it.  A dry run only says where the packet would go; one without
 * a trace is asked for the rules, which do not depend on who is there.
 */
static __noinline int hand_over(struct frame *f, struct packet *p, enum verdict *verdict)
{
	struct __sk_buff *skb = f->ctx;
	__u32 ifindex;

	if (config.routing == ROUTING_NAT) {
		bool is_error = is_icmp(p) && !icmp_is_echo(p);
		int action;

		if (p->frag == FRAGMENT_FIRST) {
			if (fragment_release(skb, p)) {
				*verdict = drop(p, REASON_INTERNAL);
				return TC_ACT_SHOT;
			}
			frame_set(f, skb);
		}
		action = is_error ? masquerade_error_out(f, p) : by_nat(f, p, verdict);
		/* not in masquerade_out(): each call takes from the stack */
		if (action == TC_ACT_UNSPEC || p->ends_flow ||
		    (*verdict == VERDICT_FORWARD && p->sender == SENDER_BACK))
			conntrack_left(p);
		if (action != TC_ACT_UNSPEC)
			return action;
	}
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
		action = hand_over(&f, &p, &verdict);
	else if (verdict == VERDICT_PASS)
		action = TC_ACT_UNSPEC;
	else if (config.routing == ROUTING_NAT && p.reason == REASON_FRAGMENT_UNKNOWN)
		fragment_hold(skb, &p);
	pipeline_end(&f, &p, counters, verdict);
	if (config.routing == ROUTING_NAT && verdict == VERDICT_DROP)
		action = masquerade_answer(&f, &p);
	return action;
}

/* Who has sent an outbound packet; of what an uplink has brought the mark is ours, and goes. */
static __always_inline enum sender sender_of(struct __sk_buff *skb)
{
	enum sender sender;

	if (skb->mark == FORWARDER_MARK)
		return SENDER_FORWARDER;
	if (config.routing != ROUTING_NAT ||
	    (skb->mark != MASQUERADE_MARK && skb->mark != HAIRPIN_MARK))
		return SENDER_HOST;
	sender = skb->mark == MASQUERADE_MARK ? SENDER_MASQUERADE : SENDER_HAIRPIN;
	skb->mark = 0;
	return sender;
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
	p.sender = sender_of(skb);
	verdict = pipeline_out(&f, &p, frame_ethertype(skb));
	pipeline_end(&f, &p, counters, verdict);
	return verdict == VERDICT_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
