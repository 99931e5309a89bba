/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ports of flows that leave by an uplink: which one, who has it, who gives it up.  Owns the maps of
 * masquerade.h, and snat_taken.
 */
#include "addr.h"
#include "masquerade.h"
#include "masquerade_maps.h"
#include "packet.h"
#include "snat_in.h"

#define PORT_TRIES 32

__u64 snat_taken[2 * SNAT_TAKEN_WORDS] = {};

/* The ends of the answers to a packet, once it has this address and port. */
static __always_inline struct snat_ends answer_ends(const struct packet *p,
						    const struct translation *translation)
{
	return (struct snat_ends){
		.remote = &p->daddr,
		.local = &translation->addr,
		.remote_port = is_icmp(p) ? 0 : p->dport,
		.local_port = translation->port,
	};
}

/* Under what they are found. */
static __always_inline void answer_key(struct flow_key6 *key, const struct packet *p,
				       const struct translation *translation)
{
	struct snat_ends ends = answer_ends(p, translation);

	snat_key_set(key, &ends, p->ip_version, p->l4_proto);
}

/*
 * Whether a socket of this host would get what the remote end sends: not one that `run` has bound for
 * flows; @ctx: of either hook.
 */
static __always_inline bool is_of_socket(void *ctx, const struct packet *p,
					 const struct snat_ends *ends)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);
	struct bpf_sock *sk;
	bool is_reserved = false;

	if (config.virtual_clock || !l4_has_ports(p->l4_proto))
		return false;
	if (p->ip_version == IP_VERSION_4) {
		tuple.ipv4.saddr = ends->remote->word[3];
		tuple.ipv4.daddr = ends->local->word[3];
		tuple.ipv4.sport = ends->remote_port;
		tuple.ipv4.dport = ends->local_port;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, ends->remote, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, ends->local, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = ends->remote_port;
		tuple.ipv6.dport = ends->local_port;
		size = sizeof(tuple.ipv6);
	}
	if (p->l4_proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	/* of TCP only sockets that listen or are connected are found */
	if (p->l4_proto == IPPROTO_UDP) {
		struct bpf_sock *full = bpf_sk_fullsock(sk);

		is_reserved = full && full->mark == MASQUERADE_MARK;
	}
	bpf_sk_release(sk);
	return !is_reserved;
}

/* The word and the bit of a port in snat_taken; Linux 6.1 wants to see the bound of the index. */
static __always_inline __u64 *taken_word(__u8 l4_proto, __be16 port)
{
	__u32 at = bpf_ntohs(port) / 64;

	if (l4_proto == IPPROTO_UDP)
		at += SNAT_TAKEN_WORDS;
	asm volatile("" : "+r"(at));
	return &snat_taken[at % (2 * SNAT_TAKEN_WORDS)];
}

static __always_inline __u64 taken_bit(__be16 port)
{
	return 1ull << bpf_ntohs(port) % 64;
}

/* Note that a flow has a port; atomic, as two flows may get two of one word. */
static __always_inline void note_taken(__u8 l4_proto, __be16 port)
{
	__u64 *word = taken_word(l4_proto, port);

	if (l4_has_ports(l4_proto) && !(*word & taken_bit(port)))
		__sync_fetch_and_or(word, taken_bit(port));
}

/**
 * snat_was_taken() - Whether a packet is for a port on an uplink that a flow has had
 * @p: the packet; a later fragment has ports where its first one has left by NAT
 */
__noinline int snat_was_taken(struct packet *p)
{
	if (!p || !l4_has_ports(p->l4_proto) ||
	    (p->frag == FRAGMENT_LATER && p->sender != SENDER_MASQUERADE) ||
	    !masquerade_is_port(p->dport) ||
	    !(*taken_word(p->l4_proto, p->dport) & taken_bit(p->dport)))
		return false;
	for (__u32 i = 0; i < UPLINKS_MAX; i++)
		if (uplink_at(i)->ifindex &&
		    addr_equal(uplink_addr(uplink_at(i), p->ip_version), &p->daddr))
			return true;
	return false;
}

/**
 * snat_is_peers() - Whether what a peer sends to this host is for a peer's port on an uplink
 * @f, @p: the packet
 *
 * It is if a flow has had the port, and no program here would get the packet.
 */
__hidden bool snat_is_peers(struct frame *f, struct packet *p)
{
	struct snat_ends ends = {&p->saddr, &p->daddr, p->sport, p->dport};

	return snat_was_taken(p) && !is_of_socket(f->ctx, p, &ends);
}

/* Whether a port is led to whom a packet is from, whose flow was displaced meanwhile. */
static __always_inline bool is_led_back(const struct packet *p, const struct snat_in *in)
{
	return in->owner == config.nat_owner && in->port == p->sport &&
	       addr_equal(&in->peer, &p->saddr);
}

/**
 * snat_take() - Take a port for a flow, if it is free
 * @skb, @p: its first packet
 * @translation: with uplink, address and port
 *
 * Flows with different remote ends may have the same port.  A flow whose entry was displaced finds
 * its port again.
 *
 * Return: whether it is taken.
 */
__noinline int snat_take(struct __sk_buff *skb, struct packet *p, struct translation *translation)
{
	struct snat_ends ends;
	struct flow_key6 key;
	struct snat_in in = {}, *held;

	if (!skb || !p || !translation)
		return false;
	ends = answer_ends(p, translation);
	in.peer = p->saddr;
	in.port = p->sport;
	in.generation = config.generation;
	in.epoch = p->epoch;
	in.owner = config.nat_owner;
	snat_key_set(&key, &ends, p->ip_version, p->l4_proto);
	held = snat_in_find(&key, p->ip_version);
	if (held && !is_led_back(p, held))
		return false;
	if (is_of_socket(skb, p, &ends))
		return false;
	if (config.dry_run)
		return true;
	if (held) {
		*held = in;
		return true;
	}
	if (!snat_in_insert(&key, &in, p->ip_version))
		return false;
	note_taken(p->l4_proto, translation->port);
	return true;
}

/**
 * snat_leads_back() - Whether answers to a flow find it, as its uplink is now
 * @p: its packet
 * @translation: with address and port
 *
 * An uplink may have got another address, or the policy other ports, where no answer is looked for.
 */
__noinline int snat_leads_back(struct packet *p, struct translation *translation)
{
	const struct snat_in *in;
	struct flow_key6 key;

	if (!p || !translation ||
	    (!masquerade_is_port(translation->port) && !l4_is_by_address(p->l4_proto)))
		return false;
	answer_key(&key, p, translation);
	in = snat_in_find(&key, p->ip_version);
	return in && is_led_back(p, in);
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
static __always_inline bool snat_choose(const struct packet *p, struct translation *translation,
					__u32 try)
{
	const struct masquerade_ports *ports = masquerade.ports;
	__u32 low = ports_in(&ports[0]), all = low + ports_in(&ports[1]), at;

	if (l4_is_by_address(p->l4_proto)) {
		translation->port = 0; /* one peer has all that the protocol has */
		return !try;
	}
	if (!all)
		return false;
	at = endpoint_hash(p, try) % all;
	translation->port = bpf_htons(at < low ? ports[0].first + at : ports[1].first + at - low);
	return true;
}

/**
 * snat_try() - Try one of the ports that a peer's address and port lead to
 * @skb, @p: first packet of a flow
 * @translation: with uplink and address; its port is set
 * @try: which of them
 *
 * Return: whether it is taken.
 */
__noinline int snat_try(struct __sk_buff *skb, struct packet *p, struct translation *translation,
			__u32 try)
{
	if (!skb || !p || !translation || !snat_choose(p, translation, try))
		return false;
	return snat_take(skb, p, translation);
}

/**
 * snat_port() - Find a port for a flow, and take it
 * @skb, @p: its first packet
 * @translation: with uplink and address; its port is set
 *
 * The peer's own port is tried first, then others in an order that the peer's address and port decide
 * alone.  So all flows of these have one port (endpoint-independent mapping, RFC 4787, section 4.1)
 * without anything to remember, but where another flow with the same remote end has it.
 *
 * Where there are no ports, one peer has the protocol to itself with each remote host.
 *
 * Return: 0 or why not, enum reason.
 */
__noinline int snat_port(struct __sk_buff *skb, struct packet *p, struct translation *translation)
{
	if (!skb || !p || !translation)
		return REASON_INTERNAL;
	if (l4_is_by_address(p->l4_proto)) {
		translation->port = 0;
		return snat_take(skb, p, translation) ? 0 : REASON_REMOTE_TAKEN;
	}
	translation->port = p->sport;
	if (masquerade_is_port(p->sport) && snat_take(skb, p, translation))
		return 0;
	for (int i = 0; i < PORT_TRIES; i++)
		if (snat_try(skb, p, translation, i))
			return 0;
	return REASON_NO_PORT;
}

/* Who has a port for the remote end of a packet; false: nobody here. */
static __always_inline bool holder_of(struct packet *p, const struct translation *translation,
				      struct tuple *holder)
{
	const struct snat_in *in;
	struct flow_key6 key;

	answer_key(&key, p, translation);
	in = snat_in_find(&key, p->ip_version);
	if (!in || in->owner != config.nat_owner)
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
 * snat_room_at() - Have a flow give up one of the ports that a peer is led to
 * @p: first packet of a flow that has found no port
 * @translation: with uplink and address; its port is set
 * @try: which of them
 * @in_use: the flow need not be over
 *
 * In a dry run the flow keeps it, and which port it would be is noted.
 *
 * Return: whether the port is free now.
 */
__noinline int snat_room_at(struct packet *p, struct translation *translation, __u32 try,
			    bool in_use)
{
	struct flow_key6 key;
	struct tuple holder = {};

	if (!p || !translation || !snat_choose(p, translation, try))
		return false;
	if (!holder_of(p, translation, &holder) || !conntrack_give_way(&holder, p->now_ns, in_use))
		return false;
	if (config.dry_run) {
		note_way(p, translation);
		return true;
	}
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
 * snat_vote() - Look who holds one of the ports that a peer is led to
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
__noinline int snat_vote(struct packet *p, struct translation *translation,
			 struct port_shares *shares, __u32 try, bool is_final)
{
	struct tuple holder = {};
	__u32 hash;

	if (!p || !translation || !shares || !snat_choose(p, translation, try) ||
	    !holder_of(p, translation, &holder))
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
		snat_vote(p, translation, &shares, i, false);
	for (int i = 0; i < PORT_TRIES; i++)
		snat_vote(p, translation, &shares, i, true);
	return shares.of_most > PORT_TRIES / 2 && shares.of_most > 2 * shares.own &&
	       snat_room_at(p, translation, shares.at, true);
}

/**
 * snat_make_room() - Have other flows give up a port for a flow that has found none
 * @f, @p: its first packet
 *
 * Those that are over come first: a port is taken for as long as its flow is remembered, which is
 * minutes after the last FIN.
 *
 * Return: whether there is one now.
 */
__hidden bool snat_make_room(struct frame *f, struct packet *p)
{
	struct translation translation = {};

	if (masquerade_route(f->ctx, p, &translation))
		return false;
	for (int i = 0; i < PORT_TRIES; i++)
		if (snat_room_at(p, &translation, i, false))
			return true;
	if (snat_in_make_room(p->ip_version, p->now_ns))
		return true;
	return take_share(p, &translation);
}
