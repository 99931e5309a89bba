/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What connection tracking knows of flows that leave by an uplink (masquerade.h).
 *
 * Included by conntrack.bpf.c alone, which owns the maps.
 */
#ifndef SHRIKE_FLOW_TRANSLATION_H
#define SHRIKE_FLOW_TRANSLATION_H

#include "flow_life.h"

/*
 * Whether a flow without a translation may get one: nobody has answered, so the userspace forwarder
 * has nothing to lose.
 */
static __always_inline bool may_translate(const struct packet *p, const struct flow *flow)
{
	return !(flow->flags & FLOW_ANSWERED) && !flow->nat_port && p->frag != FRAGMENT_LATER &&
	       may_open(p);
}

/* Whether a packet that is forwarded has opened its flow. */
static __always_inline bool has_opened(const struct packet *p)
{
	return (p->flow_match == FLOW_MATCH_NONE || p->flow_match == FLOW_MATCH_OLD) &&
	       p->frag != FRAGMENT_LATER && may_open(p);
}

/* A next hop is missing that has not answered three times (ARP, RFC 4861), a second apart. */
#define NEIGHBOUR_PATIENCE_S 3

#define SLACK_NS	(NS_PER_S / 4) /* of the clock, and of the sender's timer */
#define WAITING_PACKETS 32	       /* of UDP, which may have nothing to wait for */

/*
 * Whether the opener of a flow has heard nothing for so long that the next hop may be missing; not in
 * every third second, as what is sent then has the kernel look for it again.
 */
static __always_inline bool waits(const struct packet *p, const struct flow *flow)
{
	__u32 age_s;

	if (flow->flags & FLOW_ANSWERED)
		return false;
	age_s = (p->now_ns - flow->created_ns + SLACK_NS) / NS_PER_S;
	return age_s >= NEIGHBOUR_PATIENCE_S && age_s % 3 != 2 &&
	       (p->l4_proto != IPPROTO_UDP || flow->packets[0] <= WAITING_PACKETS);
}

/* Whether a flow leaves by the interface that it has come in by; a simulation has no routes. */
static __always_inline bool goes_back(const struct flow *flow)
{
	return !config.virtual_clock && flow->flags & FLOW_HAIRPIN &&
	       !(flow->flags & FLOW_MASQUERADED);
}

/**
 * conntrack_translation() - How a peer's packet that is to be forwarded leaves
 * @p: packet with VERDICT_FORWARD
 * @translation: is filled, but for the address
 *
 * A flow that has gone back out of the interface goes on so both ways, as far as routes still lead there.
 *
 * Return: 0.
 */
int conntrack_translation(struct packet *p, struct translation *translation)
{
	struct flow_key key;
	struct flow *flow;

	if (!p || !translation)
		return 0;
	translation->state = TRANSLATION_NONE;
	key_of_packet(&key, p);
	flow = flow_find(&key);
	if (config.dry_run && config.stateful && has_opened(p)) {
		translation->state = TRANSLATION_NEW; /* what it would have opened */
		return 0;
	}
	if (!flow || !(flow->flags & FLOW_BY_PEER) || flow->flags & FLOW_LOCAL)
		return 0;
	if (p->frag == FRAGMENT_LATER && flow_is_expired(flow, p->now_ns))
		return 0; /* of any other packet tracking has looked */
	if (goes_back(flow))
		translation->state = TRANSLATION_BACK;
	if (goes_back(flow) || key.source != flow->opener)
		return 0;
	translation->port = flow->snat_port;
	translation->epoch = flow->route_epoch;
	translation->uplink = flow->uplink;
	if (flow->flags & FLOW_MASQUERADED) {
		translation->state = TRANSLATION_KNOWN;
		translation->waits = waits(p, flow);
	} else if (may_translate(p, flow)) {
		translation->state = TRANSLATION_NEW;
	}
	return 0;
}

/**
 * conntrack_quoted() - How the flow leaves that a peer's ICMP error is about
 * @p: the error
 * @quoted: the packet in it, which went to the peer
 * @translation: is filled, but for the address
 *
 * Return: 0.
 */
int conntrack_quoted(struct packet *p, const struct tuple *quoted, struct translation *translation)
{
	struct flow_key key;
	struct flow *flow;

	if (!p || !quoted || !translation)
		return 0;
	translation->state = TRANSLATION_NONE;
	flow_key_of(&key, quoted);
	flow = flow_find(&key);
	if (!flow || flow->flags & FLOW_REVOKED || flow_is_expired(flow, p->now_ns))
		return 0;
	if (goes_back(flow))
		translation->state = TRANSLATION_BACK;
	if (!(flow->flags & FLOW_MASQUERADED) || key.source == flow->opener)
		return 0;
	translation->state = TRANSLATION_KNOWN;
	translation->port = flow->snat_port;
	translation->uplink = flow->uplink;
	return 0;
}

/**
 * conntrack_give_way() - Have a flow give up its port
 * @holder: the flow, as its opener sends
 * @now_ns: CLOCK_MONOTONIC
 * @in_use: even if it is not over
 *
 * Return: whether it has.
 */
int conntrack_give_way(const struct tuple *holder, __u64 now_ns, bool in_use)
{
	struct flow_key key;
	struct flow *flow;

	if (!holder)
		return false;
	flow_key_of(&key, holder);
	flow = flow_find(&key);
	if (!flow)
		return true;
	if (!in_use && !flow_is_expired(flow, now_ns) && flow->state != FLOW_STATE_TIME_WAIT &&
	    flow->state != FLOW_STATE_CLOSED)
		return false;
	flow_end(&key, flow, in_use ? FLOW_CAUSE_EVICTED : FLOW_CAUSE_CLOSED, now_ns);
	return true;
}

/**
 * conntrack_leaves_by() - Whether a flow is there, and leaves from a port
 * @opener: a packet of who opened it
 * @port: of the uplink
 */
int conntrack_leaves_by(const struct tuple *opener, __u32 port)
{
	struct flow_key key;
	struct flow *flow;

	if (!opener)
		return false;
	flow_key_of(&key, opener);
	flow = flow_find(&key);
	return flow && flow->flags & FLOW_MASQUERADED && flow->snat_port == port;
}

/**
 * conntrack_left() - It is known how a packet leaves: remove the flow that it ends, or report the one
 * that it opens without a translation, as it is left to the userspace forwarder or sent back
 * @p: the packet
 *
 * Return: 0.
 */
int conntrack_left(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;

	if (!p || !(p->ends_flow || (has_opened(p) && flow_event_wanted(p->now_ns))))
		return 0;
	key_of_packet(&key, p);
	flow = flow_find(&key);
	if (flow && p->ends_flow)
		flow_remove(&key, flow); /* its end has been reported */
	else if (flow)
		flow_report(&key, flow, FLOW_CAUSE_NONE, p->now_ns);
	return 0;
}

/**
 * conntrack_translated() - Note in a flow how it leaves
 * @p: its packet
 * @translation: with route and port
 *
 * Return: whether the flow is there.
 */
int conntrack_translated(struct packet *p, const struct translation *translation)
{
	struct flow_key key;
	struct flow *flow;

	if (!p || !translation)
		return false;
	key_of_packet(&key, p);
	flow = flow_find(&key);
	if (!flow)
		return false;
	flow->uplink = translation->uplink;
	flow->route_epoch = translation->epoch;
	flow->snat_port = translation->port;
	flow->flags |= FLOW_MASQUERADED;
	if (has_opened(p))
		flow_report(&key, flow, FLOW_CAUSE_NONE, p->now_ns);
	return true;
}

/**
 * conntrack_forget() - End a flow that has no way, or none any more
 * @p: its packet
 *
 * Return: 0.
 */
int conntrack_forget(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;

	if (!p)
		return 0;
	p->flow_state = FLOW_STATE_NONE;
	if (config.dry_run)
		return 0;
	key_of_packet(&key, p);
	flow = flow_find(&key);
	if (flow && has_opened(p))
		flow_remove(&key, flow); /* its start has not been reported */
	else if (flow)
		flow_end(&key, flow, FLOW_CAUSE_CLOSED, p->now_ns);
	return 0;
}

/**
 * conntrack_answer() - Whether what has come in on an uplink answers a peer's flow
 * @p: packet with the peer's address and port
 *
 * Return: VERDICT_FORWARD if so; VERDICT_DROP if not; VERDICT_CONTINUE where the policy in force has
 * not judged the flow: judge_turned() and conntrack_judged() are to be called.
 */
int conntrack_answer(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;

	if (!p)
		return VERDICT_DROP;
	p->epoch = conntrack_epoch();
	key_of_packet(&key, p);
	flow = find_live(&key, p->now_ns);
	if (!flow || !(flow->flags & FLOW_BY_PEER) || flow->flags & FLOW_REVOKED ||
	    key.source == flow->opener)
		return drop(p, REASON_NO_FLOW);
	p->rule = flow->rule;
	p->flow_state = flow->state;
	if (is_judged(p, flow))
		return forward(p, REASON_ESTABLISHED);
	p->flow_match = FLOW_MATCH_STALE_REPLY;
	return VERDICT_CONTINUE;
}

#endif /* SHRIKE_FLOW_TRANSLATION_H */
