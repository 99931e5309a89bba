/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flow from its first packet to its last: opened, confirmed, taken to the next state, ended.  For
 * conntrack.bpf.c alone, which decides what becomes of it.
 */
#ifndef SHRIKE_FLOW_LIFE_H
#define SHRIKE_FLOW_LIFE_H

#include "addr.h"
#include "flow_report.h"
#include "flow_room.h"
#include "flow_table.h"
#include "masquerade_maps.h"
#include "served.h"
#include "tcp_track.h"

/*
 * The functions that follow are global where they work on a flow: the verifier would look at them
 * once for each of the tables that it may be in.  Linux 6.1 takes no map key from an argument of
 * such a function, so they copy it.
 */

/**
 * flow_delete() - Remove a flow
 * @key: of the flow
 * @tier: enum flow_tier
 *
 * Return: 0.
 */
__noinline int flow_delete(const struct flow_key *key, int tier)
{
	struct flow_scratch *scratch = flow_scratch();
	void *table;

	if (!key || !scratch)
		return 0;
	scratch->key = key->v6;
	table = flow_table(key, tier);
	if (table)
		bpf_map_delete_elem(table, &scratch->key);
	return 0;
}

/* Whether answers are led to the opener of a flow. */
static __always_inline bool leads_to(const struct snat_in *in, const struct flow_key *key,
				     const struct flow *flow)
{
	bool second = l4_has_ports(key->l4_proto) && flow->opener;
	union addr opener;
	__be16 port;

	if (key->ip_version == IP_VERSION_4) {
		flow_source4(&opener, &key->v4, flow->opener);
		port = second ? key->v4.port[1] : key->v4.port[0];
	} else {
		flow_source6(&opener, &key->v6, flow->opener);
		port = second ? key->v6.port[1] : key->v6.port[0];
	}
	return in->port == port && addr_equal(&in->peer, &opener);
}

/**
 * flow_untranslate() - Remove the entry by which answers to a translated flow are found
 * @key, @flow: the flow
 *
 * Where the uplink has got another address since, what is found there is another flow's.
 *
 * Return: 0.
 */
__noinline int flow_untranslate(const struct flow_key *key, const struct flow *flow)
{
	struct flow_scratch *scratch = flow_scratch();
	const struct snat_in *in;

	if (!key || !flow || !scratch)
		return 0;
	snat_key_of_flow(&scratch->key, key, flow);
	in = snat_in_find(&scratch->key, key->ip_version);
	if (in && leads_to(in, key, flow))
		snat_in_delete(&scratch->key, key->ip_version);
	return 0;
}

static __always_inline void flow_remove(const struct flow_key *key, const struct flow *flow)
{
	if (config.routing == ROUTING_NAT && flow->flags & FLOW_MASQUERADED)
		flow_untranslate(key, flow);
	flow_delete(key, flow_tier(flow));
}

/**
 * flow_end() - Report the end of a flow, and remove it
 * @key, @flow: the flow
 * @cause: enum flow_cause
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: 0.
 */
int flow_end(const struct flow_key *key, const struct flow *flow, int cause, __u64 now_ns)
{
	if (!key || !flow || config.dry_run)
		return 0;
	flow_report_end(key, flow, cause, now_ns);
	flow_remove(key, flow);
	return 0;
}

/* The flow of a key if it is alive; a dead one is removed on the way. */
static __always_inline struct flow *find_live(const struct flow_key *key, __u64 now_ns)
{
	struct flow *flow = flow_find(key);

	if (!flow || !flow_is_expired(flow, now_ns))
		return flow;
	flow_end(key, flow, FLOW_CAUSE_TIMEOUT, now_ns);
	return NULL;
}

static __always_inline bool is_judged(const struct packet *p, const struct flow *flow)
{
	return flow->generation == config.generation && flow->epoch == p->epoch;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports has openings and states");

static __always_inline bool may_open(const struct packet *p)
{
	if (p->l4_proto == IPPROTO_TCP)
		return tcp_is_opening(p->tcp_flags);
	if (is_icmp(p))
		return icmp_is_request(p);
	if (p->l4_proto == IPPROTO_UDP || p->direction == DIR_EGRESS)
		return true;
	/* of protocols without ports a peer opens what NAT is to remember; a rule lets in the others */
	return config.routing == ROUTING_NAT && p->local_kind == LOCAL_NONE &&
	       l4_is_by_address(p->l4_proto);
}

/*
 * Whether an outbound packet is for an address that is no peer's, multicast or broadcast above all:
 * what seems to answer from there has a martian source, for which no flow is to vouch.
 */
static __always_inline bool is_to_nobody(const struct packet *p)
{
	return addr_is_reserved(&p->daddr, p->ip_version) ||
	       (p->ip_version == IP_VERSION_4 &&
		local_lookup(&p->daddr, p->ip_version) == LOCAL_BROADCAST);
}

static __always_inline enum flow_state first_state(const struct packet *p)
{
	if (p->l4_proto == IPPROTO_TCP)
		return p->direction == DIR_INGRESS ? FLOW_STATE_SYN_RECEIVED : FLOW_STATE_SYN_SENT;
	if (p->l4_proto == IPPROTO_UDP)
		return FLOW_STATE_UDP;
	return is_icmp(p) ? FLOW_STATE_ICMP : FLOW_STATE_OTHER;
}

/* Whether the start of a flow is not to be reported before it is known how its packets leave. */
static __always_inline bool starts_later(const struct flow *flow)
{
	return config.routing == ROUTING_NAT && flow->flags & FLOW_FORWARD;
}

/* A new flow, whose fields are set but for those that all have alike. */
static __always_inline void insert(struct packet *p, const struct flow_key *key, struct flow *flow,
				   bool by_peer)
{
	flow->last_seen_ns = flow->created_ns = p->now_ns;
	p->flow_state = flow->state = first_state(p);
	if (p->l4_proto == IPPROTO_TCP)
		tcp_open(p, flow);
	if (config.dry_run)
		return;
	flow_insert(key, flow, by_peer);
	if (!starts_later(flow))
		flow_report(key, flow, FLOW_CAUSE_NONE, p->now_ns);
}

/* The packet opens a flow: of a peer, with these flags, or of this host, with none. */
static __always_inline void open_flow(struct packet *p, const struct flow_key *key, __u8 flags)
{
	struct flow_scratch *scratch = flow_scratch();

	if (!scratch)
		return;
	scratch->flow = (struct flow){
		.packets = {1, 0},
		.bytes = {p->ip_len, 0},
		.generation = config.generation,
		.epoch = p->epoch,
		.rule = p->rule,
		.nat_port = p->nat_port,
		.flags = flags,
		.opener = key->source,
	};
	p->opens_flow = true;
	insert(p, key, &scratch->flow, p->direction == DIR_INGRESS);
}

/* The flow of a peer was displaced, and this side answers it: make it again. */
static __always_inline void reopen_served(struct packet *p, const struct flow_key *key,
					  const struct served *served)
{
	struct flow_scratch *scratch = flow_scratch();

	if (!scratch)
		return;
	scratch->flow = (struct flow){
		.packets = {0, 1},
		.bytes = {0, p->ip_len},
		.generation = served->generation,
		.epoch = served->epoch,
		.rule = served->rule,
		.flags = served->flags | FLOW_BY_PEER | FLOW_ANSWERED,
		.opener = !key->source,
	};
	insert(p, key, &scratch->flow, true);
}

/**
 * flow_confirm() - Move a flow to the confirmed tier
 * @key, @flow: the flow
 * @now_ns: CLOCK_MONOTONIC
 *
 * Where that is full, and no room can be made, the flow stays: it works as before, but a flood may
 * displace it until one of its packets finds room.  What another CPU counts between the copy and
 * the delete is lost; that is the flow's first answer, so the other CPU would have to hold a second
 * packet of the same flow.
 *
 * Return: 0.
 */
int flow_confirm(const struct flow_key *key, const struct flow *flow, __u64 now_ns)
{
	struct flow_scratch *scratch = flow_scratch();
	void *table;
	int err; /* before Linux 6.4 the upper half of the result is not the sign's */

	if (!key || !flow || !scratch || flow_is_kept_out(key, flow, now_ns))
		return 0;
	scratch->key = key->v6;
	scratch->flow = *flow;
	scratch->flow.flags |= FLOW_CONFIRMED;
	table = flow_table(key, FLOW_TIER_CONFIRMED);
	if (!table)
		return 0;
	err = bpf_map_update_elem(table, &scratch->key, &scratch->flow, BPF_NOEXIST);
	if (err == -E2BIG && flow_make_room(key, now_ns))
		err = bpf_map_update_elem(table, &scratch->key, &scratch->flow, BPF_NOEXIST);
	if (!err)
		flow_delete(key, flow_tier(flow));
	return 0;
}

/*
 * Whether a flow is to be confirmed: a peer's packet has come after both ends have sent something,
 * and TCP is open, for which the peer has acknowledged what it was sent.  A spoofed source never
 * gets that far with TCP.
 */
static __always_inline bool is_confirmed_by(const struct packet *p, __u8 flags, __u32 state)
{
	return p->direction == DIR_INGRESS && !(flags & FLOW_CONFIRMED) && flags & FLOW_ANSWERED &&
	       state != FLOW_STATE_SYN_SENT && state != FLOW_STATE_SYN_RECEIVED &&
	       state != FLOW_STATE_CLOSED;
}

/*
 * The state of a flow of UDP after a packet.  A forwarded flow that is more than one question and its
 * answer lives longer.  Fragments after the first belong to a datagram that was looked at.
 */
static __always_inline enum flow_state udp_state(const struct packet *p, const struct flow *flow,
						 __u8 flags)
{
	if (!(flags & FLOW_FORWARD))
		return FLOW_STATE_UDP;
	if (flags & FLOW_ANSWERED && flow->packets[0] + flow->packets[1] >= 2 &&
	    p->frag != FRAGMENT_LATER)
		return FLOW_STATE_UDP_STREAM;
	return flow->state;
}

/* Whether the flow of a packet says how it leaves: masquerade_out() asks after tracking. */
static __always_inline bool leaves_by_flow(const struct packet *p, __u8 flags)
{
	return config.routing == ROUTING_NAT && p->direction == DIR_INGRESS && flags & FLOW_FORWARD;
}

/*
 * Count an accepted packet, take its flow to the next state, and confirm it.  @flags are the flow's,
 * as the ACLs have judged it.
 */
static __always_inline void advance(struct packet *p, const struct flow_key *key, struct flow *flow,
				    __u8 flags, bool from_opener)
{
	bool side = !from_opener, counts = true;
	__u8 state;

	if (side)
		flags |= FLOW_ANSWERED;
	if (p->l4_proto == IPPROTO_TCP)
		counts = tcp_advance(p, flow, side);
	else
		p->flow_state = p->l4_proto == IPPROTO_UDP ? udp_state(p, flow, flags)
							   : flow->state;
	if (config.dry_run)
		return;
	__sync_fetch_and_add(&flow->packets[side], 1);
	__sync_fetch_and_add(&flow->bytes[side], p->ip_len);
	if (!counts)
		return;
	if (flow->last_seen_ns != p->now_ns)
		flow->last_seen_ns = p->now_ns;
	state = p->flow_state;
	if (flow->state != state) {
		if (flow_is_over(state))
			flow_report_end(key, flow,
					p->tcp_flags & TCP_RST ? FLOW_CAUSE_RESET
							       : FLOW_CAUSE_CLOSED,
					p->now_ns);
		flow->state = state;
	}
	if (flow->flags != flags)
		flow->flags = flags;
	if (is_confirmed_by(p, flags, state))
		flow_confirm(key, flow, p->now_ns);
	if (state != FLOW_STATE_CLOSED || flags & FLOW_CONFIRMED)
		return;
	/* refused: nothing of it can be late */
	if (leaves_by_flow(p, flags))
		p->ends_flow = true; /* conntrack_left() removes it */
	else
		flow_remove(key, flow);
}

#endif /* SHRIKE_FLOW_LIFE_H */
