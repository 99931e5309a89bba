/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connection tracking: what a packet's flow says about it, and what it does to its flow.
 */
#include <string.h>

#include "model/way.h"

/**
 * model_tuple_of() - What a packet says of its flow
 */
struct model_tuple model_tuple_of(const struct model_packet *p)
{
	bool is_icmp = model_is_icmp(p);

	return (struct model_tuple){
		.src = p->src,
		.dst = p->dst,
		.sport = is_icmp ? p->icmp_id : p->sport,
		.dport = is_icmp ? 0 : p->dport,
		.version = p->version,
		.proto = p->proto,
		.echo_reply = is_icmp && model_is_reply(p->version, p->icmp_type),
	};
}

static bool is_tracked(const struct model_way *way)
{
	const struct model_packet *p = way->p;

	if (!way->model->policy->mode.stateful)
		return false;
	return !model_is_icmp(p) || model_is_request(p->version, p->icmp_type) ||
	       model_is_reply(p->version, p->icmp_type);
}

/* Protocols whose packets are of one kind: either end may send at any time. */
static bool is_datagram(const struct model_packet *p)
{
	return p->proto != TCP && !model_is_icmp(p);
}

static struct model_flow *find_flow(struct model_way *way, bool *from_opener)
{
	struct model_tuple tuple = model_tuple_of(way->p);

	if (!is_tracked(way))
		return NULL;
	return model_flow_find(&way->model->flows, &way->model->policy->timeouts, &tuple,
			       way->now_ns, from_opener);
}

/**
 * model_has_flow() - Whether a packet is of a flow
 * @way: any packet, for the time
 * @tuple: the packet
 */
bool model_has_flow(const struct model_way *way, const struct model_tuple *tuple)
{
	struct model *model = way->model;
	bool from_opener;

	return model_flow_find(&model->flows, &model->policy->timeouts, tuple, way->now_ns,
			       &from_opener);
}

/**
 * model_answers_this_host() - Whether a packet goes to a port from which this host has opened a
 * flow
 * @way: the packet, its source translated
 */
bool model_answers_this_host(const struct model_way *way)
{
	struct model *model = way->model;
	struct model_tuple tuple = model_tuple_of(way->p);
	const struct model_flow *flow;
	bool from_opener;

	if (way->p->proto == TCP && model_tcp_is_opening(way->p->tcp.flags))
		return false;
	flow = model_flow_peek(&model->flows, &model->policy->timeouts, &tuple, way->now_ns,
			       &from_opener);
	return flow && !flow->by_peer && !from_opener;
}

/* Whether a packet may open a flow; a peer opens other protocols' where NAT is to remember them. */
static bool may_open(const struct model_way *way, bool by_peer)
{
	const struct model_packet *p = way->p;

	if (p->proto == TCP)
		return model_tcp_is_opening(p->tcp.flags);
	if (model_is_icmp(p))
		return model_is_request(p->version, p->icmp_type);
	if (p->proto == UDP || !by_peer)
		return true;
	return model_is_nat(way->model) && model_is_by_address(p->proto) &&
	       model_local_kind(way->model, &p->dst, p->version) == LOCAL_NONE;
}

static void open_flow(struct model_way *way, bool by_peer)
{
	const struct model_packet *p = way->p;
	struct model_flow flow = {
		.opener = model_tuple_of(p),
		.by_peer = by_peer,
		.forwarded = by_peer && way->result->verdict == VERDICT_FORWARD,
		.local = by_peer && way->is_local,
		.seen_ns = way->now_ns,
		.judged_by = way->model->policy_number,
		.asked_port = way->asked_port,
		.packets = 1,
	};

	if (p->proto == TCP) {
		model_tcp_open(&flow.tcp, &p->tcp, by_peer);
		flow.state = flow.tcp.state;
	} else if (p->proto == UDP) {
		flow.state = FLOW_STATE_UDP;
	} else {
		flow.state = model_is_icmp(p) ? FLOW_STATE_ICMP : FLOW_STATE_OTHER;
	}
	if (by_peer)
		strcpy(flow.rule, way->result->rule_id);
	model_flow_add(&way->model->flows, &flow);
	way->result->state = flow.state;
	way->has_opened = by_peer;
}

/* A rule has let a peer's datagram in: what answers it is no flow of this host's own. */
static void note_served(struct model_way *way)
{
	struct model_flows *flows = &way->model->flows;
	struct model_served served = {
		.peer = model_tuple_of(way->p),
		.seen_ns = way->now_ns,
		.judged_by = way->model->policy_number,
		.forwarded = way->result->verdict == VERDICT_FORWARD,
	};
	const struct model_served *known = model_served_find(flows, &served.peer);

	strcpy(served.rule, way->result->rule_id);
	if (!known || known->judged_by != served.judged_by ||
	    way->now_ns - known->seen_ns > SERVED_NOTE_NS || strcmp(known->rule, served.rule))
		model_served_note(flows, &served);
}

/*
 * This side answers a peer by a flow that the policy in force has not judged, or has ended: what is
 * known of its service lasts as long as it does so.
 */
static void note_answered(struct model_way *way, const struct model_flow *flow)
{
	struct model_served served = {
		.peer = flow->opener,
		.seen_ns = way->now_ns,
		.judged_by = flow->judged_by,
		.forwarded = flow->forwarded,
	};
	struct model_served *known = model_served_find(&way->model->flows, &served.peer);

	if (known) {
		known->seen_ns = way->now_ns;
		return;
	}
	strcpy(served.rule, flow->rule);
	model_served_note(&way->model->flows, &served);
}

/* The peer whose datagrams this one of no flow answers; NULL: it begins something. */
static struct model_served *find_served(struct model_way *way)
{
	struct model *model = way->model;
	struct model_tuple own = model_tuple_of(way->p), peer = own;
	struct model_served *served;

	if (!is_datagram(way->p))
		return NULL;
	peer.src = own.dst;
	peer.dst = own.src;
	peer.sport = own.dport;
	peer.dport = own.sport;
	served = model_served_find(&model->flows, &peer);
	if (!served || (served->judged_by != model->policy_number &&
			way->now_ns - served->seen_ns > model->policy->timeouts.udp))
		return NULL;
	return served;
}

/* Whether a packet of a protocol without flows of peers leaves on its way between two of these. */
static bool passes_through(struct model_way *way)
{
	struct model_tuple tuple = model_tuple_of(way->p);

	return is_datagram(way->p) && way->p->proto != UDP &&
	       model_served_find(&way->model->flows, &tuple);
}

/* An answer to a peer whose flow is gone: make the flow again; other protocols have none. */
static void open_again(struct model_way *way, struct model_served *served)
{
	struct model_tuple own = model_tuple_of(way->p);
	struct model_flow flow = {
		.opener = own,
		.by_peer = true,
		.forwarded = served->forwarded,
		.state = FLOW_STATE_UDP,
		.seen_ns = way->now_ns,
		.judged_by = served->judged_by,
		.answered = true,
		.packets = 1,
	};

	served->seen_ns = way->now_ns;
	if (way->p->proto != UDP)
		return;
	flow.opener.src = own.dst;
	flow.opener.dst = own.src;
	flow.opener.sport = own.dport;
	flow.opener.dport = own.sport;
	strcpy(flow.rule, served->rule);
	model_flow_add(&way->model->flows, &flow);
	way->result->state = flow.state;
}

/* What the packet would do to its flow; @next becomes the flow's TCP after it. */
static enum model_effect weigh(const struct model_way *way, const struct model_flow *flow,
			       bool from_opener, struct model_tcp *next)
{
	*next = flow->tcp;
	if (way->p->proto != TCP)
		return EFFECT_MOVES;
	return model_tcp_take(next, &way->p->tcp, from_opener ? 0 : 1);
}

/* UDP that the forwarder relays lives longer once it is more than a question and its answer. */
static void advance_udp(const struct model_way *way, struct model_flow *flow)
{
	flow->packets++;
	if (!flow->forwarded)
		flow->state = FLOW_STATE_UDP;
	else if (flow->answered && flow->packets > 2 && !way->p->later_fragment)
		flow->state = FLOW_STATE_UDP_STREAM;
}

/* A packet of the flow: refresh it and take it to its next state, which may be its end. */
static void advance(struct model_way *way, struct model_flow *flow, bool from_opener)
{
	struct model_tcp next;
	enum model_effect effect = weigh(way, flow, from_opener, &next);

	flow->tcp = next;
	flow->answered |= !from_opener && effect == EFFECT_MOVES;
	if (way->p->proto == TCP)
		flow->state = next.state;
	else if (way->p->proto == UDP)
		advance_udp(way, flow);
	way->result->state = flow->state;
	if (effect == EFFECT_OUTSIDE || effect == EFFECT_REFUSED)
		way->result->out_of_window = true;
	if (effect != EFFECT_MOVES)
		return;
	flow->seen_ns = way->now_ns;
	if (flow->state == FLOW_STATE_CLOSED && !flow->tcp.confirmed) {
		way->ends_flow = true;
		way->ended = flow->opener;
	}
}

/**
 * model_track_end() - A packet has gone, by the flow that it may have ended, and that is over now
 * @way: the packet
 */
void model_track_end(struct model_way *way)
{
	struct model_flow *flow;

	if (!way->ends_flow)
		return;
	flow = model_flow_of(&way->model->flows, &way->ended);
	if (flow)
		model_flow_remove(&way->model->flows, flow);
	way->ends_flow = false;
}

/* A SYN finds a connection that lingers: it makes way if the SYN is allowed. */
static bool is_superseded(const struct model_packet *p, const struct model_flow *flow)
{
	return p->proto == TCP && model_tcp_is_superseded(&flow->tcp, &p->tcp);
}

/* Whether an inbound packet may be of the flow's other end at all. */
static bool is_reply(const struct model_packet *p, const struct model_flow *flow, bool from_opener)
{
	if (from_opener || (flow->by_peer && !flow->hairpin))
		return false;
	return p->proto != TCP || model_tcp_is_answer(&flow->tcp, p->tcp.flags);
}

/* @is_answer: of one peer to another */
static enum verdict vouch(struct model_way *way, const struct model_flow *flow, enum reason reason,
			  bool is_answer)
{
	way->is_reply = !flow->by_peer && reason == REASON_ESTABLISHED;
	way->is_answer = is_answer;
	return model_decide(way, flow->forwarded ? VERDICT_FORWARD : VERDICT_PASS, reason,
			    flow->rule);
}

static bool is_error(const struct model_packet *p)
{
	if (!model_is_icmp(p))
		return false;
	if (p->version == 4)
		return p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12;
	return p->icmp_type >= 1 && p->icmp_type <= 4;
}

/*
 * The flow of a packet that once left by the interface, about which an error informs its sender;
 * NULL where the policy in force has not allowed that flow.
 */
static struct model_flow *find_quoted(struct model_way *way, struct model_quote *quote)
{
	struct model *model = way->model;
	struct model_flow *flow;
	bool from_opener;

	if (!model->policy->mode.stateful || !is_error(way->p) || model_is_martian(way) ||
	    !model_read_quote(way, quote) || !model_addr_same(&quote->wire.src, &way->p->dst))
		return NULL;
	flow = model_flow_find(&model->flows, &model->policy->timeouts, &quote->tuple, way->now_ns,
			       &from_opener);
	if (!flow || (from_opener == flow->by_peer && !flow->hairpin))
		return NULL;
	if (flow->by_peer && (flow->revoked || flow->judged_by != model->policy_number))
		return NULL;
	return flow;
}

/**
 * model_settle() - The policy in force has judged a flow's opener: it goes on, or ends
 * @way: a packet of the flow, with the verdict
 * @flow: the flow
 */
enum verdict model_settle(struct model_way *way, struct model_flow *flow)
{
	if (way->result->verdict == VERDICT_DROP) {
		if (is_datagram(way->p) && !flow->hairpin)
			flow->revoked = true;
		else
			model_flow_remove(&way->model->flows, flow);
		way->result->state = FLOW_STATE_NONE;
		return VERDICT_DROP;
	}
	flow->judged_by = way->model->policy_number;
	flow->forwarded = way->result->verdict == VERDICT_FORWARD;
	flow->local = way->is_local;
	strcpy(flow->rule, way->result->rule_id);
	return way->result->verdict;
}

/* And the packet belongs to it, if it does. */
static enum verdict settle(struct model_way *way, struct model_flow *flow, bool from_opener)
{
	if (model_settle(way, flow) == VERDICT_DROP)
		return VERDICT_DROP;
	advance(way, flow, from_opener);
	if (from_opener && is_datagram(way->p))
		note_served(way);
	return way->result->verdict;
}

/**
 * model_judge_question() - Judge what an answer between two peers answers
 * @way: the answer
 */
enum verdict model_judge_question(struct model_way *way)
{
	struct model_packet *p = way->p, answer = *p;
	enum verdict verdict;

	p->src = answer.dst;
	p->dst = answer.src;
	p->sport = answer.dport;
	p->dport = answer.sport;
	if (model_is_icmp(p))
		p->icmp_type = p->version == 4 ? 8 : 128;
	verdict = model_judge(way);
	*p = answer;
	return verdict;
}

/* The policy in force has another flow between two peers go on, or not. */
static enum verdict judge_opener(struct model_way *way, struct model_flow *flow)
{
	way->is_answer = true;
	model_judge_question(way);
	return settle(way, flow, false);
}

/*
 * The rules decide; @flow is what the packet found in its place.  It is old where an opening may
 * replace it.
 */
static enum verdict judge(struct model_way *way, struct model_flow *flow, bool is_old)
{
	const struct model_packet *p = way->p;

	if (model_judge(way) == VERDICT_DROP || (flow && !is_old) || !is_tracked(way))
		return way->result->verdict;
	if (may_open(way, true)) {
		if (flow)
			model_flow_remove(&way->model->flows, flow);
		open_flow(way, true);
	}
	if (is_datagram(p))
		note_served(way);
	return way->result->verdict;
}

/* A packet that has found a flow. */
static enum verdict judge_flow(struct model_way *way, struct model_flow *flow, bool from_opener)
{
	const struct model_packet *p = way->p;
	bool is_peers = flow->by_peer && from_opener, is_others = flow->by_peer && !from_opener;
	bool is_stale = flow->judged_by != way->model->policy_number;
	enum model_effect effect;
	struct model_tcp next;

	way->result->state = flow->revoked ? FLOW_STATE_NONE : flow->state;
	if (is_superseded(p, flow) || (is_peers && flow->revoked))
		return judge(way, flow, true);
	if (!is_peers && !is_reply(p, flow, from_opener))
		return judge(way, flow, false);
	if (is_peers && (is_stale || way->model->tracing)) {
		model_judge(way);
		return settle(way, flow, true);
	}
	effect = weigh(way, flow, from_opener, &next);
	if (effect == EFFECT_REFUSED || effect == EFFECT_FOREIGN) {
		way->result->out_of_window = effect == EFFECT_REFUSED;
		return judge(way, flow, false);
	}
	if (is_others && is_stale)
		return judge_opener(way, flow);
	vouch(way, flow, REASON_ESTABLISHED, is_others);
	advance(way, flow, from_opener);
	return way->result->verdict;
}

/**
 * model_track_in() - Judge an inbound packet by its flow, or by the rules
 * @way: the packet, translated
 */
enum verdict model_track_in(struct model_way *way)
{
	bool from_opener = false;
	struct model_flow *flow = find_flow(way, &from_opener);
	const struct model_flow *quoted;
	struct model_quote quote;

	if (flow)
		return judge_flow(way, flow, from_opener);
	quoted = find_quoted(way, &quote);
	if (!quoted)
		return judge(way, NULL, false);
	model_translate_quote(way, &quote);
	return vouch(way, quoted, REASON_RELATED, false);
}

/**
 * model_quote_out() - Have an error that leaves quote a packet as the peer knows it
 * @way: the error
 */
void model_quote_out(struct model_way *way)
{
	struct model *model = way->model;
	struct model_quote quote;
	struct model_flow *flow = NULL;
	bool from_opener;

	if (!is_error(way->p) || !model_read_quote(way, &quote))
		return;
	if (model->policy->mode.stateful)
		flow = model_flow_peek(&model->flows, &model->policy->timeouts, &quote.wire,
				       way->now_ns, &from_opener);
	model_translate_quote_out(way, &quote, flow && from_opener ? flow->asked_port : 0);
}

/**
 * model_track_out() - Note a packet that leaves with its flow, or open one
 * @way: the packet, not translated yet
 */
void model_track_out(struct model_way *way)
{
	const struct model_packet *p = way->p;
	bool from_opener = false;
	struct model_flow *flow = find_flow(way, &from_opener);
	struct model_served *served;

	if (flow && is_superseded(p, flow)) {
		way->result->state = flow->state;
		if (way->sender != SENDER_HOST)
			return;
		model_flow_remove(&way->model->flows, flow);
		flow = NULL;
	}
	if (!flow) {
		if (!is_tracked(way) || way->sender != SENDER_HOST)
			return;
		served = find_served(way);
		if (passes_through(way) || model_is_nobodys(way, &p->dst))
			return;
		if (served)
			open_again(way, served);
		else if (may_open(way, false))
			open_flow(way, false);
		return;
	}
	way->result->state = flow->state;
	if (!from_opener)
		way->asked_port = flow->asked_port;
	if (flow->by_peer && from_opener) {
		flow->hairpin = true;
		return;
	}
	if (flow->hairpin || flow->by_peer == from_opener)
		return;
	way->of_flow = true;
	if (!from_opener && flow->judged_by != way->model->policy_number && is_datagram(p))
		note_answered(way, flow);
	advance(way, flow, from_opener);
}
