/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Routing by NAT: peers' flows leave by the uplink from one of its ports, and what answers them comes
 * in there.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "model/way.h"

#define TRIES 32 /* ports that are looked at for a flow, beside its own */

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

/* Without options, extension headers or fragments. */
static bool is_plain(const struct model_packet *p)
{
	return p->l4 == (p->version == 4 ? 20 : 40) && !p->first_fragment && !p->later_fragment;
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

/* Ports that flows may have: one range that the policy names, or what the kernel leaves alone. */
static size_t port_ranges(const struct model *model, uint16_t ranges[2][2])
{
	const struct port_range *wanted = &model->policy->uplinks.ports;
	static const uint16_t usual[2][2] = {{1024, 32767}, {61000, 65535}};

	memcpy(ranges, usual, sizeof(usual));
	if (!wanted->first)
		return 2;
	ranges[0][0] = wanted->first;
	ranges[0][1] = wanted->last;
	return 1;
}

static bool is_port(const struct model *model, uint16_t port)
{
	uint16_t ranges[2][2];
	size_t n = port_ranges(model, ranges);

	for (size_t i = 0; i < n; i++)
		if (port >= ranges[i][0] && port <= ranges[i][1])
			return true;
	return false;
}

/* The order in which a peer's ports are tried: see bpf/masquerade.bpf.c, which spreads them so. */
static uint16_t port_tried(const struct model *model, const struct model_packet *p,
			   uint16_t peer_port, uint32_t try)
{
	uint32_t hash = ((uint32_t)htons(peer_port) << 16 | p->proto) + try * 0x9e3779b9, all = 0;
	uint16_t ranges[2][2];
	size_t n = port_ranges(model, ranges);

	for (int i = 0; i < 4; i++) {
		hash ^= p->src.word[i];
		hash ^= hash >> 16;
		hash *= 0x85ebca6b;
		hash ^= hash >> 13;
		hash *= 0xc2b2ae35;
		hash ^= hash >> 16;
	}
	for (size_t i = 0; i < n; i++)
		all += ranges[i][1] - ranges[i][0] + 1;
	hash %= all;
	for (size_t i = 0; i + 1 < n; i++) {
		uint32_t in_range = ranges[i][1] - ranges[i][0] + 1;

		if (hash >= in_range) {
			hash -= in_range;
			continue;
		}
		return ranges[i][0] + hash;
	}
	return ranges[n - 1][0] + hash;
}

/* Whether a port is free for a flow, or led to it all the time. */
static bool is_free(const struct model_snat *held, const struct model_tuple *opener)
{
	return !held ||
	       (held->peer_port == opener->sport && model_addr_same(&held->peer, &opener->src));
}

/* Whether the flow that has a port is over, or need not be, so that it gives it up; it ends if so. */
static bool gives_way(struct model_way *way, const struct model_snat *held, bool in_use)
{
	struct model_flows *flows = &way->model->flows;
	struct model_tuple holder = {
		.src = held->peer,
		.dst = held->remote,
		.sport = held->peer_port,
		.dport = held->remote_port,
		.version = held->version,
		.proto = held->proto,
	};
	bool from_opener;
	struct model_flow *flow = model_flow_find(flows, &way->model->policy->timeouts, &holder,
						  way->now_ns, &from_opener);

	if (!flow)
		return true;
	if (!in_use && flow->state != FLOW_STATE_TIME_WAIT && flow->state != FLOW_STATE_CLOSED)
		return false;
	model_flow_remove(flows, flow);
	return true;
}

/* A port for a flow, 0 where the protocol has none; -1: there is none. */
static int find_port(struct model_way *way, const struct model_tuple *opener)
{
	struct model *model = way->model;

	if (model_is_by_address(opener->proto))
		return is_free(model_snat_find(&model->flows, opener, 0), opener) ? 0 : -1;
	if (is_port(model, opener->sport) &&
	    is_free(model_snat_find(&model->flows, opener, opener->sport), opener))
		return opener->sport;
	for (uint32_t try = 0; try < TRIES; try++) {
		uint16_t port = port_tried(model, way->p, opener->sport, try);

		if (is_free(model_snat_find(&model->flows, opener, port), opener))
			return port;
	}
	return -1;
}

/* Who has a port that is tried for a flow; NULL: nobody, or there is no such try. */
static const struct model_snat *holder_of(struct model_way *way, const struct model_tuple *opener,
					  uint32_t try)
{
	bool by_address = model_is_by_address(opener->proto);
	uint16_t port = by_address ? 0 : port_tried(way->model, way->p, opener->sport, try);

	if (by_address && try)
		return NULL;
	return model_snat_find(&way->model->flows, opener, port);
}

/* At how many tries a peer is met. */
static uint32_t count_held(struct model_way *way, const struct model_tuple *opener,
			   const union addr *peer)
{
	uint32_t n = 0;

	for (uint32_t try = 0; try < TRIES; try++) {
		const struct model_snat *held = holder_of(way, opener, try);

		n += held && model_addr_same(&held->peer, peer);
	}
	return n;
}

/* A peer that has more than half of what is tried, and twice what the asking one has, loses a flow. */
static bool take_share(struct model_way *way, const struct model_tuple *opener)
{
	uint32_t own = count_held(way, opener, &opener->src);

	for (uint32_t try = TRIES; try-- > 0;) {
		const struct model_snat *held = holder_of(way, opener, try);
		uint32_t n = held ? count_held(way, opener, &held->peer) : 0;

		if (n > TRIES / 2)
			return n > 2 * own && gives_way(way, held, true);
	}
	return false;
}

/* The same, where another flow may have to give one up. */
static int make_port(struct model_way *way, const struct model_tuple *opener)
{
	int port = find_port(way, opener);

	for (uint32_t try = 0; try < TRIES && port < 0; try++) {
		const struct model_snat *held = holder_of(way, opener, try);

		if (held && gives_way(way, held, false))
			port = find_port(way, opener);
	}
	if (port < 0 && take_share(way, opener))
		port = find_port(way, opener);
	return port;
}

/* Give a flow a port; REASON_MAX: it has one. */
static enum reason give_port(struct model_way *way, const struct model_tuple *opener)
{
	struct model *model = way->model;
	int port = make_port(way, opener);
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
	flow->translated = true;
	flow->snat_port = snat.port;
	flow->routed_by = model->policy_number;
	return REASON_MAX;
}

/* How a flow leaves, looked up anew; REASON_MAX: it has a way. */
static enum reason find_way(struct model_way *way, struct model_flow *flow)
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
	if (!(is_port(model, flow->snat_port) || model_is_by_address(opener.proto)) || !held ||
	    !is_free(held, &opener))
		return REASON_UPLINK_DOWN;
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

static void set_end(struct model_packet *p, bool source, const union addr *addr, uint16_t port)
{
	model_set_addr(p, source, addr);
	if (model_is_icmp(p))
		model_set_id(p, port);
	else if (!model_is_by_address(p->proto))
		model_set_port(p, source, port);
	model_lower_ttl(p);
}

/* A peer's error about an answer goes to who has sent that. */
static void error_out(struct model_way *way)
{
	struct model *model = way->model;
	struct model_packet *p = way->p;
	const union addr *source = source_of(model, p->version);
	const struct model_flow *flow;
	struct model_quote quote;
	bool from_opener;

	if (!is_plain(p) || p->hop_limit <= 1 || !is_error_type(p->version, p->icmp_type) ||
	    !model_read_wire_quote(p, &quote))
		return;
	flow = model_flow_peek(&model->flows, &model->policy->timeouts, &quote.wire, way->now_ns,
			       &from_opener);
	if (!flow || !flow->translated || flow->revoked || from_opener || !source || model->tracing)
		return;
	model_set_addr(p, true, source);
	model_lower_ttl(p);
	model_set_quoted_end(p, &quote, false, source, flow->snat_port);
}

/**
 * model_masquerade_out() - Send a peer's packet that is to be forwarded out by the uplink
 * @way: packet with VERDICT_FORWARD; what NAT does not carry stays as it is, for the forwarder
 */
void model_masquerade_out(struct model_way *way)
{
	struct model *model = way->model;
	struct model_packet *p = way->p;
	struct model_tuple tuple;
	enum reason reason = REASON_MAX;
	struct model_flow *flow;

	if (model_is_icmp(p) && !is_echo(p)) {
		error_out(way);
		return;
	}
	tuple = model_tuple_of(p);
	flow = model->policy->mode.stateful ? model_flow_of(&model->flows, &tuple) : NULL;
	if (!is_plain(p) || !flow || !flow->by_peer ||
	    model_local_kind(model, &p->dst, p->version) != LOCAL_NONE ||
	    (!flow->translated && !may_translate(p, flow)))
		return;
	if (p->hop_limit <= 1)
		reason = REASON_TTL;
	else if (!flow->translated || flow->routed_by != model->policy_number)
		reason = find_way(way, flow);
	if (reason != REASON_MAX) {
		way->result->verdict = VERDICT_DROP;
		way->result->reason = reason;
		if (reason == REASON_TTL && !way->has_opened)
			return; /* it is the packet that has no way, not its flow */
		way->result->state = FLOW_STATE_NONE;
		model_flow_remove(&model->flows, model_flow_of(&model->flows, &tuple));
		return;
	}
	flow = model_flow_of(&model->flows, &tuple);
	if (p->end > model->scenario->uplink.interface.mtu) {
		way->result->verdict = VERDICT_DROP;
		way->result->reason = REASON_TOO_BIG;
		return;
	}
	if (!model->tracing)
		set_end(p, true, source_of(model, p->version), flow->snat_port);
}

/* --- what comes in by the uplink -------------------------------------------------------------- */

/* Headers as they stand at their usual places; what they say is not looked at yet. */
static bool glance(const struct model_way *way, uint16_t ethertype, struct model_tuple *to,
		   uint8_t *icmp_type)
{
	const uint8_t *ip = way->p->bytes, *l4 = ip + (ethertype == 0x0800 ? 20 : 40);
	bool is_v4 = ethertype == 0x0800;

	if (!is_v4 && ethertype != 0x86dd)
		return false;
	if (is_v4 && ((ip[0] & 0xf) != 5 || model_get16(ip + 6) & 0x3fff))
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
	    !model_addr_same(&quote->wire.src, &way->p->dst))
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
	way->result->reason = before.reason;
	strcpy(way->result->rule_id, before.rule_id);
	way->result->verdict = before.verdict;
	if (way->sender == SENDER_MASQUERADE && !way->of_flow) {
		way->result->verdict = VERDICT_DROP;
		way->result->reason = REASON_NO_FLOW;
	}
}

static void error_in(struct model_way *way, const struct model_snat *snat,
		     const struct model_quote *quote)
{
	struct model_packet *p = way->p;

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
	if (snat->judged_by != way->model->policy_number) {
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
	if (is_read && (!is_icmp || model_is_reply(wire.version, icmp_type)) &&
	    (model_is_by_address(wire.proto) || is_port(way->model, wire.dport)))
		snat = find_answered(way, &wire);
	if (snat && reason != MODEL_NO_REASON) {
		model_decide(way, VERDICT_DROP, reason, NULL);
	} else if (snat) {
		answer_in(way, snat);
	} else if (is_read && is_icmp && is_error_type(wire.version, icmp_type) &&
		   reason == MODEL_NO_REASON && (snat = find_quoted(way, &quote))) {
		error_in(way, snat, &quote);
	} else {
		model_decide(way, VERDICT_PASS, REASON_NOT_TRANSLATED, NULL);
	}
}
