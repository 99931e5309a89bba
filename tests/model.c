/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "model_way.h"

static struct model_fragment *find_fragment(const struct model_way *way)
{
	const struct model_packet *p = way->p;
	struct model *model = way->model;

	for (size_t i = 0; i < model->n_fragments; i++) {
		struct model_fragment *f = &model->fragments[i];

		if (f->version == p->version && f->proto == p->proto && f->id == p->id &&
		    model_addr_same(&f->src, &way->wire_src) && model_addr_same(&f->dst, &p->dst))
			return f;
	}
	return NULL;
}

static enum verdict judge_later_fragment(struct model_way *way)
{
	struct model_fragment *f = find_fragment(way);

	if (!f || way->now_ns - f->since_ns > way->model->policy->timeouts.fragment)
		return model_decide(way, VERDICT_DROP, REASON_FRAGMENT_UNKNOWN, NULL);
	if (way->p->frag_off < f->first_end)
		f->poisoned = true;
	if (f->poisoned)
		return model_decide(way, VERDICT_DROP, REASON_FRAGMENT_OVERLAP, NULL);
	return model_decide(way, f->verdict, REASON_FRAGMENT_ALLOWED, f->rule);
}

static void forget_fragment(struct model_way *way)
{
	struct model_fragment *f = find_fragment(way);

	if (f)
		*f = way->model->fragments[--way->model->n_fragments];
}

static void remember_fragment(struct model_way *way)
{
	struct model *model = way->model;
	const struct model_packet *p = way->p;
	size_t n = model->n_fragments++;

	model->fragments = realloc(model->fragments, (n + 1) * sizeof(*model->fragments));
	if (!model->fragments)
		abort();
	model->fragments[n] = (struct model_fragment){
		.src = way->wire_src,
		.dst = p->dst,
		.id = p->id,
		.version = p->version,
		.proto = p->proto,
		.verdict = way->result->verdict,
		.first_end = p->end - p->l4,
		.since_ns = way->now_ns,
	};
	strcpy(model->fragments[n].rule, way->result->rule_id);
}

static struct model_tuple tuple_of(const struct model_packet *p)
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
	if (model_is_icmp(p))
		return model_is_request(p->version, p->icmp_type) ||
		       model_is_reply(p->version, p->icmp_type);
	return p->proto == TCP || p->proto == UDP;
}

static struct model_flow *find_flow(struct model_way *way, bool *from_opener)
{
	struct model_tuple tuple = tuple_of(way->p);

	if (!is_tracked(way))
		return NULL;
	return model_flow_find(&way->model->flows, &way->model->policy->timeouts, &tuple,
			       way->now_ns, from_opener);
}

static bool may_open(const struct model_packet *p)
{
	if (p->proto == TCP)
		return model_tcp_is_opening(p->flags);
	return p->proto == UDP || model_is_request(p->version, p->icmp_type);
}

static void open_flow(struct model_way *way, bool by_peer)
{
	const struct model_packet *p = way->p;
	struct model_flow flow = {
		.opener = tuple_of(p),
		.by_peer = by_peer,
		.forwarded = by_peer && way->result->verdict == VERDICT_FORWARD,
		.seen_ns = way->now_ns,
		.judged_by = way->model->policy_number,
		.asked_port = way->asked_port,
	};

	if (p->proto == TCP)
		flow.state = by_peer ? FLOW_STATE_SYN_RECEIVED : FLOW_STATE_SYN_SENT;
	else
		flow.state = p->proto == UDP ? FLOW_STATE_UDP : FLOW_STATE_ICMP;
	if (by_peer)
		strcpy(flow.rule, way->result->rule_id);
	model_flow_add(&way->model->flows, &flow);
	way->result->state = flow.state;
}

/* A packet of the flow: refresh it and take it to its next state, which may be its end. */
static void advance(struct model_way *way, struct model_flow *flow, bool from_opener)
{
	const struct model_packet *p = way->p;

	if (p->proto == TCP) {
		if (!model_tcp_is_legal(p->flags))
			return;
		flow->state = model_tcp_next(flow->state, p->flags, from_opener);
	}
	flow->seen_ns = way->now_ns;
	way->result->state = flow->state;
	if (flow->state == FLOW_STATE_CLOSED)
		model_flow_remove(&way->model->flows, flow);
}

/* A SYN finds a connection that lingers: it makes way if the SYN is allowed. */
static bool is_superseded(const struct model_packet *p, const struct model_flow *flow)
{
	return p->proto == TCP && flow->state == FLOW_STATE_TIME_WAIT &&
	       model_tcp_is_opening(p->flags);
}

/* Whether an inbound packet may be of the flow's other end at all. */
static bool is_reply(const struct model_packet *p, const struct model_flow *flow, bool from_opener)
{
	if (from_opener || (flow->by_peer && !flow->hairpin))
		return false;
	return p->proto != TCP || model_tcp_is_answer(flow->state, p->flags);
}

static enum verdict vouch(struct model_way *way, const struct model_flow *flow, enum reason reason)
{
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

/* The flow of a packet that once left by the interface. */
static struct model_flow *find_quoted(struct model_way *way)
{
	struct model_tuple quote;
	struct model_flow *flow;
	bool from_opener;

	if (!is_error(way->p) || !model_read_quote(way, &quote))
		return NULL;
	flow = model_flow_find(&way->model->flows, &way->model->policy->timeouts, &quote,
			       way->now_ns, &from_opener);
	if (flow && from_opener == flow->by_peer && !flow->hairpin)
		return NULL;
	return flow;
}

/* The rules decide; @flow is what the packet found in its place, and may take from it. */
static enum verdict judge(struct model_way *way, struct model_flow *flow, bool is_old,
			  bool is_stale)
{
	const struct model_packet *p = way->p;

	if (model_is_martian(way))
		return model_decide(way, VERDICT_DROP, REASON_MARTIAN_SOURCE, NULL);
	model_judge(way);
	if (flow && is_stale) {
		if (way->result->verdict == VERDICT_DROP) {
			if (p->proto == UDP && !flow->hairpin)
				flow->revoked = true;
			else
				model_flow_remove(&way->model->flows, flow);
			way->result->state = FLOW_STATE_NONE;
			return VERDICT_DROP;
		}
		flow->judged_by = way->model->policy_number;
		flow->forwarded = way->result->verdict == VERDICT_FORWARD;
		strcpy(flow->rule, way->result->rule_id);
		advance(way, flow, true);
		return way->result->verdict;
	}
	if (way->result->verdict == VERDICT_DROP || (flow && !is_old))
		return way->result->verdict;
	if (is_tracked(way) && may_open(p)) {
		if (flow)
			model_flow_remove(&way->model->flows, flow);
		open_flow(way, true);
	}
	return way->result->verdict;
}

static enum verdict judge_whole(struct model_way *way)
{
	const struct model_packet *p = way->p;
	bool from_opener = false, is_old = false, is_stale = false;
	struct model_flow *flow;

	if (p->ethernet && p->version == 6 && p->proto == ICMP6 && !p->first_fragment &&
	    p->icmp_type >= 133 && p->icmp_type <= 137 && p->hop_limit == 255)
		return model_decide(way, VERDICT_PASS, REASON_LINK_HOUSEKEEPING, NULL);
	model_translate_in(way);
	flow = find_flow(way, &from_opener);
	if (flow) {
		bool is_peers = flow->by_peer && from_opener;

		way->result->state = flow->revoked ? FLOW_STATE_NONE : flow->state;
		is_old = is_superseded(p, flow) || (is_peers && flow->revoked);
		is_stale = !is_old && is_peers &&
			   (way->model->tracing || flow->judged_by != way->model->policy_number);
		if (!is_old && !is_stale && (is_peers || is_reply(p, flow, from_opener))) {
			vouch(way, flow, REASON_ESTABLISHED);
			advance(way, flow, from_opener);
			return way->result->verdict;
		}
	} else if (way->model->policy->mode.stateful) {
		const struct model_flow *quoted = find_quoted(way);

		if (quoted)
			return vouch(way, quoted, REASON_RELATED);
	}
	return judge(way, flow, is_old, is_stale);
}

static void come_in(struct model_way *way)
{
	struct model_packet *p = way->p;

	way->wire_src = p->src;
	if (p->later_fragment) {
		if (judge_later_fragment(way) != VERDICT_DROP)
			model_translate_in(way);
		return;
	}
	if (p->first_fragment)
		forget_fragment(way);
	if (judge_whole(way) != VERDICT_DROP && p->first_fragment)
		remember_fragment(way);
}

static void track_out(struct model_way *way)
{
	const struct model_packet *p = way->p;
	bool from_opener = false;
	struct model_flow *flow = find_flow(way, &from_opener);

	if (flow && is_superseded(p, flow)) {
		model_flow_remove(&way->model->flows, flow);
		flow = NULL;
	}
	if (!flow) {
		if (is_tracked(way) && may_open(p))
			open_flow(way, false);
		return;
	}
	way->result->state = flow->state;
	if (!from_opener)
		way->asked_port = flow->asked_port;
	if (flow->by_peer && from_opener)
		flow->hairpin = true;
	else if (!flow->hairpin && flow->by_peer != from_opener)
		advance(way, flow, from_opener);
}

static void go_out(struct model_way *way)
{
	const struct policy *policy = way->model->policy;
	struct model_packet *p = way->p;
	uint16_t headers = p->version == 4 ? 40 : 60;

	model_decide(way, VERDICT_PASS, REASON_OUTBOUND, NULL);
	if (policy->mss_clamp && p->proto == TCP && p->flags & SYN)
		model_clamp_mss(p, way->model->scenario->interface.mtu - headers);
	if (!p->later_fragment)
		track_out(way);
	model_translate_out(way);
}

static void judge_packet(struct model *model, const struct scenario_step *step,
			 struct model_result *result)
{
	struct model_way way = {.model = model, .p = &result->packet, .result = result};
	enum reason reason;

	*result = (struct model_result){
		.packet = {.bytes = model->bytes,
			   .len = step->len,
			   .ethernet = model->scenario->interface.ethernet},
	};
	way.now_ns = step->at_ns;
	memcpy(model->bytes, step->bytes, step->len);
	reason = model_parse(&result->packet, step->ethertype);
	if (reason == REASON_LINK_HOUSEKEEPING)
		model_decide(&way, VERDICT_PASS, reason, NULL);
	else if (reason != MODEL_NO_REASON && step->direction == DIR_EGRESS)
		model_decide(&way, VERDICT_PASS, REASON_OUTBOUND_UNPARSED, NULL);
	else if (reason != MODEL_NO_REASON)
		model_decide(&way, VERDICT_DROP, reason, NULL);
	else if (step->direction == DIR_INGRESS)
		come_in(&way);
	else
		go_out(&way);
}

/* Rules that are gone decide nothing any more, even if one of that name comes again. */
static void forget_rule(const struct policy *policy, char *id)
{
	for (int acl = 0; acl < ACL_MAX; acl++)
		for (size_t i = 0; i < policy->acl[acl].n_rules; i++)
			if (!strcmp(policy->acl[acl].rules[i].id, id))
				return;
	id[0] = '\0';
}

static void apply(struct model *model, const struct policy *policy)
{
	model->policy = policy;
	model->policy_number++;
	for (size_t i = 0; i < model->flows.n; i++)
		forget_rule(policy, model->flows.list[i].rule);
	for (size_t i = 0; i < model->n_fragments; i++)
		forget_rule(policy, model->fragments[i].rule);
}

static void *copy(const void *from, size_t size)
{
	void *to = malloc(size ? size : 1);

	if (!to)
		abort();
	if (size)
		memcpy(to, from, size);
	return to;
}

/* Judge a packet on a copy of the state, and keep the state. */
static void trace(struct model *model, const struct scenario_step *step,
		  struct model_result *result)
{
	struct model_flow *flows = model->flows.list;
	struct model_fragment *fragments = model->fragments;
	size_t n_flows = model->flows.n, n_fragments = model->n_fragments;

	model->flows.list = copy(flows, n_flows * sizeof(*flows));
	model->fragments = copy(fragments, n_fragments * sizeof(*fragments));
	model->tracing = true;
	judge_packet(model, step, result);
	model->tracing = false;
	free(model->flows.list);
	free(model->fragments);
	model->flows = (struct model_flows){flows, n_flows};
	model->fragments = fragments;
	model->n_fragments = n_fragments;
}

/**
 * model_new() - Begin a scenario, with its first policy in force
 * @scenario: outlives the model
 *
 * Return: the model, for model_free(); the process ends where memory is out.
 */
struct model *model_new(const struct scenario *scenario)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		abort();
	model->scenario = scenario;
	apply(model, scenario->policy);
	return model;
}

/**
 * model_step() - Judge a packet, or apply a policy
 * @model: the model
 * @step: the next one of its scenario
 * @result: filled for packets and traces, untouched by an apply
 */
void model_step(struct model *model, const struct scenario_step *step, struct model_result *result)
{
	if (step->kind == SCENARIO_APPLY)
		apply(model, step->policy);
	else if (step->kind == SCENARIO_TRACE)
		trace(model, step, result);
	else
		judge_packet(model, step, result);
}

/**
 * model_free() - End a model
 * @model: may be NULL
 */
void model_free(struct model *model)
{
	if (!model)
		return;
	free(model->flows.list);
	free(model->fragments);
	free(model);
}
