/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 6: the judgement of an inbound packet that no connection vouches for: can its addresses
 * be true, is it for this host or routed through it, and what do the ACLs say?
 */
#include "addr.h"
#include "packet.h"

/* A source that no peer can have: reserved, loopback, or one of the interface's own addresses. */
static __always_inline bool is_martian_source(struct packet *p)
{
	return addr_is_reserved(&p->saddr, p->ip_version) ||
	       addr_is_loopback(&p->saddr, p->ip_version) ||
	       local_lookup(&p->saddr, p->ip_version) == LOCAL_OVERLAY;
}

/* Allowed traffic to this host: to the kernel's stack, or to the forwarder that dials localhost. */
static __always_inline enum verdict deliver_local(struct packet *p, enum local_kind kind)
{
	if (config.local_forwarding && config_has_forwarder(&config) &&
	    (config.netstack || kind != LOCAL_OVERLAY)) {
		tell(p, STAGE_FORWARDING, MESSAGE_FORWARD_LOCAL);
		return VERDICT_FORWARD;
	}
	if (config.netstack)
		tell(p, STAGE_COMPLETED, MESSAGE_DONE_VIRTUAL);
	return VERDICT_PASS;
}

static __always_inline enum verdict judge_local(struct packet *p, enum local_kind kind)
{
	enum verdict verdict;

	tell(p, STAGE_ROUTING, MESSAGE_ROUTE_LOCAL);
	verdict = acl_judge(p, ACL_PEER);
	return verdict == VERDICT_PASS ? deliver_local(p, kind) : verdict;
}

static __always_inline enum verdict judge_routed(struct packet *p)
{
	enum verdict verdict;

	if (config.routing == ROUTING_DISABLED) {
		tell(p, STAGE_ROUTING, MESSAGE_ROUTE_DISABLED);
		tell(p, STAGE_COMPLETED, MESSAGE_DONE_ROUTING);
		return drop(p, REASON_ROUTING_DISABLED);
	}
	if (addr_is_reserved(&p->daddr, p->ip_version) ||
	    addr_is_link_local(&p->daddr, p->ip_version))
		return drop(p, REASON_MARTIAN_DEST);
	if (config.routing == ROUTING_NATIVE && !config.native_acl) {
		tell(p, STAGE_ROUTING, MESSAGE_ROUTE_NATIVE);
		tell(p, STAGE_FORWARDING, MESSAGE_FORWARD_NATIVE);
		return pass(p, REASON_NATIVE_ROUTER);
	}
	tell(p, STAGE_ROUTING, MESSAGE_ROUTE_ENABLED);
	verdict = acl_judge(p, ACL_ROUTE);
	if (verdict != VERDICT_PASS)
		return verdict;
	if (config.routing == ROUTING_NATIVE) {
		tell(p, STAGE_FORWARDING, MESSAGE_FORWARD_NATIVE);
		return VERDICT_PASS;
	}
	tell(p, STAGE_FORWARDING, MESSAGE_FORWARD_REMOTE);
	return VERDICT_FORWARD;
}

/**
 * judge() - Judge an inbound packet
 * @p: packet for which conntrack_in() returned VERDICT_CONTINUE
 *
 * Return: enum verdict, never VERDICT_CONTINUE; the reason, the deciding rule and whether the
 * packet is for this host are in @p.
 */
int judge(struct packet *p)
{
	enum local_kind kind;

	if (!p)
		return VERDICT_DROP;
	if (is_martian_source(p))
		return drop(p, REASON_MARTIAN_SOURCE);
	kind = local_lookup(&p->daddr, p->ip_version);
	p->is_local = kind != LOCAL_NONE;
	return p->is_local ? judge_local(p, kind) : judge_routed(p);
}
