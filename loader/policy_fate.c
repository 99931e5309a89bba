/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy_fate.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* What a side makes of a connection. */
struct judgement {
	struct fate_cause cause;
	bool passes;
	bool forwards; /* to the userspace forwarder */
};

static bool is_loopback(const union addr *addr, uint8_t ip_version)
{
	static const union addr loopback6 = {.bytes = {[15] = 1}};

	if (ip_version == IP_VERSION_4)
		return addr->bytes[12] == 127;
	return !memcmp(addr, &loopback6, sizeof(*addr));
}

static int compare_addresses(const void *a, const void *b)
{
	const struct local_address *x = a, *y = b;

	return memcmp(&x->prefix.addr, &y->prefix.addr, sizeof(x->prefix.addr));
}

static enum local_kind local_kind(const struct fates *fates, const union addr *addr,
				  uint8_t ip_version)
{
	const struct local_address wanted = {.prefix.addr = *addr}, *found;

	if (is_loopback(addr, ip_version))
		return LOCAL_HOST;
	if (!fates->n_local)
		return LOCAL_NONE;
	found = bsearch(&wanted, fates->local, fates->n_local, sizeof(wanted), compare_addresses);
	return found ? found->kind : LOCAL_NONE;
}

static struct judgement by_rules(const struct fate_side *side, const struct classifier_key *key,
				 enum acl acl)
{
	uint32_t found = classifier_lookup(side->classifier, key, acl);
	struct judgement judgement = {.cause = {.why = FATE_RULE, .rule = found - 1}};
	struct classifier_rule rule;

	if (!found) {
		judgement.cause.rule = 0;
		judgement.cause.why = acl == ACL_PEER ? FATE_PEER_DEFAULT : FATE_ROUTE_DEFAULT;
		return judgement;
	}
	rule = classifier_rule(side->classifier, found - 1);
	judgement.passes = rule.flags & RULE_ALLOW;
	if (rule.flags & RULE_BUILTIN)
		judgement.cause = (struct fate_cause){.why = FATE_OVERLAY};
	return judgement;
}

/* judge() of judge.bpf.c: a packet that no connection vouches for. */
static struct judgement judge(const struct fates *fates, const struct fate_side *side,
			      const struct classifier_key *key)
{
	enum local_kind kind = local_kind(fates, &key->destination, key->ip_version);
	const struct config *config = &side->config;
	struct judgement judgement;

	if (kind != LOCAL_NONE) {
		judgement = by_rules(side, key, ACL_PEER);
		judgement.forwards = judgement.passes && config->local_forwarding &&
				     config_has_forwarder(config) &&
				     (config->netstack || kind != LOCAL_OVERLAY);
		return judgement;
	}
	if (config->routing == ROUTING_DISABLED)
		return (struct judgement){.cause = {.why = FATE_NO_ROUTING}};
	if (config->routing == ROUTING_NATIVE && !config->native_acl)
		return (struct judgement){.cause = {.why = FATE_NATIVE}, .passes = true};
	judgement = by_rules(side, key, ACL_ROUTE);
	judgement.forwards = judgement.passes && config->routing == ROUTING_USERSPACE;
	return judgement;
}

/* The next packet from the peer, whichever end has opened the connection. */
static struct judgement judge_flow(const struct fates *fates, const struct fate_side *side,
				   const struct flow_view *view)
{
	unsigned int peer = view->flow->flags & FLOW_BY_PEER ? 0 : 1;
	const struct classifier_key key = {
		.source = view->addr[peer],
		.destination = view->addr[!peer],
		.sport = view->port[peer],
		.dport = view->port[!peer],
		.ip_version = view->ip_version,
		.l4_proto = view->l4_proto,
	};

	if (peer == 1 && side->config.stateful)
		return (struct judgement){.cause = {.why = FATE_TRACKED}, .passes = true};
	return judge(fates, side, &key);
}

/* ---- what else ends a connection ---- */

static uint16_t translate_port(const struct fates *fates, const struct policy *policy,
			       const struct flow_view *view, uint16_t port)
{
	static const union addr every;
	uint16_t to = port;

	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *rule = &policy->nat_port[i];

		if (rule->l4_proto != view->l4_proto || rule->port != port)
			continue;
		if (!memcmp(&rule->addr, &view->addr[1], sizeof(every)))
			return rule->to;
		if (!memcmp(&rule->addr, &every, sizeof(every)) &&
		    local_kind(fates, &view->addr[1], view->ip_version))
			to = rule->to;
	}
	return to;
}

/* The peer's address on the wire (@back false), or the other way round. */
static union addr translate_addr(const struct policy *policy, const union addr *addr, bool back)
{
	for (size_t i = 0; i < policy->n_one_to_one; i++) {
		const struct nat_one_to_one *pair = &policy->one_to_one[i];

		if (!memcmp(back ? &pair->translated : &pair->original, addr, sizeof(*addr)))
			return back ? pair->original : pair->translated;
	}
	return *addr;
}

/* Whether the connection's packets would be taken for those of another one. */
static bool is_translated_otherwise(const struct fates *fates, const struct flow_view *view)
{
	unsigned int peer = view->flow->flags & FLOW_BY_PEER ? 0 : 1;
	uint16_t port = view->flow->nat_port ? be16toh(view->flow->nat_port) : view->port[1];
	union addr wire;

	if (!fates->translates)
		return false;
	wire = translate_addr(fates->before.policy, &view->addr[peer], false);
	wire = translate_addr(fates->after.policy, &wire, true);
	if (memcmp(&wire, &view->addr[peer], sizeof(wire)))
		return true;
	return peer == 0 && translate_port(fates, fates->after.policy, view, port) != view->port[1];
}

static struct judgement judge_after(const struct fates *fates, const struct flow_view *view)
{
	struct judgement after = judge_flow(fates, &fates->after, view);
	bool forwards = view->flow->flags & FLOW_FORWARD;

	if (!after.passes)
		return after;
	after.passes = false;
	if (view->idle_ns > fates->after.config.timeout_ns[view->state])
		after.cause = (struct fate_cause){.why = FATE_TIMEOUT};
	else if (is_translated_otherwise(fates, view))
		after.cause = (struct fate_cause){.why = FATE_TRANSLATE};
	else if (view->l4_proto == IPPROTO_TCP && view->flow->flags & FLOW_BY_PEER &&
		 after.forwards != forwards)
		after.cause = (struct fate_cause){.why = FATE_HANDED};
	else
		after.passes = true;
	return after;
}

/* ---- all of them ---- */

static bool same_rule(const struct fates *fates, const struct fate_cause *a,
		      const struct fate_cause *b)
{
	struct classifier_rule x, y;

	if (a->why != b->why || a->why != FATE_RULE)
		return a->why == b->why;
	x = classifier_rule(fates->before.classifier, a->rule);
	y = classifier_rule(fates->after.classifier, b->rule);
	return !strcmp(x.rule->id, y.rule->id);
}

static int add_fate(struct fates *fates, const struct flow_view *view, enum fate_kind kind,
		    struct fate_cause before, struct fate_cause after)
{
	struct fate *fate;

	if (fates->n == fates->room) {
		size_t room = fates->room * 3 / 2 + 1024;
		struct fate *list = realloc(fates->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		fates->list = list;
		fates->room = room;
	}
	fate = &fates->list[fates->n++];
	memset(fate, 0, sizeof(*fate));
	memcpy(fate->addr, view->addr, sizeof(fate->addr));
	memcpy(fate->port, view->port, sizeof(fate->port));
	fate->icmp_id = view->icmp_id;
	fate->ip_version = view->ip_version;
	fate->l4_proto = view->l4_proto;
	fate->state = view->state;
	fate->kind = kind;
	fate->before = before;
	fate->after = after;
	fates->n_kind[kind]++;
	return 0;
}

/**
 * fates_init() - Prepare to look at connections
 * @fates: has its two sides
 */
void fates_init(struct fates *fates)
{
	const struct policy *a = fates->before.policy, *b = fates->after.policy;

	if (fates->n_local)
		qsort(fates->local, fates->n_local, sizeof(*fates->local), compare_addresses);
	fates->translates = a->n_nat_port || b->n_nat_port || a->n_one_to_one || b->n_one_to_one;
}

/**
 * fates_visit() - Find out what becomes of one connection; fits conntrack_walk()
 * @fates: struct fates; gets the connection if the policies differ about it
 * @view: the connection
 *
 * Return: 0 or -ENOMEM.
 */
int fates_visit(void *fates, const struct flow_view *view)
{
	struct fates *all = fates;
	struct judgement before = judge_flow(all, &all->before, view);
	struct judgement after = judge_after(all, view);

	all->n_flows++;
	if (before.passes && !after.passes)
		return add_fate(all, view, FATE_CUT, before.cause, after.cause);
	if (!before.passes && after.passes)
		return add_fate(all, view, FATE_OPENED, before.cause, after.cause);
	if (before.passes && !same_rule(all, &before.cause, &after.cause))
		return add_fate(all, view, FATE_MOVED, before.cause, after.cause);
	return 0;
}

static int compare_causes(const struct fate_cause *a, const struct fate_cause *b)
{
	if (a->why != b->why)
		return a->why < b->why ? -1 : 1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

static int compare_fates(const void *a, const void *b)
{
	const struct fate *x = a, *y = b;
	int order = x->kind - y->kind;

	if (!order)
		order = compare_causes(&x->before, &y->before);
	if (!order)
		order = compare_causes(&x->after, &y->after);
	return order ? order : memcmp(x->addr, y->addr, sizeof(x->addr));
}

/**
 * fates_sort() - Order connections by kind, by the rule before and by the rule after
 */
void fates_sort(struct fates *fates)
{
	if (fates->n)
		qsort(fates->list, fates->n, sizeof(*fates->list), compare_fates);
}

/**
 * fates_same_group() - Whether two connections have the same fate for the same reasons
 */
bool fates_same_group(const struct fate *a, const struct fate *b)
{
	return a->kind == b->kind && !compare_causes(&a->before, &b->before) &&
	       !compare_causes(&a->after, &b->after);
}

/**
 * fates_free() - Release the list
 */
void fates_free(struct fates *fates)
{
	free(fates->list);
	fates->list = NULL;
	fates->n = fates->room = 0;
}
