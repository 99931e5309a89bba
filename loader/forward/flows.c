/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of flows and peers.
 *
 * Peers without flows are kept for their link addresses, as the kernel may still have to say
 * something on connections that are over; of these the least recently used one makes room.
 */
#include "forward/flows.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "forward/dial.h"
#include "forward/displace.h"

#define HANDSHAKE_NS  (60 * NS_PER_S)
#define UDP_MARGIN_NS NS_PER_S /* forget before the dataplane does */

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/**
 * flow_hash() - A hash that peers cannot foresee, as they choose what goes into it
 */
uint64_t flow_hash(const struct worker *w, const struct flow_name *name)
{
	const union addr *s = &name->ends.saddr, *d = &name->ends.daddr;
	uint64_t ports = (uint64_t)name->sport << 32 | (uint64_t)name->dport << 16 | name->l4_proto;
	uint64_t hash = mix(s->half[0] ^ w->hash_key[0], s->half[1] ^ w->hash_key[1]);

	hash = mix(hash ^ d->half[0] ^ w->hash_key[1], d->half[1] ^ w->hash_key[0]);
	return mix(hash ^ ports, w->hash_key[0] | 1);
}

static struct flow_entry **flow_bucket(struct worker *w, const struct flow_name *name)
{
	return &w->flows[flow_hash(w, name) % FLOW_BUCKETS];
}

/**
 * flow_name_set() - The name of a packet's flow
 * @sport, @dport: network order
 */
void flow_name_set(struct flow_name *name, const struct ip_packet *p, uint16_t sport,
		   uint16_t dport)
{
	memset(name, 0, sizeof(*name));
	name->ends.saddr = p->ends.saddr;
	name->ends.daddr = p->ends.daddr;
	name->ends.version = p->ends.version;
	name->l4_proto = p->l4_proto;
	name->sport = sport;
	name->dport = dport;
}

/**
 * flow_lookup() - The flow of that name, or NULL
 */
struct flow_entry *flow_lookup(struct worker *w, const struct flow_name *name)
{
	struct flow_entry *flow = *flow_bucket(w, name);

	while (flow && (flow->name.sport != name->sport || flow->name.dport != name->dport ||
			flow->name.l4_proto != name->l4_proto ||
			memcmp(&flow->name.ends.saddr, &name->ends.saddr, 16) ||
			memcmp(&flow->name.ends.daddr, &name->ends.daddr, 16)))
		flow = flow->next;
	return flow;
}

static struct peer **peer_bucket(struct worker *w, const union addr *addr)
{
	return &w->peers[mix(addr->half[0] ^ w->hash_key[0], addr->half[1] ^ w->hash_key[1]) %
			 PEER_BUCKETS];
}

/**
 * peer_find() - The peer with that address, or NULL
 */
struct peer *peer_find(struct worker *w, const union addr *addr, uint8_t version)
{
	struct peer *peer = *peer_bucket(w, addr);

	while (peer && (peer->version != version || memcmp(&peer->addr, addr, 16)))
		peer = peer->next;
	return peer;
}

static void peer_forget(struct worker *w, struct peer *peer)
{
	struct peer **at = peer_bucket(w, &peer->addr);

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	TAILQ_REMOVE(&w->idle_peers, peer, by_use);
	w->status->peers = --w->n_peers;
	free(peer->refusals);
	free(peer);
}

static struct peer *peer_new(struct worker *w, const union addr *addr, uint8_t version)
{
	struct peer **bucket = peer_bucket(w, addr), *peer;

	if (w->n_peers >= PEERS_MAX) {
		if (TAILQ_EMPTY(&w->idle_peers))
			return NULL;
		peer_forget(w, TAILQ_FIRST(&w->idle_peers));
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->addr = *addr;
	peer->version = version;
	for (int i = 0; i < FLOW_KINDS; i++)
		TAILQ_INIT(&peer->flows[i]);
	peer->next = *bucket;
	*bucket = peer;
	TAILQ_INSERT_TAIL(&w->idle_peers, peer, by_use);
	w->status->peers = ++w->n_peers;
	return peer;
}

/**
 * peer_learn() - Note that a peer has sent something
 * @mac: link address that it came from, NULL on links without
 *
 * Return: the peer, or NULL where there are too many.
 */
struct peer *peer_learn(struct worker *w, const union addr *addr, uint8_t version,
			const uint8_t *mac)
{
	struct peer *peer = peer_find(w, addr, version);

	if (!peer)
		peer = peer_new(w, addr, version);
	if (!peer)
		return NULL;
	if (mac)
		memcpy(peer->mac, mac, LINK_ADDR_LEN);
	if (!peer->shares[SHARED_FLOWS].count) {
		TAILQ_REMOVE(&w->idle_peers, peer, by_use);
		TAILQ_INSERT_TAIL(&w->idle_peers, peer, by_use);
	}
	return peer;
}

/**
 * flows_count() - How many there are
 */
uint32_t flows_count(const struct worker *w)
{
	return w->shares[SHARED_FLOWS].total;
}

/**
 * flow_insert() - Enter a new flow under its name
 * @flow: with its end() set; it is on no list yet
 * @mac: as for peer_learn()
 *
 * Where all are taken, a flow of the peer that has most ends.
 *
 * Return: whether there was room for it.
 */
bool flow_insert(struct worker *w, struct flow_entry *flow, const struct flow_name *name,
		 const uint8_t *mac)
{
	struct flow_entry **bucket = flow_bucket(w, name);
	struct peer *peer = peer_learn(w, &name->ends.saddr, name->ends.version, mac);

	if (!peer || (flows_count(w) >= w->flows_max && !displace_for(w, peer, SHARED_FLOWS))) {
		w->status->refused_limit++;
		return false;
	}
	if (!peer->shares[SHARED_FLOWS].count)
		TAILQ_REMOVE(&w->idle_peers, peer, by_use);
	share_add(&w->shares[SHARED_FLOWS], &peer->shares[SHARED_FLOWS], 1);
	peer->tcp_flows += name->l4_proto == IPPROTO_TCP;
	flow->name = *name;
	flow->peer = peer;
	flow->active_ns = w->now_ns;
	flow->routes = w->routes;
	flow->next = *bucket;
	*bucket = flow;
	return true;
}

/**
 * flow_remove() - Take a flow out of all tables; it is freed at the end of the round
 */
void flow_remove(struct worker *w, struct flow_entry *flow)
{
	struct flow_entry **at = flow_bucket(w, &flow->name);
	struct peer *peer = flow->peer;

	while (*at != flow)
		at = &(*at)->next;
	*at = flow->next;
	flow->is_dead = true;
	flow_move(w, flow, &w->dead);
	share_take(&w->shares[SHARED_FLOWS], &peer->shares[SHARED_FLOWS], 1);
	peer->tcp_flows -= flow->name.l4_proto == IPPROTO_TCP;
	if (!peer->shares[SHARED_FLOWS].count)
		TAILQ_INSERT_TAIL(&w->idle_peers, peer, by_use);
}

/* FLOW_KINDS: none any more. */
static enum flow_kind kind_on(const struct worker *w, const struct flow_list *list)
{
	if (list == &w->udp)
		return FLOW_KIND_UDP;
	if (list == &w->udp_streams)
		return FLOW_KIND_UDP_STREAM;
	if (list == &w->echo)
		return FLOW_KIND_ECHO;
	if (list == &w->dialling)
		return FLOW_KIND_DIAL;
	return list == &w->dead ? FLOW_KINDS : FLOW_KIND_TCP;
}

/* What a flow of that kind takes up beside being one; SHARED_FLOWS: nothing. */
static enum shared shared_by(enum flow_kind kind)
{
	if (kind == FLOW_KIND_DIAL)
		return SHARED_DIALS;
	return kind == FLOW_KIND_ECHO ? SHARED_ECHOES : SHARED_FLOWS;
}

static void leave_list(struct worker *w, struct flow_entry *flow)
{
	enum shared shared = shared_by(flow->kind);
	struct peer *peer = flow->peer;

	TAILQ_REMOVE(flow->on, flow, link);
	TAILQ_REMOVE(&peer->flows[flow->kind], flow, of_peer);
	if (shared != SHARED_FLOWS)
		share_take(&w->shares[shared], &peer->shares[shared], 1);
}

/**
 * flow_move() - To the end of a list
 */
void flow_move(struct worker *w, struct flow_entry *flow, struct flow_list *to)
{
	enum shared shared;

	if (flow->on)
		leave_list(w, flow);
	flow->on = to;
	flow->active_ns = w->now_ns;
	TAILQ_INSERT_TAIL(to, flow, link);
	flow->kind = kind_on(w, to);
	if (flow->kind == FLOW_KINDS)
		return;
	TAILQ_INSERT_TAIL(&flow->peer->flows[flow->kind], flow, of_peer);
	shared = shared_by(flow->kind);
	if (shared != SHARED_FLOWS)
		share_add(&w->shares[shared], &flow->peer->shares[shared], 1);
}

/**
 * flow_touch() - Something has happened on a flow
 */
void flow_touch(struct worker *w, struct flow_entry *flow)
{
	if (w->now_ns - flow->active_ns > NS_PER_S / 10)
		flow_move(w, flow, flow->on);
}

static void expire(struct worker *w, struct flow_list *list, uint64_t timeout_ns)
{
	struct flow_entry *flow;

	while ((flow = TAILQ_FIRST(list)) && w->now_ns - flow->active_ns > timeout_ns)
		flow->end(w, flow, END_TIMED_OUT);
}

/* A flow of a datagram protocol must be gone before its entry, or its replies open a new one. */
static uint64_t datagram_timeout(uint64_t timeout_ns)
{
	return timeout_ns > 2 * UDP_MARGIN_NS ? timeout_ns - UDP_MARGIN_NS : timeout_ns / 2;
}

/* A list whose flows end when they have been silent for a while. */
struct timeout {
	struct flow_list *list;
	uint64_t ns;
};

#define TIMEOUTS 5

static void set_timeouts(struct worker *w, struct timeout timeouts[TIMEOUTS])
{
	const uint64_t *ns = (const uint64_t *)w->order.config.timeout_ns;

	timeouts[0] = (struct timeout){&w->accepting, HANDSHAKE_NS};
	timeouts[1] = (struct timeout){&w->connected, ns[FLOW_STATE_ESTABLISHED]};
	timeouts[2] = (struct timeout){&w->udp, datagram_timeout(ns[FLOW_STATE_UDP])};
	timeouts[3] = (struct timeout){&w->udp_streams,
				       datagram_timeout(ns[FLOW_STATE_UDP_STREAM])};
	timeouts[4] = (struct timeout){&w->echo, datagram_timeout(ns[FLOW_STATE_ICMP])};
}

/**
 * flows_expire() - End the flows whose time is over
 */
void flows_expire(struct worker *w)
{
	struct timeout timeouts[TIMEOUTS];

	set_timeouts(w, timeouts);
	for (int i = 0; i < TIMEOUTS; i++)
		expire(w, timeouts[i].list, timeouts[i].ns);
	dials_expire(w);
}

/**
 * flows_expire_in() - How long there is nothing for flows_expire() to do, ns; UINT64_MAX: for good
 */
uint64_t flows_expire_in(struct worker *w)
{
	uint64_t in_ns = TAILQ_EMPTY(&w->dialling) ? UINT64_MAX : NS_PER_S;
	struct timeout timeouts[TIMEOUTS];

	set_timeouts(w, timeouts);
	for (int i = 0; i < TIMEOUTS; i++) {
		const struct flow_entry *oldest = TAILQ_FIRST(timeouts[i].list);
		uint64_t silent_ns = oldest ? w->now_ns - oldest->active_ns : 0;

		if (oldest && silent_ns > timeouts[i].ns)
			return 0;
		if (oldest && timeouts[i].ns - silent_ns < in_ns)
			in_ns = timeouts[i].ns - silent_ns;
	}
	return in_ns;
}

/**
 * flows_reap() - Free the flows that have ended in this round
 */
void flows_reap(struct worker *w)
{
	struct flow_entry *flow;

	while ((flow = TAILQ_FIRST(&w->dead))) {
		TAILQ_REMOVE(&w->dead, flow, link);
		free(flow);
	}
}
