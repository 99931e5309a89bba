/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Routing by NAT: peers' flows leave by the uplink from one of its ports (ports.c), and what answers
 * them comes in there.
 */
#include <string.h>

#include "model/way.h"

/* RFC 792 and RFC 4443: what tells a sender of a packet that it has not arrived. */
static bool is_error_type(uint8_t version, uint8_t type)
{
	if (version == 4)
		return type == 3 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

/**
 * model_is_by_address() - Whether NAT translates a protocol by its addresses alone: tunnels and SCTP
 */
bool model_is_by_address(uint8_t proto)
{
	return proto == 4 || proto == 41 || proto == 47 || proto == 50 || proto == 51 ||
	       proto == 132;
}

static bool is_echo(const struct model_packet *p)
{
	return model_is_request(p->version, p->icmp_type) ||
	       model_is_reply(p->version, p->icmp_type);
}

static bool is_fragment(const struct model_packet *p)
{
	return p->first_fragment || p->later_fragment;
}

/* The uplink's address of a family; NULL: it has none. */
static const union addr *source_of(const struct model *model, uint8_t version)
{
	const struct scenario_interface *uplink = &model->scenario->uplink.interface;

	for (size_t i = 0; i < uplink->n_addresses; i++)
		if (uplink->addresses[i].ip_version == version)
			return &uplink->addresses[i].addr;
	return NULL;
}

/**
 * model_is_peers_port() - Whether a peer sends to the port that another one has on the uplink
 * @way: the packet; a later fragment is, if the first one of its datagram has left by the uplink
 */
bool model_is_peers_port(const struct model_way *way)
{
	const struct model_packet *p = way->p;
	const union addr *own = source_of(way->model, p->version);

	return model_is_nat(way->model) && (p->proto == TCP || p->proto == UDP) &&
	       (!p->later_fragment || way->follows) && own && model_addr_same(own, &p->dst) &&
	       model_is_port(way->model, p->dport) && way->model->taken[p->proto == UDP][p->dport];
}

/* Give a flow a port; REASON_MAX: it has one. */
static enum reason give_port(struct model_way *way, const struct model_tuple *opener)
{
	struct model *model = way->model;
	int port = model_make_port(way, opener);
	struct model_snat snat = {
		.remote = opener->dst,
		.peer = opener->src,
		.remote_port = opener->dport,
		.port = (uint16_t)port,
		.peer_port = opener->sport,
		.version = opener->version,
		.proto = opener->proto,
		.judged_by = model->policy_number,
	};
	struct model_flow *flow = model_flow_of(&model->flows, opener);

	if (port < 0)
		return model_is_by_address(opener->proto) ? REASON_REMOTE_TAKEN : REASON_NO_PORT;
	model_snat_add(&model->flows, &snat);
	if (!model->tracing && (opener->proto == TCP || opener->proto == UDP))
		model->taken[opener->proto == UDP][snat.port] = true;
	flow->translated = true;
	flow->snat_port = snat.port;
	flow->routed_by = model->policy_number;
	return REASON_MAX;
}

/* How a flow leaves, looked up anew; REASON_MAX: it has a way; @has_moved: but another than before. */
static enum reason find_way(struct model_way *way, struct model_flow *flow, bool *has_moved)
{
	struct model *model = way->model;
	struct model_tuple opener = flow->opener; /* as others may be removed, which moves it */
	const struct model_snat *held;

	if (!model->scenario->uplink.name[0])
		return REASON_NO_ROUTE;
	if (!source_of(model, way->p->version))
		return REASON_UPLINK_DOWN;
	if (!flow->translated)
		return give_port(way, &opener);
	held = model_snat_find(&model->flows, &opener, flow->snat_port);
	if (!(model_is_port(model, flow->snat_port) || model_is_by_address(opener.proto)) ||
	    !held || !model_is_free(held, &opener)) {
		*has_moved = true;
		return REASON_UPLINK_DOWN;
	}
	flow->routed_by = model->policy_number;
	return REASON_MAX;
}

/* Whether a flow without a translation may get one: nothing of it is the forwarder's yet. */
static bool may_translate(const struct model_packet *p, const struct model_flow *flow)
{
	if (flow->answered || flow->asked_port)
		return false;
	if (p->proto == TCP)
		return model_tcp_is_opening(p->tcp.flags);
	if (p->proto == UDP || model_is_by_address(p->proto))
		return true;
	return model_is_icmp(p) && model_is_request(p->version, p->icmp_type);
}

/* Another address and port, of the same hop still. */
static void turn_end(struct model_packet *p, bool source, const union addr *addr, uint16_t port)
{
	model_set_addr(p, source, addr);
	if (model_is_icmp(p) && !p->later_fragment)
		model_set_id(p, port);
	else if (!model_is_by_address(p->proto) && !p->later_fragment)
		model_set_port(p, source, port);
}

static void set_end(struct model_packet *p, bool source, const union addr *addr, uint16_t port)
{
	turn_end(p, source, addr, port);
	model_lower_ttl(p);
}

/* Who has a port of the uplink that a packet is for, and has sent to the port there of its sender's flow. */
static const struct model_snat *find_hairpin(struct model_way *way, const struct model_flow *flow,
					     uint8_t proto, uint16_t port)
{
	const struct model_packet *p = way->p;
	struct model_tuple back = {
		.dst = p->dst,
		.dport = flow->snat_port,
		.version = p->version,
		.proto = proto,
	};

	if (proto != TCP && proto != UDP)
		return NULL;
	return model_snat_find(&way->model->flows, &back, port);
}

/* A peer's error about an answer goes to who has sent that. */
static void error_out(struct model_way *way)
{
	struct model *model = way->model;
	struct model_packet *p = way->p;
	const union addr *source = source_of(model, p->version);
	const struct model_snat *hairpin = NULL;
	const struct model_flow *flow;
	struct model_quote quote;
	bool from_opener;

	if (is_fragment(p) || p->hop_limit <= 1 || !is_error_type(p->version, p->icmp_type) ||
	    !model_read_wire_quote(p, &quote))
		return;
	flow = model_flow_peek(&model->flows, &model->policy->timeouts, &quote.wire, way->now_ns,
			       &from_opener);
	if (!flow || !flow->translated || flow->revoked || from_opener || !source || model->tracing)
		return;
	if (model_addr_same(&p->dst, source)) {
		hairpin = find_hairpin(way, flow, quote.wire.proto, quote.wire.sport);
		if (!hairpin)
			return;
		model_set_addr(p, false, &hairpin->peer);
		model_set_quoted_end(p, &quote, true, &hairpin->peer, hairpin->peer_port);
	}
	model_set_addr(p, true, source);
	model_lower_ttl(p);
	model_set_quoted_end(p, &quote, false, source, flow->snat_port);
}

/* The flow by which a packet leaves, NULL: NAT does not carry it; of a fragment, the one of the first. */
static struct model_flow *find_leaving(struct model_way *way, const struct model_tuple *tuple)
{
	struct model *model = way->model;
	struct model_flow *flow;
	bool from_opener = true;

	if (!model->policy->mode.stateful)
		return NULL;
	if (way->p->later_fragment)
		flow = model_flow_peek(&model->flows, &model->policy->timeouts, tuple, way->now_ns,
				       &from_opener);
	else
		flow = model_flow_of(&model->flows, tuple);
	if (!flow || !flow->by_peer || flow->local || !from_opener)
		return NULL;
	if (!flow->translated && (way->p->later_fragment || !may_translate(way->p, flow)))
		return NULL;
	return flow;
}

/* A packet has no way; @ends: nor has its flow, and the later fragments of its datagram never have. */
static void refuse(struct model_way *way, enum reason reason, bool ends)
{
	struct model_tuple tuple = model_tuple_of(way->p);

	way->result->verdict = VERDICT_DROP;
	way->result->reason = reason;
	if (way->p->first_fragment)
		model_forget_fragment(way);
	if (!ends || way->p->later_fragment)
		return;
	way->result->state = FLOW_STATE_NONE;
	model_flow_remove(&way->model->flows, model_flow_of(&way->model->flows, &tuple));
}

/* A packet that has a flow to leave by. */
static void send_out(struct model_way *way, struct model_flow *flow)
{
	struct model *model = way->model;
	struct model_packet *p = way->p;
	const union addr *source = source_of(model, p->version);
	const struct model_snat *hairpin = NULL;
	struct model_tuple tuple = model_tuple_of(p);
	enum reason reason = REASON_MAX;
	bool has_moved = false;

	if (p->hop_limit <= 1) {
		refuse(way, REASON_TTL, way->has_opened);
		return;
	}
	if (!flow->translated || flow->routed_by != model->policy_number)
		reason = find_way(way, flow, &has_moved);
	if (reason != REASON_MAX) {
		/* an uplink may come back, and its address */
		refuse(way, reason,
		       has_moved || way->has_opened ||
			       (reason != REASON_NO_ROUTE && reason != REASON_UPLINK_DOWN));
		return;
	}
	if (p->end > model->scenario->uplink.interface.mtu) {
		refuse(way, REASON_TOO_BIG, false);
		return;
	}
	flow = find_leaving(way, &tuple); /* as others may have been removed, which moves it */
	if (model_addr_same(&p->dst, source)) {
		hairpin = find_hairpin(way, flow, p->proto, p->dport);
		if (!hairpin) {
			refuse(way, REASON_FILTERED, false);
			return;
		}
	}
	if (p->first_fragment)
		model_fragment_left(way);
	if (model->tracing)
		return;
	if (hairpin)
		turn_end(p, false, &hairpin->peer, hairpin->peer_port);
	set_end(p, true, source, flow->snat_port);
}

/**
 * model_masquerade_out() - Send a peer's packet that is to be forwarded out by the uplink
 * @way: packet with VERDICT_FORWARD; what NAT does not carry stays as it is, for the forwarder
 */
void model_masquerade_out(struct model_way *way)
{
	struct model_packet *p = way->p;
	struct model_tuple tuple = model_tuple_of(p);
	struct model_flow *flow;

	if (model_is_icmp(p) && !is_echo(p)) {
		error_out(way);
		return;
	}
	if (way->is_local || (p->later_fragment && !way->follows))
		return;
	flow = find_leaving(way, &tuple);
	if (flow)
		send_out(way, flow);
	else if (p->later_fragment)
		refuse(way, REASON_NO_FLOW, false);
}

/* --- what comes in by the uplink -------------------------------------------------------------- */

/* Whether only the whole of its headers shows what a packet is. */
static bool has_more(const uint8_t *ip, uint16_t ethertype)
{
	if (ethertype == 0x0800)
		return (ip[0] & 0xf) != 5 || model_get16(ip + 6) & 0x3fff;
	return ethertype == 0x86dd && (ip[6] == 0 || ip[6] == 44);
}

/* Headers as they stand at their usual places; what they say is not looked at yet. */
static bool glance(const struct model_way *way, uint16_t ethertype, struct model_tuple *to,
		   uint8_t *icmp_type)
{
	const uint8_t *ip = way->p->bytes, *l4 = ip + (ethertype == 0x0800 ? 20 : 40);
	bool is_v4 = ethertype == 0x0800;

	if (!is_v4 && ethertype != 0x86dd)
		return false;
	if (has_more(ip, ethertype))
		return false;
	*to = (struct model_tuple){
		.src = model_get_addr(ip + (is_v4 ? 12 : 8), is_v4 ? 4 : 6),
		.dst = model_get_addr(ip + (is_v4 ? 16 : 24), is_v4 ? 4 : 6),
		.version = is_v4 ? 4 : 6,
		.proto = is_v4 ? ip[9] : ip[6],
	};
	*icmp_type = l4[0];
	if (to->proto == TCP || to->proto == UDP) {
		to->sport = model_get16(l4);
		to->dport = model_get16(l4 + 2);
		return true;
	}
	if (model_is_by_address(to->proto))
		return true;
	to->dport = model_get16(l4 + 4);
	return to->proto == (is_v4 ? ICMP4 : ICMP6);
}

/* To whom an answer leads. */
static struct model_snat *find_answered(struct model_way *way, const struct model_tuple *answer)
{
	struct model *model = way->model;
	const union addr *own = source_of(model, answer->version);
	struct model_tuple opener = *answer;

	opener.dst = answer->src;
	opener.dport = answer->sport;
	if (!own || !model_addr_same(own, &answer->dst))
		return NULL;
	return model_snat_find(&model->flows, &opener, answer->dport);
}

/* To whom an error leads. */
static struct model_snat *find_quoted(struct model_way *way, struct model_quote *quote)
{
	struct model *model = way->model;
	const union addr *own;

	if (!model_read_wire_quote(way->p, quote) || quote->wire.echo_reply ||
	    !model_addr_same(&quote->wire.src, &way->p->dst) ||
	    model_addr_same(&quote->wire.src, &quote->wire.dst))
		return NULL;
	own = source_of(model, quote->wire.version);
	if (!own || !model_addr_same(own, &quote->wire.src))
		return NULL;
	return model_snat_find(&model->flows, &quote->wire, quote->wire.sport);
}

/* The policy in force has not seen the flow: whether it has it go on. */
static enum verdict judge_again(struct model_way *way, struct model_snat *snat)
{
	struct model *model = way->model;
	struct model_tuple tuple = model_tuple_of(way->p);
	struct model_flow *flow;
	bool from_opener;

	flow = model_flow_find(&model->flows, &model->policy->timeouts, &tuple, way->now_ns,
			       &from_opener);
	if (!flow || !flow->by_peer || flow->revoked || from_opener)
		return model_decide(way, VERDICT_DROP, REASON_NO_FLOW, NULL);
	way->result->state = flow->state;
	model_decide(way, VERDICT_FORWARD, REASON_ESTABLISHED, flow->rule);
	if (flow->judged_by != model->policy_number) {
		model_judge_question(way);
		model_settle(way, flow);
	}
	if (way->result->verdict == VERDICT_FORWARD)
		snat->judged_by = model->policy_number;
	return way->result->verdict;
}

/* The flow itself has the last word, as the packet leaves by the interface. */
static void leave(struct model_way *way)
{
	struct model_result before = *way->result;

	way->result->state = FLOW_STATE_NONE;
	model_go_out(way);
	if (way->result->reason == REASON_BLOCKED)
		return;
	way->result->reason = before.reason;
	strcpy(way->result->rule_id, before.rule_id);
	way->result->verdict = before.verdict;
	if (way->sender == SENDER_MASQUERADE && !way->of_flow && !way->p->later_fragment) {
		way->result->verdict = VERDICT_DROP;
		way->result->reason = REASON_NO_FLOW;
	}
}

/* What claims to be from the address that it is to. */
static bool is_from_itself(struct model_way *way)
{
	if (!model_addr_same(&way->p->src, &way->p->dst))
		return false;
	model_decide(way, VERDICT_DROP, REASON_MARTIAN_SOURCE, NULL);
	return true;
}

static void error_in(struct model_way *way, const struct model_snat *snat,
		     const struct model_quote *quote)
{
	struct model_packet *p = way->p;

	if (is_from_itself(way))
		return;
	if (snat->judged_by != way->model->policy_number) {
		model_decide(way, VERDICT_DROP, REASON_NO_FLOW, NULL);
		return;
	}
	if (p->hop_limit <= 1) {
		model_decide(way, VERDICT_DROP, REASON_TTL, NULL);
		return;
	}
	model_decide(way, VERDICT_FORWARD, REASON_RELATED, NULL);
	model_set_addr(p, false, &snat->peer);
	model_lower_ttl(p);
	model_set_quoted_end(p, quote, true, &snat->peer, snat->peer_port);
	way->sender = SENDER_FORWARDER;
	leave(way);
}

static void answer_in(struct model_way *way, struct model_snat *snat)
{
	const struct scenario_interface *interface = &way->model->scenario->interface;
	struct model_packet *p = way->p, wire = *p;
	union addr peer = snat->peer;
	uint16_t peer_port = snat->peer_port;
	bool may_be_divided = p->version == 4 && !(p->bytes[6] & 0x40) && !interface->ethernet;

	p->dst = peer;
	if (model_is_icmp(p))
		p->icmp_id = peer_port;
	else if (!model_is_by_address(p->proto))
		p->dport = peer_port;
	if (p->later_fragment || snat->judged_by != way->model->policy_number) {
		if (judge_again(way, snat) != VERDICT_FORWARD)
			return;
	} else {
		model_decide(way, VERDICT_FORWARD, REASON_ESTABLISHED, NULL);
	}
	*p = wire;
	if (p->hop_limit <= 1) {
		way->result->verdict = VERDICT_DROP;
		way->result->reason = REASON_TTL;
	} else if (p->end > interface->mtu && !may_be_divided) {
		way->result->verdict = VERDICT_DROP;
		way->result->reason = REASON_TOO_BIG;
	}
	if (way->result->verdict == VERDICT_DROP)
		return;
	set_end(p, false, &peer, peer_port);
	way->sender = SENDER_MASQUERADE;
	leave(way);
}

/* To whom a packet leads with options, an extension header, or of which this is a fragment. */
static struct model_snat *find_parsed(struct model_way *way, bool *overlaps)
{
	struct model_packet *p = way->p;
	bool by_address = model_is_by_address(p->proto);
	struct model_tuple wire;

	if (p->first_fragment)
		model_forget_fragment(way);
	if (p->later_fragment && !model_follow_answer(way, overlaps))
		return NULL;
	if (model_is_icmp(p) ? !model_is_reply(p->version, p->icmp_type)
			     : p->proto != TCP && p->proto != UDP && !by_address)
		return NULL;
	wire = model_tuple_of(p);
	if (model_is_icmp(p)) {
		wire.dport = wire.sport;
		wire.sport = 0;
	}
	return by_address || model_is_port(way->model, wire.dport) ? find_answered(way, &wire)
								   : NULL;
}

/* A packet with options, an extension header, or a fragment; false: for none of the peers. */
static bool parsed_in(struct model_way *way)
{
	struct model_packet *p = way->p;
	struct model_snat *snat;
	struct model_quote quote;
	bool overlaps = false;

	if (model_is_icmp(p) && is_error_type(p->version, p->icmp_type) && !is_fragment(p)) {
		snat = find_quoted(way, &quote);
		if (snat)
			error_in(way, snat, &quote);
		return snat;
	}
	way->wire_src = p->src;
	way->by_uplink = true;
	snat = find_parsed(way, &overlaps);
	if (!snat)
		return false;
	if (overlaps) {
		model_decide(way, VERDICT_DROP, REASON_FRAGMENT_OVERLAP, NULL);
	} else if (!is_from_itself(way)) {
		if (p->first_fragment)
			model_remember_fragment(way);
		answer_in(way, snat);
	}
	return true;
}

/**
 * model_masquerade_in() - A packet comes in by the uplink
 * @way: the packet, not parsed
 * @ethertype: of its frame
 */
void model_masquerade_in(struct model_way *way, uint16_t ethertype)
{
	struct model_snat *snat = NULL;
	struct model_tuple wire = {};
	struct model_quote quote;
	uint8_t icmp_type = 0;
	bool is_read, is_icmp;
	enum reason reason;

	is_read = glance(way, ethertype, &wire, &icmp_type);
	is_icmp = wire.proto == ICMP4 || wire.proto == ICMP6;
	way->p->ethernet = true;
	reason = model_parse(way->p, ethertype);
	way->p->ethernet = way->model->scenario->interface.ethernet;
	if (has_more(way->p->bytes, ethertype) && reason == MODEL_NO_REASON &&
	    !way->p->source_routed && parsed_in(way))
		return;
	if (is_read && (!is_icmp || model_is_reply(wire.version, icmp_type)) &&
	    (model_is_by_address(wire.proto) || model_is_port(way->model, wire.dport)))
		snat = find_answered(way, &wire);
	if (snat && reason != MODEL_NO_REASON) {
		model_decide(way, VERDICT_DROP, reason, NULL);
	} else if (snat) {
		if (!is_from_itself(way))
			answer_in(way, snat);
	} else if (is_read && is_icmp && is_error_type(wire.version, icmp_type) &&
		   reason == MODEL_NO_REASON && (snat = find_quoted(way, &quote))) {
		error_in(way, snat, &quote);
	} else {
		model_decide(way, VERDICT_PASS, REASON_NOT_TRANSLATED, NULL);
	}
}
