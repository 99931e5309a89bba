/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 4: connection tracking.  Owns the maps of flow.h.
 *
 * Replies to flows of this host pass without a rule.  Packets of a peer's flow pass while the
 * policy that judged the flow is in force and this host's addresses are the same; after a change
 * the first one goes to the ACLs again, and conntrack_judged() renews the flow, ends it, or leaves
 * it as it is if only addresses have changed, which may come back.  Timeouts are enforced here, so
 * the tables are right even where nobody sweeps them.
 *
 * A flow of datagrams that ends so leaves its entry as FLOW_REVOKED, for as long as this host sends
 * on it: without it, what this host still sends would open a flow of its own and let the peer in
 * again.  For the same reason ct_served_v1 remembers where peers' datagrams were let to: an answer
 * whose flow was displaced makes the peer's flow again.
 *
 * Invariant: a packet counts as of a flow only if it moves the way the flow's opener implies.
 * What a peer sends in the direction of a flow of this host is spoofed and goes to the ACLs.
 */
#include "flow_life.h"

#include "flow_translation.h"
#include "nat.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ct_epoch_v1 SEC(".maps");

__hidden extern __be16 nat_port_lookup(const union addr *addr, __u8 ip_version, __u8 l4_proto,
				       __be16 port);
__hidden extern const union addr *nat_source_lookup(const union addr *addr);

static __always_inline bool is_tracked(const struct packet *p)
{
	return config.stateful && (!is_icmp(p) || icmp_is_echo(p));
}

static __always_inline bool is_superseded(const struct packet *p, const struct flow *flow)
{
	return tcp_is_opening(p->tcp_flags) && tcp_is_closing(flow->state);
}

/* A new flow takes the place of one that is closing. */
static __always_inline void remove(const struct packet *p, const struct flow_key *key)
{
	struct flow *flow = flow_find(key);

	if (flow)
		flow_end(key, flow, FLOW_CAUSE_CLOSED, p->now_ns);
}

/*
 * Which addresses of this host flows are judged by; read before the ACLs look at these, so that it
 * is never newer than what they see.
 */
__hidden __u16 conntrack_epoch(void)
{
	__u32 zero = 0, *epoch = bpf_map_lookup_elem(&ct_epoch_v1, &zero);

	return epoch ? *epoch : 0;
}

static __always_inline bool is_legal(const struct packet *p)
{
	return p->l4_proto != IPPROTO_TCP || tcp_is_legal(p->tcp_flags);
}

static __always_inline enum flow_match match_in(struct packet *p, const struct flow *flow,
						bool from_opener)
{
	bool by_peer = flow->flags & FLOW_BY_PEER;

	if (is_superseded(p, flow) || (from_opener && flow->flags & FLOW_REVOKED))
		return FLOW_MATCH_OLD;
	/* a trace shows the judgement, not that it is remembered */
	if (by_peer && from_opener && (config.dry_run || !is_judged(p, flow)))
		return FLOW_MATCH_STALE;
	if (by_peer != from_opener && !(by_peer && flow->flags & FLOW_HAIRPIN))
		return FLOW_MATCH_OTHER;
	if (!from_opener && p->l4_proto == IPPROTO_TCP && !tcp_accepts_reply(p, flow))
		return FLOW_MATCH_OTHER;
	/* conntrack does not vouch for a RST that its receiver would not even look at */
	if (p->tcp_flags & TCP_RST && tcp_is_stray_rst(p, flow, !from_opener)) {
		p->out_of_window = true;
		return FLOW_MATCH_OTHER;
	}
	if (from_opener)
		return FLOW_MATCH_JUDGED;
	if (!by_peer)
		return FLOW_MATCH_REPLY;
	return is_judged(p, flow) ? FLOW_MATCH_ANSWER : FLOW_MATCH_STALE_REPLY;
}

static __always_inline enum verdict accept(struct packet *p, const struct flow *flow,
					   enum reason reason)
{
	if (flow->flags & FLOW_BY_PEER)
		p->rule = flow->rule;
	trace_note(p, STAGE_CONNTRACK,
		   reason == REASON_RELATED ? MESSAGE_CT_RELATED : MESSAGE_CT_MATCH);
	trace_note(p, STAGE_COMPLETED, MESSAGE_DONE_TRACKED);
	return flow->flags & FLOW_FORWARD ? forward(p, reason) : pass(p, reason);
}

/* The quoted packet as it was before its address was translated on its way out. */
static __always_inline void untranslate_addr(struct tuple *quoted)
{
	const union addr *original;

	if (!config.nat_one_to_one)
		return;
	original = nat_source_lookup(&quoted->daddr);
	if (original)
		quoted->daddr = *original;
}

/* And its port; returns whether that was translated. */
static __always_inline bool untranslate_port(struct tuple *quoted)
{
	__be16 port;

	if (!config.nat_port)
		return false;
	port = nat_port_lookup(&quoted->saddr, quoted->ip_version, quoted->l4_proto, quoted->sport);
	if (port)
		quoted->sport = port;
	return port;
}

/**
 * conntrack_related() - Accept an ICMP error if it is about a live flow
 * @p: the error
 * @quoted: the packet in it; becomes the one that it was before translation
 *
 * The quoted packet must have gone out by this interface, as only such a one can come back.  A
 * peer's flow vouches for errors only as long as the policy in force has judged it.
 *
 * Return: VERDICT_PASS, VERDICT_FORWARD or VERDICT_CONTINUE.
 */
int conntrack_related(struct packet *p, struct tuple *quoted)
{
	struct flow_key key;
	struct flow *flow;
	bool from_opener, by_peer;

	if (!p || !quoted)
		return VERDICT_CONTINUE;
	untranslate_addr(quoted);
	p->epoch = conntrack_epoch();
	flow_key_of(&key, quoted);
	flow = find_live(&key, p->now_ns);
	if (!flow && untranslate_port(quoted)) {
		flow_key_of(&key, quoted);
		flow = find_live(&key, p->now_ns);
	}
	if (!flow)
		return VERDICT_CONTINUE;
	from_opener = key.source == flow->opener;
	by_peer = flow->flags & FLOW_BY_PEER;
	if (from_opener == by_peer && !(flow->flags & FLOW_HAIRPIN))
		return VERDICT_CONTINUE;
	if (by_peer && (flow->flags & FLOW_REVOKED || !is_judged(p, flow)))
		return VERDICT_CONTINUE;
	return accept(p, flow, REASON_RELATED);
}

/**
 * conntrack_asked_port() - The port that a peer asked for, where another one serves it
 * @p: an outbound ICMP error
 * @quoted: the packet in it, of the peer
 *
 * Return: big endian; 0 where nothing was translated.
 */
int conntrack_asked_port(struct packet *p, struct tuple *quoted)
{
	struct flow_key key;
	struct flow *flow;

	if (!p || !quoted)
		return 0;
	flow_key_of(&key, quoted);
	flow = flow_find(&key);
	if (!flow || flow_is_expired(flow, p->now_ns) || key.source != flow->opener)
		return 0;
	return flow_nat_port(flow);
}

/**
 * flow_in() - An inbound packet is of a flow
 * @p: packet, translated
 * @key, @flow: the flow
 *
 * Return: as conntrack_in().
 */
int flow_in(struct packet *p, const struct flow_key *key, struct flow *flow)
{
	enum verdict verdict;
	bool from_opener;

	if (!p || !key || !flow)
		return VERDICT_CONTINUE;
	if (flow_is_expired(flow, p->now_ns)) {
		flow_end(key, flow, FLOW_CAUSE_TIMEOUT, p->now_ns);
		return VERDICT_CONTINUE;
	}
	from_opener = key->source == flow->opener;
	p->flow_match = match_in(p, flow, from_opener);
	p->flow_state = flow->flags & FLOW_REVOKED ? FLOW_STATE_NONE : flow->state;
	if (p->flow_match == FLOW_MATCH_STALE || p->flow_match == FLOW_MATCH_STALE_REPLY)
		trace_note(p, STAGE_CONNTRACK, MESSAGE_CT_JUDGE);
	if (p->flow_match == FLOW_MATCH_OTHER)
		trace_note(p, STAGE_CONNTRACK, MESSAGE_CT_OTHER);
	if (p->flow_match < FLOW_MATCH_JUDGED)
		return VERDICT_CONTINUE;
	verdict = accept(p, flow, REASON_ESTABLISHED);
	if (is_legal(p))
		advance(p, key, flow, flow->flags, from_opener);
	return verdict;
}

/**
 * conntrack_is_reply() - Whether an inbound packet is addressed to what this host has opened
 * @p: packet, its source translated
 */
int conntrack_is_reply(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;

	if (!p || tcp_is_opening(p->tcp_flags))
		return false;
	key_of_packet(&key, p);
	flow = flow_find(&key);
	return flow && !(flow->flags & FLOW_BY_PEER) && key.source != flow->opener &&
	       !flow_is_expired(flow, p->now_ns);
}

/**
 * conntrack_in() - Does the inbound packet belong to a connection that needs no judging?
 * @p: packet, translated
 *
 * Return: VERDICT_PASS or VERDICT_FORWARD for accepted packets of a tracked flow,
 * VERDICT_CONTINUE for all others; packet.flow_match has the details for conntrack_judged().
 */
int conntrack_in(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;

	if (!p)
		return VERDICT_DROP;
	if (config.stateful)
		trace_note(p, STAGE_CONNTRACK, MESSAGE_CT_NONE);
	if (!is_tracked(p))
		return VERDICT_CONTINUE;
	p->epoch = conntrack_epoch();
	key_of_packet(&key, p);
	flow = flow_find(&key);
	return flow ? flow_in(p, &key, flow) : VERDICT_CONTINUE;
}

/* What the verdict makes of the flags of a flow. */
static __always_inline __u8 flags_judged(__u8 flags, const struct packet *p, enum verdict verdict)
{
	flags &= ~(FLOW_FORWARD | FLOW_LOCAL);
	if (verdict == VERDICT_FORWARD)
		flags |= FLOW_FORWARD;
	if (p->local_kind != LOCAL_NONE)
		flags |= FLOW_LOCAL;
	return flags;
}

static __always_inline void renew(struct packet *p, const struct flow_key *key, struct flow *flow,
				  enum verdict verdict)
{
	__u8 flags = flags_judged(flow->flags, p, verdict);

	if (!config.dry_run) {
		flow->generation = config.generation;
		flow->epoch = p->epoch;
		flow->rule = p->rule;
		flow->flags = flags;
	}
	/* an answer that an uplink has brought counts as it leaves */
	if (is_legal(p) && p->direction != DIR_UPLINK)
		advance(p, key, flow, flags, p->flow_match == FLOW_MATCH_STALE);
}

/**
 * flow_judged() - A peer's flow has been judged again, as the policy or the addresses changed
 * @p: its packet
 * @key, @flow: the flow
 * @verdict: of the ACLs
 *
 * What another policy denies is over; what the same one denies had another address of this host,
 * which may come back, and its connections with it.
 *
 * Return: 0.
 */
int flow_judged(struct packet *p, const struct flow_key *key, struct flow *flow, int verdict)
{
	if (!p || !key || !flow)
		return 0;
	if (verdict != VERDICT_DROP) {
		renew(p, key, flow, verdict);
		return 0;
	}
	if (flow->generation == config.generation)
		return 0;
	p->flow_state = FLOW_STATE_NONE;
	if (!is_datagram(p) || flow->flags & FLOW_HAIRPIN) {
		flow_end(key, flow, FLOW_CAUSE_REVOKED, p->now_ns);
		return 0;
	}
	flow_report_end(key, flow, FLOW_CAUSE_REVOKED, p->now_ns);
	if (!config.dry_run)
		flow->flags |= FLOW_REVOKED;
	return 0;
}

/**
 * conntrack_judged() - The ACLs have judged an inbound packet: open, renew or end its flow
 * @p: packet for which conntrack_in() returned VERDICT_CONTINUE
 * @verdict: of the ACLs
 *
 * Return: 0.
 */
int conntrack_judged(struct packet *p, int verdict)
{
	struct flow_scratch *scratch = flow_scratch();
	struct flow_key *key;
	struct flow *flow;
	bool stale;
	__u8 flags;

	if (!p || !scratch || !is_tracked(p) || p->flow_match == FLOW_MATCH_OTHER)
		return 0;
	stale = p->flow_match == FLOW_MATCH_STALE || p->flow_match == FLOW_MATCH_STALE_REPLY;
	if (!stale && verdict == VERDICT_DROP)
		return 0;
	flags = flags_judged(FLOW_BY_PEER, p, verdict);
	if (verdict != VERDICT_DROP && p->flow_match != FLOW_MATCH_STALE_REPLY && is_datagram(p))
		served_note(p, flags);
	if (!stale && !may_open(p))
		return 0;
	key = &scratch->judged;
	key_of_packet(key, p);
	if (stale) {
		flow = flow_find(key);
		return flow ? flow_judged(p, key, flow, verdict) : 0;
	}
	if (p->flow_match == FLOW_MATCH_OLD)
		remove(p, key);
	open_flow(p, key, flags);
	return 0;
}

/**
 * conntrack_turn() - Have an answer judged as what it answers, or turn it back
 * @p: packet
 *
 * The answer to a hairpin flow, which no rule in force has judged, stands for the flow: the rules
 * are asked about its opener's packets.
 *
 * Return: whether it is such an answer.
 */
int conntrack_turn(struct packet *p)
{
	union addr addr;
	__be16 port;

	if (!p || p->flow_match != FLOW_MATCH_STALE_REPLY)
		return false;
	addr = p->saddr;
	p->saddr = p->daddr;
	p->daddr = addr;
	if (is_icmp(p)) {
		p->icmp_type ^= p->ip_version == IP_VERSION_4
					? ICMP_ECHO_REQUEST ^ ICMP_ECHO_REPLY
					: ICMPV6_ECHO_REQUEST ^ ICMPV6_ECHO_REPLY;
		return true;
	}
	port = p->sport;
	p->sport = p->dport;
	p->dport = port;
	return true;
}

static __always_inline enum flow_match match_out(const struct packet *p, struct flow *flow,
						 bool from_opener)
{
	bool by_peer = flow->flags & FLOW_BY_PEER;

	if (is_superseded(p, flow))
		return FLOW_MATCH_OLD;
	if (by_peer && from_opener) {
		if (!config.dry_run && !(flow->flags & FLOW_HAIRPIN))
			flow->flags |= FLOW_HAIRPIN;
		return FLOW_MATCH_PASSED;
	}
	if (flow->flags & FLOW_HAIRPIN)
		return FLOW_MATCH_PASSED;
	return by_peer == from_opener ? FLOW_MATCH_OTHER : FLOW_MATCH_REPLY;
}

/**
 * flow_out() - An outbound packet is of a flow
 * @p: packet, not yet translated; packet.nat_port is set from the flow
 * @key, @flow: the flow
 *
 * Return: whether the flow is over, so that the packet may open another.
 */
int flow_out(struct packet *p, const struct flow_key *key, struct flow *flow)
{
	bool from_opener;

	if (!p || !key || !flow)
		return false;
	if (flow_is_expired(flow, p->now_ns)) {
		flow_end(key, flow, FLOW_CAUSE_TIMEOUT, p->now_ns);
		return true;
	}
	from_opener = key->source == flow->opener;
	p->flow_match = match_out(p, flow, from_opener);
	p->flow_state = flow->state;
	if (p->flow_match == FLOW_MATCH_OLD) {
		if (p->sender == SENDER_HOST)
			flow_end(key, flow, FLOW_CAUSE_CLOSED, p->now_ns);
		return true;
	}
	if (!from_opener)
		p->nat_port = flow_nat_port(flow);
	if (p->flow_match != FLOW_MATCH_REPLY)
		return false;
	if (!from_opener && flow->generation != config.generation && is_datagram(p))
		served_answered(p, flow);
	if (is_legal(p))
		advance(p, key, flow, flow->flags, from_opener);
	return false;
}

/**
 * conntrack_out() - Track an outbound packet: open a flow of this host or advance one
 * @p: packet, not yet translated; packet.nat_port is set from its flow
 *
 * Return: 0.
 */
int conntrack_out(struct packet *p)
{
	struct served *served;
	struct flow_key key;
	struct flow *flow;

	if (!p || !is_tracked(p))
		return 0;
	key_of_packet(&key, p);
	flow = flow_find(&key);
	if (flow && !flow_out(p, &key, flow))
		return 0;
	/* what the forwarder sends belongs to a peer's flow, and only the ACLs open one */
	if (p->sender != SENDER_HOST || !may_open(p) || is_served(p) || is_to_nobody(p))
		return 0;
	served = served_find(p);
	if (!served) {
		open_flow(p, &key, 0);
		return 0;
	}
	if (!config.dry_run)
		served->last_seen_ns = p->now_ns; /* it ends when this side has been silent, too */
	if (p->l4_proto == IPPROTO_UDP)
		reopen_served(p, &key, served);
	return 0;
}
