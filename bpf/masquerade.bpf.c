/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Last stage of routed packets with `routing: nat`: out by an uplink, with its address as source.
 * Its port is chosen by snat.bpf.c.
 *
 * A flow keeps its uplink and port in its own entry, so what belongs to a known one costs a look-up.
 * IP options and extension headers stay as they are.  Of a datagram in fragments the first leads the
 * others.  What cannot be translated here is left to the userspace forwarder: protocols whose checksums
 * it does not know.  What a route leads back out of the protected interface goes there as it is.
 */
#include "masquerade.h"
#include "addr.h"
#include "forwarder.h"
#include "masquerade_maps.h"
#include "packet.h"
#include "route.h"
#include "tc.h"
#include "translate.h"

struct masquerade masquerade = {};

/*
 * The device by which a packet would leave, 0: none; BPF_FIB_LKUP_RET_*, as far as it matters, is in
 * packet.no_route.
 */
static __always_inline __u32 route_device(struct __sk_buff *skb, struct packet *p)
{
	struct bpf_fib_lookup fib = {.ifindex = masquerade.route_ifindex};
	int found; /* before Linux 6.4 the upper half of the result is not the sign's */

	p->no_route = BPF_FIB_LKUP_RET_NOT_FWDED;
	if (!fib.ifindex)
		return 0;
	route_query_set(&fib, p);
	found = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	p->no_route = found;
	if (found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH ||
	    found == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return fib.ifindex;
	return 0;
}

/**
 * masquerade_route() - By which uplink a packet leaves
 * @skb, @p: the packet
 * @translation: uplink and address are set
 *
 * The kernel refuses to look up routes as of devices that do not forward, so it is asked as if the
 * packet had come in by a device of our own which alone does, and where none ever comes in.  No route
 * leads to an uplink's own address, where another peer may have a port.  What is behind another peer
 * (UPLINK_BACK) keeps its source and port.
 *
 * Return: 0 or why not, enum reason.
 */
__noinline int masquerade_route(struct __sk_buff *skb, struct packet *p,
				struct translation *translation)
{
	__u32 ifindex;

	if (!skb || !p || !translation)
		return REASON_INTERNAL;
	ifindex = config.virtual_clock ? 0 : route_device(skb, p);
	if (ifindex && ifindex == config.ifindex) {
		translation->uplink = UPLINK_BACK;
		translation->addr = p->saddr;
		translation->port = p->sport;
		return 0;
	}
	for (__u32 i = 0; i < UPLINKS_MAX; i++) {
		const struct uplink *uplink = uplink_at(i);
		const union addr *addr = uplink_addr(uplink, p->ip_version);

		if (!uplink->ifindex)
			continue;
		if (ifindex ? uplink->ifindex != ifindex
			    : !config.virtual_clock && !addr_equal(addr, &p->daddr))
			continue;
		translation->uplink = i;
		translation->addr = *addr;
		return addr_is_none(&translation->addr) ? REASON_UPLINK_DOWN : 0;
	}
	return REASON_NO_ROUTE;
}

/**
 * masquerade_is_stuck() - Whether the next hop of a packet is not there
 * @skb, @p: the packet, of a flow that waits for an answer
 * @uplink: index of the flow's uplink
 *
 * The kernel says only that it does not know the link address, so time has to tell that it has asked
 * in vain.
 */
__noinline int masquerade_is_stuck(struct __sk_buff *skb, struct packet *p, __u32 uplink)
{
	if (!skb || !p || config.virtual_clock || !uplink_at(uplink)->l2_len)
		return false;
	return route_device(skb, p) && p->no_route == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* Whether snat_make_room() has found a port for a dry run, in which nobody gives it up. */
static __always_inline bool has_room(const struct packet *p)
{
	return config.dry_run && p->sender == SENDER_MASQUERADE && p->frag != FRAGMENT_LATER;
}

/*
 * Whether a flow that has left before would leave by another uplink now, or its answers would not find
 * it; @uplink: by which it has left.
 */
static __always_inline bool has_moved(struct packet *p, struct translation *translation,
				      __u8 uplink)
{
	if (translation->state == TRANSLATION_BACK)
		return translation->uplink != UPLINK_BACK;
	return translation->state == TRANSLATION_KNOWN &&
	       (translation->uplink != uplink || !snat_leads_back(p, translation));
}

/*
 * A flow's way, found anew or for the first time; 0 or why there is none, enum reason.  It ends where its
 * way has come to be another one, but not for want of one: a route or an address may come back.
 */
static __always_inline int find_way(struct __sk_buff *skb, struct packet *p,
				    struct translation *translation)
{
	__u8 uplink = translation->uplink;
	int reason = masquerade_route(skb, p, translation);

	if (reason)
		return reason;
	if (has_moved(p, translation, uplink)) {
		if (p->frag != FRAGMENT_LATER)
			conntrack_forget(p);
		return REASON_UPLINK_DOWN;
	}
	if (translation->uplink == UPLINK_BACK)
		return 0;
	translation->epoch = masquerade.epoch;
	if (has_room(p))
		translation->port = p->snat_port;
	else if (translation->state == TRANSLATION_NEW)
		reason = snat_port(skb, p, translation);
	if (reason || config.dry_run)
		return reason;
	return conntrack_translated(p, translation) ? 0 : REASON_NO_FLOW;
}

/* Whether a packet may go on: later fragments only with their first. */
static __always_inline bool may_leave(const struct packet *p)
{
	return p->local_kind == LOCAL_NONE &&
	       (p->frag != FRAGMENT_LATER || p->sender == SENDER_MASQUERADE);
}

static __always_inline int refuse(struct packet *p, enum verdict *verdict, int reason)
{
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_REFUSED);
	*verdict = drop(p, reason);
	return TC_ACT_SHOT;
}

/*
 * The peer that has a port on the uplink of a flow, and has sent to the flow's port there; NULL: there
 * is none.  What a peer of another interface has been reached by leads elsewhere.
 *
 * Not inlined, so that its key is off the stack again when the packet is rewritten: Linux 6.1 counts all
 * that is inlined, and 512 bytes are all there are.
 */
static __noinline const struct snat_in *find_holder(const struct packet *p, __u8 l4_proto,
						    const struct translation *translation,
						    __be16 port)
{
	const struct snat_in *in;
	struct flow_key6 key;
	struct snat_ends ends = {
		.remote = &translation->addr,
		.local = &translation->addr,
		.remote_port = translation->port,
		.local_port = port,
	};

	if (!l4_has_ports(l4_proto))
		return NULL;
	snat_key_set(&key, &ends, p->ip_version, l4_proto);
	in = snat_in_find(&key, p->ip_version);
	return in && in->owner == config.nat_owner ? in : NULL;
}

/**
 * masquerade_turn() - Address a packet to the peer that has its destination, a port on an uplink
 * @skb, @p: the packet, whose source is not translated yet
 * @translation: of its flow; of the same uplink
 *
 * That peer must have sent to this one's port there (RFC 4787, REQ-8 and REQ-9): its filter is as for
 * anybody else.
 *
 * Return: whether there is such a peer.
 */
__noinline int masquerade_turn(struct __sk_buff *skb, struct packet *p,
			       struct translation *translation)
{
	struct new_end end = {.stays = true, .l2_len = config.l2_len};
	const struct snat_in *in;

	if (!skb || !p || !translation)
		return false;
	in = find_holder(p, p->l4_proto, translation, p->dport);
	if (config.dry_run) /* in which a peer that sends to its own port there has not got it yet */
		return in || (l4_has_ports(p->l4_proto) && p->dport == translation->port);
	if (!in)
		return false;
	end.addr = &in->peer;
	end.port = in->port;
	skb->mark = HAIRPIN_MARK;
	return translate(skb, p, &end);
}

/* The MTU of an uplink, or of the protected interface. */
static __always_inline __u32 masquerade_mtu(__u8 uplink)
{
	return uplink == UPLINK_BACK ? masquerade.mtu : uplink_at(uplink)->mtu;
}

/**
 * masquerade_error_turn() - Address an ICMP error to the peer that has sent what it quotes
 * @skb, @p: the error, whose source is not translated yet
 * @quote: what that peer has sent to a port on an uplink, as it was received
 * @holder: the peer
 *
 * Return: whether it is addressed so.
 */
__noinline int masquerade_error_turn(struct __sk_buff *skb, struct packet *p,
				     const struct quote *quote, const struct snat_in *holder)
{
	struct new_end end = {.stays = true, .l2_len = config.l2_len};

	if (!skb || !p || !quote || !holder)
		return false;
	if (config.dry_run)
		return true;
	end.addr = &holder->peer;
	end.port = holder->port;
	skb->mark = FORWARDER_MARK; /* it opens nothing, and no flow has it */
	return translate_error(skb, p, quote, &end);
}

/**
 * masquerade_rewrite() - Give a packet its address and port on the uplink, and what goes with that
 * @skb, @p: the packet; packet.uplink is set
 * @translation: of its flow
 *
 * In a dry run the packet stays.
 *
 * Return: 0 or why it cannot be sent, enum reason.
 */
__noinline int masquerade_rewrite(struct __sk_buff *skb, struct packet *p,
				  struct translation *translation)
{
	struct new_end end = {.source = true, .l2_len = config.l2_len};
	struct next_link link;

	if (!skb || !p || !translation)
		return REASON_INTERNAL;
	p->uplink = translation->uplink;
	link.ifindex = p->uplink == UPLINK_BACK ? config.ifindex : uplink_at(p->uplink)->ifindex;
	link.mtu = masquerade_mtu(p->uplink);
	if (exceeds(skb, p, config.l2_len, &link))
		return REASON_TOO_BIG;
	if (addr_equal(&p->daddr, &translation->addr) && !masquerade_turn(skb, p, translation))
		return REASON_FILTERED;
	if (config.dry_run)
		return 0;
	if (p->frag == FRAGMENT_FIRST)
		fragment_by_nat(p);
	end.addr = &translation->addr;
	end.port = translation->port;
	return translate(skb, p, &end) ? 0 : REASON_INTERNAL;
}

/* What goes back is traced as such, and its mark has it open nothing as it leaves. */
static __always_inline void note_back(struct __sk_buff *skb, struct packet *p)
{
	p->sender = SENDER_BACK;
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_BACK);
	if (!config.dry_run)
		skb->mark = FORWARDER_MARK;
}

/* Out by its uplink, or back to another peer. */
static __always_inline int send_out(struct __sk_buff *skb, struct packet *p,
				    struct translation *translation, enum verdict *verdict)
{
	bool is_back = translation->uplink == UPLINK_BACK;
	bool is_hairpin = is_back || addr_equal(&p->daddr, &translation->addr);
	const struct uplink *uplink = uplink_at(translation->uplink);
	int reason;

	if (!is_back && !uplink->ifindex)
		return refuse(p, verdict, REASON_UPLINK_DOWN);
	reason = masquerade_rewrite(skb, p, translation);
	if (reason)
		return refuse(p, verdict, reason);
	if (is_back)
		note_back(skb, p);
	else
		note_way(p, translation);
	if (config.dry_run || config.virtual_clock)
		return TC_ACT_REDIRECT;
	if (is_hairpin)
		return leave_by(skb, config.ifindex, config.l2_len, config.l2_len);
	return leave_by(skb, uplink->ifindex, config.l2_len, uplink->l2_len);
}

/**
 * masquerade_error_back() - Send an ICMP error about a flow that goes back where that comes from
 * @skb, @p: the error
 *
 * Return: as masquerade_out().
 */
__noinline int masquerade_error_back(struct __sk_buff *skb, struct packet *p)
{
	struct translation translation = {};
	struct new_end end = {.addr = &translation.addr, .source = true};
	__u32 unchanged;

	if (!skb || !p || masquerade_route(skb, p, &translation) ||
	    translation.uplink != UPLINK_BACK)
		return TC_ACT_UNSPEC;
	end.l2_len = config.l2_len;
	if (!config.dry_run && !translate_ip(skb, p, &end, &unchanged))
		return TC_ACT_UNSPEC;
	note_back(skb, p);
	if (config.dry_run)
		return TC_ACT_REDIRECT;
	return leave_by(skb, config.ifindex, config.l2_len, config.l2_len);
}

/**
 * masquerade_error_out() - Send a peer's ICMP error about an answer to who has sent that
 * @f, @p: packet with VERDICT_FORWARD
 *
 * Return: as masquerade_out().
 */
__hidden int masquerade_error_out(struct frame *f, struct packet *p)
{
	struct translation translation = {};
	struct __sk_buff *skb = f->ctx;
	struct quote quote = {};
	const struct snat_in *holder;
	const struct uplink *uplink;
	bool is_hairpin;
	struct new_end end = {
		.addr = &translation.addr,
		.source = true,
		.l2_len = config.l2_len,
	};

	if (p->frag || p->hop_limit <= 1 || !icmp_error_quote(f, p, &quote))
		return TC_ACT_UNSPEC;
	conntrack_quoted(p, &quote.tuple, &translation);
	if (translation.state == TRANSLATION_BACK)
		return masquerade_error_back(skb, p);
	uplink = uplink_at(translation.uplink);
	if (translation.state != TRANSLATION_KNOWN || !uplink->ifindex)
		return TC_ACT_UNSPEC;
	translation.addr = *uplink_addr(uplink, p->ip_version);
	end.port = translation.port;
	is_hairpin = addr_equal(&p->daddr, &translation.addr);
	if (is_hairpin) {
		holder = find_holder(p, quote.tuple.l4_proto, &translation, quote.tuple.sport);
		if (!holder || !masquerade_error_turn(skb, p, &quote, holder))
			return TC_ACT_UNSPEC;
	}
	if (!config.dry_run && !translate_error(skb, p, &quote, &end))
		return TC_ACT_UNSPEC;
	note_way(p, &translation);
	if (config.dry_run || config.virtual_clock)
		return TC_ACT_REDIRECT;
	if (is_hairpin)
		return leave_by(skb, config.ifindex, config.l2_len, config.l2_len);
	return leave_by(skb, uplink->ifindex, config.l2_len, uplink->l2_len);
}

_Static_assert(PACKET_MULTICAST == PACKET_BROADCAST + 1, "groups are two types in a row");

/*
 * Whether the frame is to more than one host: what is in it is not forwarded (RFC 1812, section 5.3.4),
 * and nobody is told (section 4.3.2.7).
 */
static __always_inline bool is_to_group(const struct __sk_buff *skb)
{
	return config.l2_len && skb->pkt_type - PACKET_BROADCAST <= 1;
}

/**
 * masquerade_out() - Forward a peer's packet by NAT
 * @f, @p: packet with VERDICT_FORWARD
 * @verdict: becomes VERDICT_DROP where it cannot be sent
 *
 * What has no way drops, and the caller ends the flow that it has opened.  Where the next hop is missing,
 * only some packets drop: the others have the kernel look for it again.
 *
 * Return: TC_ACT_*; TC_ACT_UNSPEC: it is for the userspace forwarder.
 */
__hidden int masquerade_out(struct frame *f, struct packet *p, enum verdict *verdict)
{
	struct translation translation = {};
	struct __sk_buff *skb = f->ctx;
	int reason;

	if (!may_leave(p))
		return TC_ACT_UNSPEC;
	conntrack_translation(p, &translation);
	if (translation.state == TRANSLATION_NONE)
		return p->frag == FRAGMENT_LATER ? refuse(p, verdict, REASON_NO_FLOW)
						 : TC_ACT_UNSPEC;
	if (is_to_group(skb))
		return refuse(p, verdict, REASON_LINK_MULTICAST);
	if (p->hop_limit <= 1)
		return refuse(p, verdict, REASON_TTL);
	if (translation.waits && masquerade_is_stuck(skb, p, translation.uplink))
		return refuse(p, verdict, REASON_NO_NEIGHBOUR);
	if (translation.state != TRANSLATION_KNOWN || translation.epoch != masquerade.epoch) {
		reason = find_way(skb, p, &translation);
		if (reason)
			return refuse(p, verdict, reason);
	} else {
		translation.addr = *uplink_addr(uplink_at(translation.uplink), p->ip_version);
	}
	return send_out(skb, p, &translation, verdict);
}

/**
 * masquerade_answer() - Tell a peer that its packet is not forwarded
 * @f, @p: packet that masquerade_out() has dropped, counted and traced by now
 *
 * Return: TC_ACT_*.
 */
__hidden int masquerade_answer(struct frame *f, struct packet *p)
{
	struct __sk_buff *skb = f->ctx;

	/* of a datagram in fragments the first one is answered (RFC 1812, section 4.3.2.7) */
	if (config.virtual_clock || config.dry_run || p->frag == FRAGMENT_LATER)
		return TC_ACT_SHOT;
	skb->mark = FORWARDER_MARK; /* the answer opens nothing */
	return icmp_answer(skb, p, &masquerade.own[p->ip_version == IP_VERSION_6], config.l2_len,
			   masquerade_mtu(p->uplink));
}
