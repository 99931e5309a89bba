/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 6: the judgement of an inbound packet that no connection vouches for: can its addresses
 * be true, is it for this host or routed through it, and what do the ACLs say?
 */
#include "addr.h"
#include "packet.h"

/* Who has no address yet asks for one (RFC 2131), if a rule lets it. */
static __always_inline bool is_asking_for_address(const struct packet *p)
{
	return config.peer_groups && p->ip_version == IP_VERSION_4 && !p->saddr.word[3] &&
	       local_lookup(&p->daddr, p->ip_version) == LOCAL_BROADCAST;
}

/**
 * judge_is_martian() - Whether a source is one that no peer can have
 * @p: packet
 *
 * It is reserved, of this host, or the destination (land attack), whose answer would be the packet
 * itself.
 */
int judge_is_martian(struct packet *p)
{
	if (!p)
		return true;
	if (addr_is_reserved(&p->saddr, p->ip_version))
		return !is_asking_for_address(p);
	return addr_equal(&p->saddr, &p->daddr) ||
	       local_lookup(&p->saddr, p->ip_version) != LOCAL_NONE;
}

/* Allowed traffic to this host: to the kernel's stack, or to the forwarder that dials localhost. */
static __always_inline enum verdict deliver_local(struct packet *p, enum local_kind kind)
{
	if (config.local_forwarding && config_has_forwarder(&config) &&
	    (config.netstack || kind != LOCAL_OVERLAY)) {
		trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_LOCAL);
		return VERDICT_FORWARD;
	}
	if (config.netstack)
		trace_note(p, STAGE_COMPLETED, MESSAGE_DONE_VIRTUAL);
	return VERDICT_PASS;
}

static __always_inline bool is_group(enum local_kind kind)
{
	return kind == LOCAL_BROADCAST || kind == LOCAL_MULTICAST;
}

static __always_inline enum verdict judge_local(struct packet *p, enum local_kind kind)
{
	enum verdict verdict;

	trace_note(p, STAGE_ROUTING, MESSAGE_ROUTE_LOCAL);
	verdict = acl_judge(p, ACL_PEER);
	return verdict == VERDICT_PASS && !is_group(kind) ? deliver_local(p, kind) : verdict;
}

static __always_inline enum verdict judge_routed(struct packet *p)
{
	enum verdict verdict;

	if (config.routing == ROUTING_DISABLED) {
		trace_note(p, STAGE_ROUTING, MESSAGE_ROUTE_DISABLED);
		trace_note(p, STAGE_COMPLETED, MESSAGE_DONE_ROUTING);
		return drop(p, REASON_ROUTING_DISABLED);
	}
	if (addr_is_reserved(&p->daddr, p->ip_version) ||
	    addr_is_link_local(&p->daddr, p->ip_version))
		return drop(p, REASON_MARTIAN_DEST);
	/* RFC 3927, section 7; RFC 4291, section 2.5.6: the answer would find no way back */
	if (addr_is_link_local(&p->saddr, p->ip_version))
		return drop(p, REASON_MARTIAN_SOURCE);
	if (config.routing == ROUTING_NATIVE && !config.native_acl) {
		trace_note(p, STAGE_ROUTE_ACL, MESSAGE_ROUTE_NATIVE);
		trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NATIVE);
		return pass(p, REASON_NATIVE_ROUTER);
	}
	trace_note(p, STAGE_ROUTING, MESSAGE_ROUTE_ENABLED);
	verdict = acl_judge(p, ACL_ROUTE);
	if (verdict != VERDICT_PASS)
		return verdict;
	if (config.routing == ROUTING_NATIVE) {
		trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_NATIVE);
		return VERDICT_PASS;
	}
	trace_note(p, STAGE_FORWARDING, MESSAGE_FORWARD_REMOTE);
	return VERDICT_FORWARD;
}

/**
 * judge() - Judge an inbound packet
 * @p: packet for which conntrack_in() returned VERDICT_CONTINUE, with local_kind set
 *
 * Return: enum verdict, never VERDICT_CONTINUE; the reason, the deciding rule and whether the
 * packet is for this host are in @p.
 */
int judge(struct packet *p)
{
	enum local_kind kind;

	if (!p)
		return VERDICT_DROP;
	if (judge_is_martian(p))
		return drop(p, REASON_MARTIAN_SOURCE);
	if (addr_is_loopback(&p->daddr, p->ip_version))
		return drop(p, REASON_MARTIAN_DEST);
	kind = p->local_kind;
	if (kind == LOCAL_NONE ||
	    (!config.peer_groups && addr_is_reserved(&p->daddr, p->ip_version)))
		return judge_routed(p);
	return judge_local(p, kind);
}
