/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "model/way.h"
#include "policy/block_list.h"
#include "simulate/simulate.h"

#define FRAME_PADDED 64 /* bytes of a short frame that can be looked at */

/* Neighbour discovery and multicast listening, without which an Ethernet link does not work. */
static bool is_housekeeping(const struct model_way *way)
{
	const struct model_packet *p = way->p;
	bool is_discovery = p->icmp_type == 135 || p->icmp_type == 136;
	bool is_listening = (p->icmp_type >= 130 && p->icmp_type <= 132) || p->icmp_type == 143;

	if (!p->ethernet || p->version != 6 || p->proto != ICMP6 || p->first_fragment)
		return false;
	if (!(is_discovery && p->hop_limit == 255) && !(is_listening && p->hop_limit == 1))
		return false;
	return model_is_link_local(&p->dst, 6) ||
	       model_local_kind(way->model, &p->dst, 6) != LOCAL_NONE;
}

static bool is_in(const union addr *addr, uint8_t version, const struct blocked_peer *peer)
{
	unsigned int skipped = version == 4 ? 96 : 0;

	if (peer->ip_version != version)
		return false;
	for (unsigned int bit = skipped; bit < skipped + peer->prefix_len; bit++)
		if ((addr->bytes[bit / 8] ^ peer->addr.bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* The address that a peer is known by on the other side of 1:1 translation, if it is translated. */
static bool other_address(const struct policy *policy, const union addr *addr, union addr *other)
{
	for (size_t i = 0; i < policy->n_one_to_one; i++) {
		const struct nat_one_to_one *nat = &policy->one_to_one[i];

		*other = nat->translated;
		if (!memcmp(addr, &nat->original, sizeof(*addr)))
			return true;
		*other = nat->original;
		if (!memcmp(addr, &nat->translated, sizeof(*addr)))
			return true;
	}
	return false;
}

/* Whether a peer is blocked now, by either of its addresses. */
static bool is_blocked(struct model_way *way, const union addr *addr)
{
	const struct policy *policy = way->model->policy;
	const struct block_list *list = policy->blocked;
	uint64_t now_ns = SIMULATE_START_NS + way->now_ns;
	bool translated;
	union addr other;

	translated = other_address(policy, addr, &other);
	for (size_t i = 0; list && i < list->n; i++) {
		const struct blocked_peer *peer = &list->peers[i];

		if (peer->until_ns && peer->until_ns <= now_ns)
			continue;
		if (is_in(addr, way->p->version, peer) ||
		    (translated && is_in(&other, way->p->version, peer))) {
			model_decide(way, VERDICT_DROP, REASON_BLOCKED, NULL);
			return true;
		}
	}
	return false;
}

static void come_in(struct model_way *way)
{
	struct model_packet *p = way->p;

	if (is_blocked(way, &p->src))
		return;
	way->wire_src = p->src;
	if (p->later_fragment) {
		model_translate_in(way);
		model_judge_later_fragment(way);
	} else {
		if (p->first_fragment)
			model_forget_fragment(way);
		if (is_housekeeping(way)) {
			model_decide(way, VERDICT_PASS, REASON_LINK_HOUSEKEEPING, NULL);
			return;
		}
		model_translate_in(way);
		if (model_track_in(way) != VERDICT_DROP && p->first_fragment)
			model_remember_fragment(way);
	}
	if (way->result->verdict == VERDICT_FORWARD && model_is_nat(way->model))
		model_masquerade_out(way);
	model_track_end(way);
}

/**
 * model_go_out() - A packet leaves by the interface
 * @way: the packet, parsed
 */
void model_go_out(struct model_way *way)
{
	const struct policy *policy = way->model->policy;
	struct model_packet *p = way->p;
	uint16_t headers = p->version == 4 ? 40 : 60;

	if (is_blocked(way, &p->dst))
		return;
	model_decide(way, VERDICT_PASS, REASON_OUTBOUND, NULL);
	if (policy->mss_clamp && p->proto == TCP && p->tcp.flags & SYN)
		model_clamp_mss(p, way->model->scenario->interface.mtu - headers);
	if (!p->later_fragment)
		model_track_out(way);
	model_quote_out(way);
	model_translate_out(way);
	model_track_end(way);
}

/* What is malformed passes, but to a peer that is blocked; addresses that were not read are zero. */
static void go_out_malformed(struct model_way *way)
{
	if (!is_blocked(way, &way->p->dst))
		model_decide(way, VERDICT_PASS, REASON_OUTBOUND_UNPARSED, NULL);
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
	if (step->direction == DIR_UPLINK) {
		if (step->len < FRAME_PADDED)
			memset(model->bytes + step->len, 0, FRAME_PADDED - step->len);
		model_masquerade_in(&way, step->ethertype);
		return;
	}
	reason = model_parse(&result->packet, step->ethertype);
	if (step->direction == DIR_INGRESS && result->packet.source_routed)
		reason = REASON_SOURCE_ROUTE;
	if (reason == REASON_LINK_HOUSEKEEPING)
		model_decide(&way, VERDICT_PASS, reason, NULL);
	else if (reason != MODEL_NO_REASON && step->direction == DIR_EGRESS)
		go_out_malformed(&way);
	else if (reason != MODEL_NO_REASON)
		model_decide(&way, VERDICT_DROP, reason, NULL);
	else if (step->direction == DIR_INGRESS)
		come_in(&way);
	else
		model_go_out(&way);
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
	if (!model_is_nat(model))
		model->flows.n_snat = 0; /* nobody looks for answers, until others are expected */
	for (size_t i = 0; i < model->flows.n; i++)
		forget_rule(policy, model->flows.list[i].rule);
	for (size_t i = 0; i < model->flows.n_served; i++)
		forget_rule(policy, model->flows.served[i].rule);
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
	struct model_flows flows = model->flows;
	struct model_fragment *fragments = model->fragments;
	size_t n_fragments = model->n_fragments;

	model->flows.list = copy(flows.list, flows.n * sizeof(*flows.list));
	model->flows.served = copy(flows.served, flows.n_served * sizeof(*flows.served));
	model->flows.snat = copy(flows.snat, flows.n_snat * sizeof(*flows.snat));
	model->fragments = copy(fragments, n_fragments * sizeof(*fragments));
	model->tracing = true;
	judge_packet(model, step, result);
	result->out_of_window = false; /* nothing is counted */
	model->tracing = false;
	free(model->flows.list);
	free(model->flows.served);
	free(model->flows.snat);
	free(model->fragments);
	model->flows = flows;
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
	free(model->flows.served);
	free(model->flows.snat);
	free(model->fragments);
	free(model);
}
