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
 * A UDP flow that ends so leaves its entry as FLOW_REVOKED, for as long as this host sends on it:
 * without it, what this host still sends would open a flow of its own and let the peer in again.
 *
 * Invariant: a packet counts as of a flow only if it moves the way the flow's opener implies.
 * What a peer sends in the direction of a flow of this host is spoofed and goes to the ACLs.
 */
#include "flow_table.h"
#include "flow_tell.h"
#include "tcp.h"

#include "nat.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ct_epoch_v1 SEC(".maps");

/* What conntrack_in() or conntrack_out() found for the packet. */
enum flow_match {
	FLOW_MATCH_NONE,   /* no flow */
	FLOW_MATCH_OLD,	   /* a flow that is over and that this packet may replace */
	FLOW_MATCH_OTHER,  /* a flow that does not accept this packet and is to be left alone */
	FLOW_MATCH_JUDGED, /* a peer's flow, judged by the policy in force */
	FLOW_MATCH_STALE,  /* a peer's flow, judged by an earlier policy or for other addresses */
	FLOW_MATCH_REPLY,  /* a reply to a flow of this host, or its own packet going out */
	FLOW_MATCH_PASSED, /* a hairpin packet leaving again: counted when it came in */
};

__hidden extern __be16 nat_port_lookup(const union addr *addr, __u8 ip_version, __u8 l4_proto,
				       __be16 port);
__hidden extern const union addr *nat_source_lookup(const union addr *addr);

static __always_inline void key_of_packet(struct flow_key *key, const struct packet *p)
{
	struct tuple tuple = {
		.saddr = p->saddr,
		.daddr = p->daddr,
		.sport = p->sport,
		.dport = p->dport,
		.ip_version = p->ip_version,
		.l4_proto = p->l4_proto,
		.is_echo_reply = is_icmp(p) && !icmp_is_request(p),
	};

	flow_key_set(key, &tuple);
}

static __always_inline bool is_tracked(const struct packet *p)
{
	if (!config.stateful || !is_tracked_proto(p))
		return false;
	return !is_icmp(p) || icmp_is_echo(p);
}

static __always_inline bool expired(const struct flow *flow, __u64 now_ns)
{
	__u32 state = flow->state;

	if (state >= FLOW_STATE_MAX)
		return true;
	return (__s64)(now_ns - flow->last_seen_ns) > (__s64)config.timeout_ns[state];
}

/* The flow of a key if it is alive; a dead one is removed on the way. */
static __always_inline struct flow *find_live(const struct flow_key *key, __u64 now_ns)
{
	struct flow *flow = flow_find(key);

	if (!flow)
		return NULL;
	if (!expired(flow, now_ns))
		return flow;
	flow_tell_end(key, flow, FLOW_CAUSE_TIMEOUT, now_ns);
	if (!config.dry_run)
		flow_delete(key, flow);
	return NULL;
}

static __always_inline bool may_open(const struct packet *p)
{
	if (p->l4_proto == IPPROTO_TCP)
		return tcp_is_opening(p->tcp_flags);
	return p->l4_proto == IPPROTO_UDP || icmp_is_request(p);
}

static __always_inline enum flow_state first_state(const struct packet *p)
{
	if (p->l4_proto == IPPROTO_TCP)
		return p->direction == DIR_INGRESS ? FLOW_STATE_SYN_RECEIVED : FLOW_STATE_SYN_SENT;
	return p->l4_proto == IPPROTO_UDP ? FLOW_STATE_UDP : FLOW_STATE_ICMP;
}

static __always_inline void open_flow(struct packet *p, const struct flow_key *key, __u8 flags)
{
	struct flow flow = {
		.last_seen_ns = p->now_ns,
		.created_ns = p->now_ns,
		.packets = {1, 0},
		.bytes = {p->ip_len, 0},
		.generation = config.generation,
		.epoch = p->epoch,
		.rule = p->rule,
		.nat_port = p->nat_port,
		.state = first_state(p),
		.flags = flags,
		.opener = key->source,
	};

	p->flow_state = flow.state;
	if (config.dry_run)
		return;
	flow_insert(key, &flow);
	flow_tell(key, &flow, FLOW_CAUSE_NONE, p->now_ns);
}

/*
 * Count an accepted packet, take the flow to its next state, and confirm or remove it.  A flow is
 * confirmed by a peer's packet once both ends have sent something, and TCP once the handshake is
 * complete: a spoofed source never gets that far.
 */
static __always_inline void advance(struct packet *p, const struct flow_key *key, struct flow *flow,
				    bool from_opener)
{
	enum flow_state state = flow->state;
	__u8 flags = flow->flags | (from_opener ? 0 : FLOW_ANSWERED);

	if (p->l4_proto == IPPROTO_TCP)
		state = tcp_next_state(state, p->tcp_flags, from_opener);
	p->flow_state = state;
	if (config.dry_run)
		return;
	__sync_fetch_and_add(&flow->packets[from_opener ? 0 : 1], 1);
	__sync_fetch_and_add(&flow->bytes[from_opener ? 0 : 1], p->ip_len);
	if (flow_is_over(state))
		flow_tell_end(key, flow,
			      p->tcp_flags & TCP_RST ? FLOW_CAUSE_RESET : FLOW_CAUSE_CLOSED,
			      p->now_ns);
	if (state == FLOW_STATE_CLOSED) {
		flow_delete(key, flow);
		return;
	}
	if (flow->last_seen_ns != p->now_ns)
		flow->last_seen_ns = p->now_ns;
	if (flow->state != state)
		flow->state = state;
	if (flow->flags != flags)
		flow->flags = flags;
	if (p->direction == DIR_INGRESS && !(flags & FLOW_CONFIRMED) && (flags & FLOW_ANSWERED) &&
	    state != FLOW_STATE_SYN_SENT && state != FLOW_STATE_SYN_RECEIVED)
		flow_confirm(key, flow);
}

static __always_inline bool is_superseded(const struct packet *p, const struct flow *flow)
{
	return p->l4_proto == IPPROTO_TCP && flow->state == FLOW_STATE_TIME_WAIT &&
	       tcp_is_opening(p->tcp_flags);
}

static __always_inline void remove(const struct flow_key *key)
{
	struct flow *flow = flow_find(key);

	if (flow && !config.dry_run)
		flow_delete(key, flow);
}

/*
 * Which addresses of this host flows are judged by; read before the ACLs look at these, so that it
 * is never newer than what they see.
 */
static __always_inline __u16 current_epoch(void)
{
	__u32 zero = 0, *epoch = bpf_map_lookup_elem(&ct_epoch_v1, &zero);

	return epoch ? *epoch : 0;
}

static __always_inline bool is_judged(const struct packet *p, const struct flow *flow)
{
	return flow->generation == config.generation && flow->epoch == p->epoch;
}

static __always_inline enum flow_match match_in(const struct packet *p, const struct flow *flow,
						bool from_opener)
{
	bool by_peer = flow->flags & FLOW_BY_PEER;

	if (is_superseded(p, flow) || (from_opener && flow->flags & FLOW_REVOKED))
		return FLOW_MATCH_OLD;
	if (by_peer && from_opener) /* a trace shows the judgement, not that it is remembered */
		return !config.dry_run && is_judged(p, flow) ? FLOW_MATCH_JUDGED : FLOW_MATCH_STALE;
	if (by_peer ? !(flow->flags & FLOW_HAIRPIN) : from_opener)
		return FLOW_MATCH_OTHER;
	if (p->l4_proto == IPPROTO_TCP && !tcp_accepts_reply(flow->state, p->tcp_flags))
		return FLOW_MATCH_OTHER;
	return FLOW_MATCH_REPLY;
}

static __always_inline bool is_legal(const struct packet *p)
{
	return p->l4_proto != IPPROTO_TCP || tcp_is_legal(p->tcp_flags);
}

static __always_inline enum verdict accept(struct packet *p, const struct flow *flow,
					   enum reason reason)
{
	if (flow->flags & FLOW_BY_PEER)
		p->rule = flow->rule;
	tell(p, STAGE_CONNTRACK, reason == REASON_RELATED ? MESSAGE_CT_RELATED : MESSAGE_CT_MATCH);
	tell(p, STAGE_COMPLETED, MESSAGE_DONE_TRACKED);
	return flow->flags & FLOW_FORWARD ? forward(p, reason) : pass(p, reason);
}

/* The quoted packet as it was before translation on its way out. */
static __always_inline void untranslate(struct tuple *quoted)
{
	if (config.nat_one_to_one) {
		const union addr *original = nat_source_lookup(&quoted->daddr);

		if (original)
			quoted->daddr = *original;
	}
	if (config.nat_port) {
		__be16 port = nat_port_lookup(&quoted->saddr, quoted->ip_version, quoted->l4_proto,
					      quoted->sport);

		if (port)
			quoted->sport = port;
	}
}

/**
 * conntrack_related() - Accept an ICMP error if it is about a live flow
 * @p: the error
 * @quoted: the packet in it; changed
 *
 * The quoted packet must have gone out by this interface, as only such a one can come back.
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
	untranslate(quoted);
	flow_key_set(&key, quoted);
	flow = find_live(&key, p->now_ns);
	if (!flow)
		return VERDICT_CONTINUE;
	from_opener = key.source == flow->opener;
	by_peer = flow->flags & FLOW_BY_PEER;
	if (from_opener == by_peer && !(flow->flags & FLOW_HAIRPIN))
		return VERDICT_CONTINUE;
	return accept(p, flow, REASON_RELATED);
}

/**
 * conntrack_in() - Does the inbound packet belong to a connection that needs no judging?
 * @p: packet, translated
 *
 * Return: VERDICT_PASS or VERDICT_FORWARD for accepted packets of a tracked flow,
 * VERDICT_CONTINUE for all others; packet.flow_match tells conntrack_judged() more.
 */
int conntrack_in(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;
	enum verdict verdict;
	bool from_opener;

	if (!p)
		return VERDICT_DROP;
	tell(p, STAGE_CONNTRACK, MESSAGE_CT_NONE);
	if (!is_tracked(p))
		return VERDICT_CONTINUE;
	p->epoch = current_epoch();
	key_of_packet(&key, p);
	flow = find_live(&key, p->now_ns);
	if (!flow)
		return VERDICT_CONTINUE;
	from_opener = key.source == flow->opener;
	p->flow_match = match_in(p, flow, from_opener);
	p->flow_state = flow->flags & FLOW_REVOKED ? FLOW_STATE_NONE : flow->state;
	if (p->flow_match == FLOW_MATCH_STALE)
		tell(p, STAGE_CONNTRACK, MESSAGE_CT_JUDGE);
	if (p->flow_match != FLOW_MATCH_JUDGED && p->flow_match != FLOW_MATCH_REPLY)
		return VERDICT_CONTINUE;
	verdict = accept(p, flow, REASON_ESTABLISHED);
	if (is_legal(p))
		advance(p, &key, flow, from_opener);
	return verdict;
}

/* What the verdict makes of the flags of a flow. */
static __always_inline __u8 flags_judged(__u8 flags, const struct packet *p, enum verdict verdict)
{
	flags &= ~(FLOW_FORWARD | FLOW_LOCAL);
	if (verdict == VERDICT_FORWARD)
		flags |= FLOW_FORWARD;
	if (p->is_local)
		flags |= FLOW_LOCAL;
	return flags;
}

static __always_inline void renew(struct packet *p, const struct flow_key *key, struct flow *flow,
				  enum verdict verdict)
{
	if (!config.dry_run) {
		flow->generation = config.generation;
		flow->epoch = p->epoch;
		flow->rule = p->rule;
		flow->flags = flags_judged(flow->flags, p, verdict);
	}
	if (is_legal(p))
		advance(p, key, flow, true);
}

/*
 * The first packet of a peer's flow since the policy or the addresses changed has been judged.  What
 * another policy denies is over; what the same one denies had another address of this host, which
 * may come back, and its connections with it.
 */
static __always_inline void rejudged(struct packet *p, const struct flow_key *key,
				     enum verdict verdict)
{
	struct flow *flow = flow_find(key);

	if (!flow)
		return;
	if (verdict != VERDICT_DROP) {
		renew(p, key, flow, verdict);
		return;
	}
	if (flow->generation == config.generation)
		return;
	p->flow_state = FLOW_STATE_NONE;
	flow_tell_end(key, flow, FLOW_CAUSE_REVOKED, p->now_ns);
	if (config.dry_run)
		return;
	if (p->l4_proto == IPPROTO_UDP && !(flow->flags & FLOW_HAIRPIN))
		flow->flags |= FLOW_REVOKED;
	else
		flow_delete(key, flow);
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
	struct flow_key key;

	if (!p || !is_tracked(p) || p->flow_match == FLOW_MATCH_OTHER)
		return 0;
	if (p->flow_match != FLOW_MATCH_STALE && (verdict == VERDICT_DROP || !may_open(p)))
		return 0;
	key_of_packet(&key, p);
	if (p->flow_match == FLOW_MATCH_STALE) {
		rejudged(p, &key, verdict);
		return 0;
	}
	if (p->flow_match == FLOW_MATCH_OLD)
		remove(&key);
	open_flow(p, &key, flags_judged(FLOW_BY_PEER, p, verdict));
	return 0;
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
 * conntrack_out() - Track an outbound packet: open a flow of this host or advance one
 * @p: packet, not yet translated; packet.nat_port is set from its flow
 *
 * Return: 0.
 */
int conntrack_out(struct packet *p)
{
	struct flow_key key;
	struct flow *flow;
	bool from_opener;

	if (!p || !is_tracked(p))
		return 0;
	key_of_packet(&key, p);
	flow = find_live(&key, p->now_ns);
	if (flow) {
		from_opener = key.source == flow->opener;
		p->flow_match = match_out(p, flow, from_opener);
		p->flow_state = flow->state;
		if (!from_opener)
			p->nat_port = flow->nat_port;
		if (p->flow_match == FLOW_MATCH_REPLY && is_legal(p))
			advance(p, &key, flow, from_opener);
		if (p->flow_match != FLOW_MATCH_OLD || p->by_forwarder)
			return 0;
		p->nat_port = 0;
		remove(&key);
	}
	/* what the forwarder sends belongs to a peer's flow, and only the ACLs open one */
	if (!p->by_forwarder && may_open(p))
		open_flow(p, &key, 0);
	return 0;
}
