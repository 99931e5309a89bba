/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where rules have let peers' datagrams: leaves over ct_served_v1 (flow.h).
 *
 * Included by conntrack.bpf.c alone, which owns the map.
 */
#ifndef SHRIKE_SERVED_H
#define SHRIKE_SERVED_H

#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SERVED_MAX);
	__type(key, struct served_key);
	__type(value, struct served);
} ct_served_v1 SEC(".maps");

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports has handshakes or datagrams");

/* Whether either end may send at any time, so that the other's packets go on without an opening. */
static __always_inline bool is_datagram(const struct packet *p)
{
	return p->l4_proto != IPPROTO_TCP && !is_icmp(p);
}

/* The name, in ct_served_v1, of the end that is not the peer's. */
static __always_inline void served_key_set(struct served_key *key, const struct packet *p)
{
	bool in = p->direction == DIR_INGRESS;

	__builtin_memset(key, 0, sizeof(*key));
	key->peer = in ? p->saddr : p->daddr;
	key->local = in ? p->daddr : p->saddr;
	if (p->l4_proto == IPPROTO_UDP)
		key->port = in ? p->dport : p->sport;
	key->l4_proto = p->l4_proto;
	key->ip_version = p->ip_version;
}

/* A rule has let a peer's datagram to an end of this side, or lets it after a change of policy. */
static __noinline int served_note(struct packet *p, __u8 flags)
{
	const struct served *known;
	struct served_key key;
	struct served served = {
		.last_seen_ns = p->now_ns,
		.generation = config.generation,
		.rule = p->rule,
		.epoch = p->epoch,
		.flags = flags,
	};

	if (config.dry_run)
		return 0;
	served_key_set(&key, p);
	known = bpf_map_lookup_elem(&ct_served_v1, &key);
	if (!known || known->generation != served.generation || known->rule != served.rule ||
	    known->epoch != served.epoch || known->flags != flags ||
	    p->now_ns - known->last_seen_ns > SERVED_NOTE_NS)
		bpf_map_update_elem(&ct_served_v1, &key, &served, BPF_ANY);
	return 0;
}

/*
 * This side goes on answering a peer by a flow that the policy in force has not judged, or has
 * ended: as long as it does, the note is recent.  Else a flood that displaces the flow would make
 * the next answer open a flow of this host.
 */
static __noinline int served_answered(const struct packet *p, const struct flow *flow)
{
	struct served_key key;
	struct served *known;
	struct served served = {
		.last_seen_ns = p->now_ns,
		.generation = flow->generation,
		.rule = flow->rule,
		.epoch = flow->epoch,
		.flags = flow->flags & (FLOW_FORWARD | FLOW_LOCAL),
	};

	if (config.dry_run)
		return 0;
	served_key_set(&key, p);
	known = bpf_map_lookup_elem(&ct_served_v1, &key);
	if (known)
		known->last_seen_ns = p->now_ns;
	else
		bpf_map_update_elem(&ct_served_v1, &key, &served, BPF_ANY);
	return 0;
}

/*
 * Whether a packet that leaves has come in as a peer's, on its way to another peer.  Of a protocol
 * that opens nothing for peers it opens nothing for this host either: a rule lets each one in.
 */
static __always_inline bool is_served(const struct packet *p)
{
	struct served_key key = {
		.peer = p->saddr,
		.local = p->daddr,
		.l4_proto = p->l4_proto,
		.ip_version = p->ip_version,
	};

	return p->l4_proto != IPPROTO_UDP && is_datagram(p) &&
	       bpf_map_lookup_elem(&ct_served_v1, &key);
}

/*
 * Whether a datagram of this side, which is of no flow, answers a peer rather than opens a flow: it
 * comes from where the policy in force has let that peer, or has until a moment ago.
 */
static __always_inline struct served *served_find(const struct packet *p)
{
	struct served_key key;
	struct served *served;

	if (!is_datagram(p))
		return NULL;
	served_key_set(&key, p);
	served = bpf_map_lookup_elem(&ct_served_v1, &key);
	if (!served)
		return NULL;
	if (served->generation == config.generation ||
	    (__s64)(p->now_ns - served->last_seen_ns) <= (__s64)config.timeout_ns[FLOW_STATE_UDP])
		return served;
	return NULL;
}

#endif /* SHRIKE_SERVED_H */
