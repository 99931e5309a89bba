/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hook: TC ingress of uplinks, with `routing: nat`.  What answers a translated flow of a peer gets
 * the peer's address and goes out by the protected interface, whose egress program counts it and
 * advances the flow; everything else is none of our business and pays for a look at its protocol
 * and port.
 *
 * The hook is before VLANs are told apart and before frames of other hosts are sorted out.
 */
#include "forwarder.h"
#include "masquerade.h"
#include "masquerade_maps.h"
#include "packet.h"
#include "tc.h"
#include "translate.h"

#define IP_DF	    0x4000
#define IP_FRAGMENT 0x3fff /* "more fragments", and the offset */
#define VLAN_ID	    0x0fff /* of a tag (IEEE 802.1Q) */

/* What is looked at of each packet. */
struct glance {
	union addr remote;
	union addr local;
	__be16 remote_port;
	__be16 local_port;
	__u8 ip_version;
	__u8 l4_proto;
	__u8 has_more; /* options, an extension header, or it is a fragment */
};

/* The IP header; returns where it ends, NULL: it is none. */
static __always_inline void *glance_ip(struct glance *g, void *data, void *data_end, __u16 protocol)
{
	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > data_end)
			return NULL;
		g->has_more = ip->ihl != 5 || ip->frag_off & bpf_htons(IP_FRAGMENT);
		g->ip_version = IP_VERSION_4;
		g->l4_proto = ip->protocol;
		g->remote.word[3] = ip->saddr;
		g->local.word[3] = ip->daddr;
		return ip + 1;
	}
	if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > data_end)
			return NULL;
		g->ip_version = IP_VERSION_6;
		g->l4_proto = ip->nexthdr;
		g->has_more = ip->nexthdr == IPPROTO_HOPOPTS || ip->nexthdr == IPPROTO_FRAGMENT;
		__builtin_memcpy(&g->remote, &ip->addrs.saddr, sizeof(g->remote));
		__builtin_memcpy(&g->local, &ip->addrs.daddr, sizeof(g->local));
		return ip + 1;
	}
	return NULL;
}

/* The ports, or the identifier of an answer to a ping; false where there are none. */
static __always_inline bool glance_ports(struct glance *g, void *l4, void *data_end)
{
	struct icmphdr *icmp = l4;
	__be16 *port = l4;

	if (l4 + sizeof(*icmp) > data_end)
		return false;
	if (l4_has_ports(g->l4_proto)) {
		g->remote_port = port[0];
		g->local_port = port[1];
		return true;
	}
	if (!l4_is_icmp(g->l4_proto, g->ip_version) ||
	    icmp->type != (g->ip_version == IP_VERSION_4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY))
		return false;
	g->local_port = icmp->un.echo.id;
	return true;
}

/* The peer that an answer is for; NULL: it is for this host, or for another interface's peer. */
static __always_inline struct snat_in *own_peer(const struct flow_key6 *key, __u8 ip_version)
{
	struct snat_in *in = snat_in_find(key, ip_version);

	return in && in->owner == config.nat_owner ? in : NULL;
}

/*
 * Whether a frame is for another host, or of a VLAN: its tag is in the packet's fields, whether the
 * device has taken it off or the kernel.  A tag without a VLAN is but a priority.
 */
static __always_inline bool is_of_others(const struct __sk_buff *skb, __u32 l2_len)
{
	return l2_len &&
	       (skb->pkt_type != PACKET_HOST || (skb->vlan_present && skb->vlan_tci & VLAN_ID));
}

/* Where the answer goes; NULL where the packet is this host's or somebody else's. */
static __noinline struct snat_in *find_peer(struct __sk_buff *skb, __u32 l2_len)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end, *l4;
	struct glance g = {};
	struct flow_key6 key;
	struct snat_ends ends = {.remote = &g.remote, .local = &g.local};

	if (is_of_others(skb, l2_len))
		return NULL;
	l4 = glance_ip(&g, data + l2_len, data_end, skb->protocol);
	if (!l4 || g.has_more)
		return NULL;
	if (!l4_is_by_address(g.l4_proto) &&
	    (!glance_ports(&g, l4, data_end) || !masquerade_is_port(g.local_port)))
		return NULL;
	ends.remote_port = g.remote_port;
	ends.local_port = g.local_port;
	snat_key_set(&key, &ends, g.ip_version, g.l4_proto);
	return own_peer(&key, g.ip_version);
}

/* RFC 792 types 3, 11, 12; RFC 4443 types 1 to 4. */
static __always_inline bool is_error_type(__u8 type, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return type == 3 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

/*
 * Whether a packet that seems to answer nothing may be of a flow nevertheless: an ICMP error, or one
 * that only parsing shows.
 */
static __noinline bool may_be_of_flow(struct __sk_buff *skb, __u32 l2_len)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end, *l4;
	struct glance g = {};
	struct icmphdr *icmp;

	if (is_of_others(skb, l2_len))
		return false;
	l4 = glance_ip(&g, data + l2_len, data_end, skb->protocol);
	icmp = l4;
	if (l4 && g.has_more)
		return true;
	return l4 && l4_is_icmp(g.l4_proto, g.ip_version) && (void *)(icmp + 1) <= data_end &&
	       is_error_type(icmp->type, g.ip_version);
}

/* The peer of the flow that an ICMP error is about; NULL: it is about none. */
static __noinline struct snat_in *find_quoted(struct frame *f, struct packet *p)
{
	struct quote quote = {};
	struct flow_key6 key;
	struct snat_ends ends = {
		.remote = &quote.tuple.daddr,
		.local = &quote.tuple.saddr,
	};

	if (!icmp_error_quote(f, p, &quote) || quote.tuple.is_echo_reply ||
	    !addr_equal(&quote.tuple.saddr, &p->daddr) ||
	    addr_equal(&quote.tuple.saddr, &quote.tuple.daddr))
		return NULL; /* what this host has answered is its own, and no hairpin leaves by an uplink */
	ends.local_port = quote.tuple.sport;
	ends.remote_port = l4_has_ports(quote.tuple.l4_proto) ? quote.tuple.dport : 0;
	snat_key_set(&key, &ends, p->ip_version, quote.tuple.l4_proto);
	return own_peer(&key, p->ip_version);
}

static __always_inline bool is_error(const struct packet *p)
{
	return is_icmp(p) && !icmp_is_echo(p) && p->frag == FRAGMENT_NONE;
}

/* The peer that a packet with options, an extension header, or of which this is a fragment answers. */
static __noinline struct snat_in *find_parsed(struct packet *p)
{
	struct snat_ends ends = {.remote = &p->saddr, .local = &p->daddr};
	struct flow_key6 key;

	if (p->frag == FRAGMENT_LATER) {
		p->now_ns = clock_now_ns();
		if (fragment_answer(p) == VERDICT_PASS)
			return NULL;
	} else if (p->frag == FRAGMENT_FIRST) {
		fragment_drop_verdict(p);
	}
	if (is_icmp(p) ? icmp_is_request(p) || !icmp_is_echo(p)
		       : !l4_has_ports(p->l4_proto) && !l4_is_by_address(p->l4_proto))
		return NULL;
	ends.local_port = is_icmp(p) ? p->sport : p->dport;
	ends.remote_port = is_icmp(p) ? 0 : p->sport;
	if (!l4_is_by_address(p->l4_proto) && !masquerade_is_port(ends.local_port))
		return NULL;
	snat_key_set(&key, &ends, p->ip_version, p->l4_proto);
	return own_peer(&key, p->ip_version);
}

/* Whether the flow is alive, and the policy in force allows it. */
static __always_inline enum verdict judge_answer(struct packet *p, struct snat_in *in)
{
	enum verdict verdict;

	p->epoch = conntrack_epoch();
	if (in->generation == config.generation && in->epoch == (__u8)p->epoch &&
	    p->frag != FRAGMENT_LATER)
		return forward(p, REASON_ESTABLISHED); /* egress looks whether it is alive */
	if (is_error(p))
		return drop(p, REASON_NO_FLOW); /* until a packet of the flow has been judged */
	verdict = conntrack_answer(p);
	if (verdict == VERDICT_CONTINUE) {
		conntrack_turn(p);
		verdict = judge(p);
		conntrack_turn(p);
		conntrack_judged(p, verdict);
	}
	if (verdict != VERDICT_FORWARD)
		return verdict == VERDICT_DROP ? verdict : drop(p, REASON_NO_FLOW);
	if (!config.dry_run) {
		in->generation = config.generation;
		in->epoch = p->epoch;
	}
	return verdict;
}

/*
 * A tunnel takes packets of any size, and sends fragments of its own: what the sender lets routers
 * divide goes there as it is.
 */
static __always_inline bool may_be_fragmented(struct __sk_buff *skb, const struct packet *p,
					      __u32 l2_len)
{
	const struct iphdr *ip = (void *)(long)skb->data + l2_len;

	return !config.l2_len && p->ip_version == IP_VERSION_4 &&
	       (void *)(ip + 1) <= (void *)(long)skb->data_end &&
	       !(ip->frag_off & bpf_htons(IP_DF));
}

/* Whether the packet fits, and has become one for the peer. */
static __always_inline enum verdict translate_answer(struct __sk_buff *skb, struct packet *p,
						     const struct snat_in *in, __u32 l2_len)
{
	struct new_end end = {.addr = &p->daddr, .port = in->port, .l2_len = l2_len};
	struct next_link link = {config.ifindex, masquerade.mtu};

	if (p->hop_limit <= 1)
		return drop(p, REASON_TTL);
	if (exceeds(skb, p, l2_len, &link) && !may_be_fragmented(skb, p, l2_len))
		return drop(p, REASON_TOO_BIG);
	if (!translate(skb, p, &end))
		return drop(p, REASON_INTERNAL);
	return VERDICT_FORWARD;
}

/* Out by the protected interface, where the priority that the uplink has given means nothing. */
static __always_inline int leave_to_peer(struct __sk_buff *skb, __u32 l2_len)
{
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	return leave_by(skb, config.ifindex, l2_len, config.l2_len);
}

/* To the peer, unless the reason says otherwise; with a stack of its own, as that is short. */
static __noinline int send_answer(struct frame *f, struct packet *p, const struct snat_in *in,
				  __u32 l2_len)
{
	struct __sk_buff *skb = f->ctx;

	if (translate_answer(skb, p, in, l2_len) != VERDICT_FORWARD)
		return TC_ACT_SHOT;
	p->sender = SENDER_MASQUERADE;
	if (!config.virtual_clock)
		trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NAT);
	skb->mark = MASQUERADE_MARK;
	return leave_to_peer(skb, l2_len);
}

/* An ICMP error to the peer. */
static __noinline int send_error(struct frame *f, struct packet *p, const struct snat_in *in,
				 __u32 l2_len)
{
	struct new_end end = {.addr = &in->peer, .port = in->port, .l2_len = l2_len};
	struct __sk_buff *skb = f->ctx;
	struct quote quote = {};

	if (p->hop_limit <= 1 || !icmp_error_quote(f, p, &quote) ||
	    !translate_error(skb, p, &quote, &end)) {
		drop(p, REASON_TTL);
		return TC_ACT_SHOT;
	}
	p->reason = REASON_RELATED;
	skb->mark = FORWARDER_MARK; /* it opens nothing, and no flow has it */
	return leave_to_peer(skb, l2_len);
}

/* The frame, and what is known of it; the peer's address is there already. */
static __always_inline enum verdict read_answer(struct frame *f, struct packet *p, __u32 l2_len)
{
	struct __sk_buff *skb = f->ctx;

	tc_linearize(skb, l2_len);
	tc_read_anew(f, l2_len);
	p->direction = DIR_UPLINK;
	return parse(f, p, bpf_ntohs(skb->protocol), true);
}

/* The peer's end of an answer; a trace says the port that it had on the uplink. */
static __always_inline void set_peer(struct packet *p, const struct snat_in *in)
{
	p->nat_port = is_icmp(p) ? p->sport : p->dport;
	p->daddr = in->peer;
	if (is_icmp(p))
		p->sport = in->port;
	else
		p->dport = in->port;
}

/* A packet that is none of ours; a simulation is to hear of it, too. */
static __always_inline int leave_alone(struct frame *f, struct packet *p)
{
	if (config.virtual_clock) {
		pipeline_begin(p, DIR_UPLINK);
		pipeline_end(f, p, NULL, pass(p, REASON_NOT_TRANSLATED));
	}
	return TC_ACT_UNSPEC;
}

/* Tell who has sent an answer that it does not reach the peer; as the address that it was sent to. */
static __noinline int tell_sender(struct frame *f, struct packet *p, __u32 l2_len)
{
	union addr own = p->wire_addr;

	if (config.virtual_clock || p->frag == FRAGMENT_LATER)
		return TC_ACT_SHOT;
	return icmp_answer(f->ctx, p, &own, l2_len, masquerade.mtu);
}

/* What an answer is, before it is one for the peer; later fragments are to find the peer, too. */
static __always_inline enum verdict judge_found(struct frame *f, struct packet *p,
						struct snat_in *in, __u32 l2_len)
{
	if (p->reason == REASON_FRAGMENT_OVERLAP)
		return VERDICT_DROP;
	if (addr_equal(&p->saddr, &p->daddr))
		return drop(p, REASON_MARTIAN_SOURCE); /* peers' hairpins do not come this way */
	if (p->frag == FRAGMENT_FIRST) {
		fragment_record(p, VERDICT_FORWARD);
		if (fragment_release(f->ctx, p))
			return drop(p, REASON_INTERNAL);
		tc_read_anew(f, l2_len);
	}
	if (!is_error(p))
		set_peer(p, in);
	return judge_answer(p, in);
}

/* Note for a trace which uplink has brought a packet; a simulation has none. */
static __always_inline void note_uplink(const struct __sk_buff *skb, struct packet *p)
{
	if (!config.trace || config.virtual_clock)
		return;
	for (__u32 i = 0; i < UPLINKS_MAX; i++)
		if (uplink_at(i)->ifindex == skb->ifindex)
			p->uplink = i;
}

/* One body for uplinks with a link header and for those without. */
static __always_inline int uplink_in(struct __sk_buff *skb, const __u32 l2_len)
{
	struct packet p = {.avail_len = (config.virtual_clock ? virtual_frame_len : skb->len) -
					l2_len};
	struct snat_in *in = find_peer(skb, l2_len);
	struct frame f = {.ctx = skb};
	int action = TC_ACT_SHOT;
	struct counters *counters;
	enum verdict verdict;

	if (!in && !may_be_of_flow(skb, l2_len)) {
		if (config.virtual_clock)
			read_answer(&f, &p, l2_len);
		return leave_alone(&f, &p);
	}
	verdict = read_answer(&f, &p, l2_len);
	if (!in && verdict == VERDICT_CONTINUE)
		in = is_error(&p) ? find_quoted(&f, &p) : find_parsed(&p);
	if (!in && verdict == VERDICT_CONTINUE && p.frag == FRAGMENT_LATER)
		fragment_hold(skb, &p); /* a copy: it may be this host's */
	if (!in)
		return leave_alone(&f, &p);
	counters = pipeline_begin(&p, DIR_UPLINK);
	if (verdict == VERDICT_CONTINUE)
		verdict = judge_found(&f, &p, in, l2_len);
	if (verdict == VERDICT_FORWARD) {
		action = is_error(&p) ? send_error(&f, &p, in, l2_len)
				      : send_answer(&f, &p, in, l2_len);
		if (reason_is_drop(p.reason))
			verdict = VERDICT_DROP;
	}
	note_uplink(skb, &p);
	pipeline_end(&f, &p, counters, verdict);
	if (verdict == VERDICT_DROP && !is_error(&p))
		action = tell_sender(&f, &p, l2_len);
	return action;
}

SEC("tc")
int shrike_uplink(struct __sk_buff *skb)
{
	return uplink_in(skb, ETH_HLEN);
}

SEC("tc")
int shrike_uplinkl3(struct __sk_buff *skb)
{
	return uplink_in(skb, 0);
}
