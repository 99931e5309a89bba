/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Last stage of routed packets with `routing: nat`: out by an uplink, with its address as source.
 * Owns the maps of masquerade.h.
 *
 * A flow keeps its uplink and port in its own entry, so what belongs to a known one costs a look-up.
 * What cannot be translated here is left to the userspace forwarder: IP options, extension headers,
 * fragments, and protocols without ports.
 */
#include "masquerade.h"
#include "addr.h"
#include "forwarder.h"
#include "masquerade_maps.h"
#include "packet.h"
#include "route.h"
#include "tc.h"
#include "translate.h"

#define PORT_TRIES 32

struct masquerade masquerade = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct flow_key4);
	__type(value, struct snat_in);
} snat_in4_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct flow_key6);
	__type(value, struct snat_in);
} snat_in6_v1 SEC(".maps");

/**
 * snat_in_find() - The peer whom an answer is for, NULL: it is for this host
 * @key: as in the map
 * @ip_version: of the packet
 */
__hidden struct snat_in *snat_in_find(const struct flow_key6 *key, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		return bpf_map_lookup_elem(&snat_in4_v1, key);
	return bpf_map_lookup_elem(&snat_in6_v1, key);
}

/**
 * snat_in_delete() - A translated flow ends: what answers it is this host's from now on
 * @key: as in the map
 * @ip_version: of the flow
 */
__hidden void snat_in_delete(const struct flow_key6 *key, __u8 ip_version)
{
	if (ip_version == IP_VERSION_4)
		bpf_map_delete_elem(&snat_in4_v1, key);
	else
		bpf_map_delete_elem(&snat_in6_v1, key);
}

/* Under what the answers to a packet are found, once it has this address and port. */
static __always_inline void answer_key(struct flow_key6 *key, const struct packet *p,
				       const struct translation *translation)
{
	struct snat_ends ends = {
		.remote = &p->daddr,
		.local = &translation->addr,
		.remote_port = is_icmp(p) ? 0 : p->dport,
		.local_port = translation->port,
	};

	snat_key_set(key, &ends, p->ip_version, p->l4_proto);
}

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
 * packet had come in by a device of our own which alone does, and where none ever comes in.
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
	if (!ifindex && !config.virtual_clock)
		return REASON_NO_ROUTE;
	for (__u32 i = 0; i < UPLINKS_MAX; i++) {
		const struct uplink *uplink = uplink_at(i);

		if (!uplink->ifindex || (ifindex && uplink->ifindex != ifindex))
			continue;
		translation->uplink = i;
		translation->addr = *uplink_addr(uplink, p->ip_version);
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

/* Whether a socket of this host would get the answers. */
static __always_inline bool is_of_socket(struct __sk_buff *skb, const struct packet *p,
					 const struct translation *translation)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);
	struct bpf_sock *sk;

	if (config.virtual_clock || !l4_has_ports(p->l4_proto))
		return false;
	if (p->ip_version == IP_VERSION_4) {
		tuple.ipv4.saddr = p->daddr.word[3];
		tuple.ipv4.daddr = translation->addr.word[3];
		tuple.ipv4.sport = p->dport;
		tuple.ipv4.dport = translation->port;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &p->daddr, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, &translation->addr, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = p->dport;
		tuple.ipv6.dport = translation->port;
		size = sizeof(tuple.ipv6);
	}
	if (p->l4_proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/**
 * masquerade_take() - Take a port for a flow, if it is free
 * @skb, @p: its first packet
 * @translation: with uplink, address and port
 *
 * Flows with different remote ends may have the same port.
 *
 * Return: whether it is taken.
 */
__noinline int masquerade_take(struct __sk_buff *skb, struct packet *p,
			       struct translation *translation)
{
	struct flow_key6 key;
	struct snat_in in = {};
	int err; /* before Linux 6.4 the upper half of the result is not the sign's */

	if (!skb || !p || !translation || is_of_socket(skb, p, translation))
		return false;
	in.peer = p->saddr;
	in.port = p->sport;
	in.generation = config.generation;
	in.epoch = p->epoch;
	answer_key(&key, p, translation);
	if (config.dry_run)
		return !snat_in_find(&key, p->ip_version);
	if (p->ip_version == IP_VERSION_4)
		err = bpf_map_update_elem(&snat_in4_v1, &key, &in, BPF_NOEXIST);
	else
		err = bpf_map_update_elem(&snat_in6_v1, &key, &in, BPF_NOEXIST);
	return !err;
}

/* The number of ports in a range. */
static __always_inline __u32 ports_in(const struct masquerade_ports *ports)
{
	return ports->first <= ports->last ? ports->last - ports->first + 1 : 0;
}

/* A number that an address and port of a peer always give, for each try another one. */
static __always_inline __u32 endpoint_hash(const struct packet *p, __u32 try)
{
	__u32 hash = ((__u32)p->sport << 16 | p->l4_proto) + try * 0x9e3779b9;

	for (int i = 0; i < 4; i++) { /* as the last steps of MurmurHash3 */
		hash ^= p->saddr.word[i];
		hash ^= hash >> 16;
		hash *= 0x85ebca6b;
		hash ^= hash >> 13;
		hash *= 0xc2b2ae35;
		hash ^= hash >> 16;
	}
	return hash;
}

/* Set one of the ports that a peer's address and port lead to; false: there are none. */
static __always_inline bool masquerade_choose(const struct packet *p,
					      struct translation *translation, __u32 try)
{
	const struct masquerade_ports *ports = masquerade.ports;
	__u32 low = ports_in(&ports[0]), all = low + ports_in(&ports[1]), at;

	if (!all)
		return false;
	at = endpoint_hash(p, try) % all;
	translation->port = bpf_htons(at < low ? ports[0].first + at : ports[1].first + at - low);
	return true;
}

/**
 * masquerade_try() - Try one of the ports that a peer's address and port lead to
 * @skb, @p: first packet of a flow
 * @translation: with uplink and address; its port is set
 * @try: which of them
 *
 * Return: whether it is taken.
 */
__noinline int masquerade_try(struct __sk_buff *skb, struct packet *p,
			      struct translation *translation, __u32 try)
{
	if (!skb || !p || !translation || !masquerade_choose(p, translation, try))
		return false;
	return masquerade_take(skb, p, translation);
}

/**
 * masquerade_port() - Find a port for a flow, and take it
 * @skb, @p: its first packet
 * @translation: with uplink and address; its port is set
 *
 * The peer's own port is tried first, then others in an order that the peer's address and port decide
 * alone.  So all flows of these have one port (endpoint-independent mapping, RFC 4787, section 4.1)
 * without anything to remember, but where another flow with the same remote end has it.
 *
 * Return: 0 or why not, enum reason.
 */
__noinline int masquerade_port(struct __sk_buff *skb, struct packet *p,
			       struct translation *translation)
{
	if (!skb || !p || !translation)
		return REASON_INTERNAL;
	translation->port = p->sport;
	if (masquerade_is_port(p->sport) && masquerade_take(skb, p, translation))
		return 0;
	for (int i = 0; i < PORT_TRIES; i++)
		if (masquerade_try(skb, p, translation, i))
			return 0;
	return REASON_NO_PORT;
}

/* Who has a port for the remote end of a packet; false: nobody. */
static __always_inline bool port_holder(struct packet *p, const struct translation *translation,
					struct tuple *holder)
{
	const struct snat_in *in;
	struct flow_key6 key;

	answer_key(&key, p, translation);
	in = snat_in_find(&key, p->ip_version);
	if (!in)
		return false;
	holder->saddr = in->peer;
	holder->daddr = p->daddr;
	holder->sport = in->port;
	holder->dport = p->dport;
	holder->ip_version = p->ip_version;
	holder->l4_proto = p->l4_proto;
	return true;
}

/**
 * masquerade_room_at() - Have a flow give up one of the ports that a peer is led to
 * @p: first packet of a flow that has found no port
 * @translation: with uplink and address; its port is set
 * @try: which of them
 * @in_use: the flow need not be over
 *
 * Return: whether the port is free now.
 */
__noinline int masquerade_room_at(struct packet *p, struct translation *translation, __u32 try,
				  bool in_use)
{
	struct flow_key6 key;
	struct tuple holder = {};

	if (!p || !translation || !masquerade_choose(p, translation, try))
		return false;
	if (!port_holder(p, translation, &holder) ||
	    !conntrack_give_way(&holder, p->now_ns, in_use))
		return false;
	answer_key(&key, p, translation); /* where the flow had gone before */
	snat_in_delete(&key, p->ip_version);
	return true;
}

/*
 * struct port_shares - who holds the ports that a peer is led to
 * @most: hash of the peer that may hold most of them; one that meets another's only makes room at
 *	  the wrong peer's cost
 * @lead: by how many it was ahead, as they were looked at
 * @of_most, @own: how many that peer holds, and the one that asks
 * @at: one of @of_most
 */
struct port_shares {
	__u32 most;
	__u8 lead;
	__u8 of_most;
	__u8 own;
	__u8 at;
};

/**
 * masquerade_vote() - Look who holds one of the ports that a peer is led to
 * @p: first packet of a flow that has found no port
 * @translation: with uplink and address; its port is set
 * @shares: what is known so far; once @most is final, @of_most, @own and @at are counted
 * @try: which of the ports
 * @is_final: whether it is
 *
 * Who holds more than half of them is found by a vote (Boyer and Moore), which needs no memory.
 *
 * Return: 0.
 */
__noinline int masquerade_vote(struct packet *p, struct translation *translation,
			       struct port_shares *shares, __u32 try, bool is_final)
{
	struct tuple holder = {};
	__u32 hash;

	if (!p || !translation || !shares || !masquerade_choose(p, translation, try) ||
	    !port_holder(p, translation, &holder))
		return 0;
	hash = addr_hash(&holder.saddr);
	if (is_final && hash == shares->most) {
		shares->of_most++;
		shares->at = try;
	}
	if (is_final && hash == addr_hash(&p->saddr))
		shares->own++;
	if (is_final)
		return 0;
	if (!shares->lead)
		shares->most = hash;
	if (shares->most == hash)
		shares->lead++;
	else
		shares->lead--;
	return 0;
}

/*
 * Where all ports are in use, the peer that holds most of them gives one up, as far as it holds more
 * than half, and twice what the one holds that asks: so two peers do not take turns.
 */
static __always_inline bool take_share(struct packet *p, struct translation *translation)
{
	struct port_shares shares = {};

	for (int i = 0; i < PORT_TRIES; i++)
		masquerade_vote(p, translation, &shares, i, false);
	for (int i = 0; i < PORT_TRIES; i++)
		masquerade_vote(p, translation, &shares, i, true);
	return shares.of_most > PORT_TRIES / 2 && shares.of_most > 2 * shares.own &&
	       masquerade_room_at(p, translation, shares.at, true);
}

/**
 * masquerade_make_room() - Have other flows give up a port for a flow that has found none
 * @f, @p: its first packet
 *
 * Those that are over come first: a port is taken for as long as its flow is remembered, which is
 * minutes after the last FIN.
 *
 * Return: whether there is one now.
 */
__hidden bool masquerade_make_room(struct frame *f, struct packet *p)
{
	struct translation translation = {};

	if (config.dry_run || masquerade_route(f->ctx, p, &translation))
		return false;
	for (int i = 0; i < PORT_TRIES; i++)
		if (masquerade_room_at(p, &translation, i, false))
			return true;
	return take_share(p, &translation);
}

/* A flow's way, found anew or for the first time; 0 or why there is none, enum reason. */
static __always_inline int find_way(struct __sk_buff *skb, struct packet *p,
				    struct translation *translation)
{
	__u8 uplink = translation->uplink;
	int reason = masquerade_route(skb, p, translation);

	if (reason)
		return reason;
	translation->epoch = masquerade.epoch;
	if (translation->state == TRANSLATION_NEW)
		reason = masquerade_port(skb, p, translation);
	else if (translation->uplink != uplink)
		reason = REASON_UPLINK_DOWN;
	if (reason || config.dry_run)
		return reason;
	return conntrack_translated(p, translation) ? 0 : REASON_NO_FLOW;
}

static __always_inline bool is_plain(const struct packet *p)
{
	return p->frag == FRAGMENT_NONE && p->l4_off == plain_header_len(p);
}

static __always_inline int refuse(struct packet *p, enum verdict *verdict, int reason)
{
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_REFUSED);
	*verdict = drop(p, reason);
	return TC_ACT_SHOT;
}

/* For counters and traces. */
static __always_inline void note_way(struct packet *p, const struct translation *translation)
{
	p->sender = SENDER_MASQUERADE;
	p->snat_port = translation->port;
	p->uplink = translation->uplink;
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NAT);
}

/* Out by its uplink. */
static __always_inline int send_out(struct __sk_buff *skb, struct packet *p,
				    const struct translation *translation, enum verdict *verdict)
{
	const struct uplink *uplink = uplink_at(translation->uplink);
	struct new_end end = {
		.addr = &translation->addr,
		.port = translation->port,
		.source = true,
		.l2_len = config.l2_len,
	};

	if (!uplink->ifindex)
		return refuse(p, verdict, REASON_UPLINK_DOWN);
	if (exceeds(skb, p, config.l2_len, uplink->mtu)) {
		p->uplink = translation->uplink;
		return refuse(p, verdict, REASON_TOO_BIG);
	}
	note_way(p, translation);
	if (config.dry_run)
		return TC_ACT_REDIRECT;
	if (!translate(skb, p, &end))
		return refuse(p, verdict, REASON_INTERNAL);
	if (config.virtual_clock)
		return TC_ACT_REDIRECT;
	return leave_by(skb, uplink->ifindex, config.l2_len, uplink->l2_len);
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
	const struct uplink *uplink;
	struct new_end end = {
		.addr = &translation.addr,
		.source = true,
		.l2_len = config.l2_len,
	};

	if (!is_plain(p) || p->hop_limit <= 1 || !icmp_error_quote(f, p, &quote))
		return TC_ACT_UNSPEC;
	conntrack_quoted(&quote.tuple, &translation);
	uplink = uplink_at(translation.uplink);
	if (translation.state != TRANSLATION_KNOWN || !uplink->ifindex)
		return TC_ACT_UNSPEC;
	translation.addr = *uplink_addr(uplink, p->ip_version);
	end.port = translation.port;
	if (!config.dry_run && !translate_error(skb, p, &quote, &end))
		return TC_ACT_UNSPEC;
	note_way(p, &translation);
	if (config.dry_run || config.virtual_clock)
		return TC_ACT_REDIRECT;
	return leave_by(skb, uplink->ifindex, config.l2_len, uplink->l2_len);
}

/**
 * masquerade_out() - Forward a peer's packet by NAT
 * @f, @p: packet with VERDICT_FORWARD
 * @verdict: becomes VERDICT_DROP where it cannot be sent
 *
 * A flow that has no way drops its packet, and the caller ends it.  Where the next hop is missing,
 * only some packets drop: the others have the kernel look for it again.
 *
 * Return: TC_ACT_*; TC_ACT_UNSPEC: it is for the userspace forwarder.
 */
__hidden int masquerade_out(struct frame *f, struct packet *p, enum verdict *verdict)
{
	struct translation translation = {};
	struct __sk_buff *skb = f->ctx;
	int reason;

	if (!is_plain(p) || p->local_kind != LOCAL_NONE)
		return TC_ACT_UNSPEC;
	conntrack_translation(p, &translation);
	if (translation.state == TRANSLATION_NONE)
		return TC_ACT_UNSPEC;
	if (p->hop_limit <= 1)
		return refuse(p, verdict, REASON_TTL);
	if (translation.waits && masquerade_is_stuck(skb, p, translation.uplink))
		return refuse(p, verdict, REASON_NO_NEIGHBOUR);
	if (translation.state == TRANSLATION_NEW || translation.epoch != masquerade.epoch) {
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

	if (config.virtual_clock || config.dry_run)
		return TC_ACT_SHOT;
	skb->mark = FORWARDER_MARK; /* the answer opens nothing */
	return icmp_answer(skb, p, &masquerade.own[p->ip_version == IP_VERSION_6], config.l2_len,
			   uplink_at(p->uplink)->mtu);
}
