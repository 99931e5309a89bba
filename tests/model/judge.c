/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The judgement: this host's addresses, its mode, and what the rules say.
 */
#include <string.h>

#include "model/oracle.h"
#include "model/way.h"

/**
 * model_decide() - Note what becomes of a packet
 * @way: the packet
 * @verdict: its verdict, which is returned
 * @reason: why
 * @rule: id of the rule that decided, NULL for none
 */
enum verdict model_decide(struct model_way *way, enum verdict verdict, enum reason reason,
			  const char *rule)
{
	way->result->verdict = verdict;
	way->result->reason = reason;
	strcpy(way->result->rule_id, rule ? rule : "");
	return verdict;
}

/**
 * model_is_loopback() - Whether an address never leaves a host
 */
bool model_is_loopback(const union addr *addr, uint8_t version)
{
	static const uint8_t one[16] = {[15] = 1};

	return version == 4 ? addr->bytes[12] == 127 : !memcmp(addr->bytes, one, 16);
}

/**
 * model_is_link_local() - Whether an address means something on one link only
 */
bool model_is_link_local(const union addr *addr, uint8_t version)
{
	if (version == 4)
		return addr->bytes[12] == 169 && addr->bytes[13] == 254;
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

/* 0/8, 224/4 and 240/4; ::, ff00::/8. */
static bool is_reserved(const union addr *addr, uint8_t version)
{
	static const uint8_t none[16];

	if (version == 4)
		return addr->bytes[12] == 0 || addr->bytes[12] >= 224;
	return addr->bytes[0] == 0xff || !memcmp(addr->bytes, none, 16);
}

static bool is_multicast(const union addr *addr, uint8_t version)
{
	return version == 4 ? addr->bytes[12] >> 4 == 14 : addr->bytes[0] == 0xff;
}

/* Whether an address is the limited broadcast, or the one of the interface's network @prefix. */
static bool is_broadcast(const union addr *addr, const struct prefix *prefix)
{
	uint32_t mask = prefix->len ? ~UINT32_C(0) << (32 - prefix->len) : 0;
	uint32_t address = model_get32(addr->bytes + 12);
	uint32_t network = model_get32(prefix->addr.bytes + 12) & mask;

	if (prefix->ip_version != 4 || prefix->len > 30)
		return false;
	return address == (network | ~mask);
}

static bool lists(const struct prefix *list, size_t n, const union addr *addr, uint8_t version)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].ip_version == version && model_addr_same(&list[i].addr, addr))
			return true;
	return false;
}

/**
 * model_local_kind() - Whether a packet to an address ends at this host
 * @model: knows the host
 * @addr: the address
 * @version: its family
 */
enum local_kind model_local_kind(const struct model *model, const union addr *addr, uint8_t version)
{
	const struct scenario *host = model->scenario;
	const struct scenario_interface *interface = &host->interface;
	const struct scenario_interface *uplink = &host->uplink.interface;

	if (is_multicast(addr, version))
		return LOCAL_MULTICAST;
	if (version == 4 && model_get32(addr->bytes + 12) == UINT32_MAX)
		return LOCAL_BROADCAST;
	if (lists(interface->addresses, interface->n_addresses, addr, version))
		return LOCAL_OVERLAY;
	if (lists(host->local_addresses, host->n_local_addresses, addr, version) ||
	    lists(uplink->addresses, uplink->n_addresses, addr, version))
		return LOCAL_HOST;
	for (size_t i = 0; i < interface->n_addresses && version == 4; i++)
		if (is_broadcast(addr, &interface->addresses[i]))
			return LOCAL_BROADCAST;
	for (size_t i = 0; i < uplink->n_addresses && version == 4; i++)
		if (is_broadcast(addr, &uplink->addresses[i]))
			return LOCAL_BROADCAST;
	return LOCAL_NONE;
}

static enum policy_routing routing(const struct model *model)
{
	const struct policy_mode *mode = &model->policy->mode;

	if (mode->routing != POLICY_ROUTING_AUTO)
		return mode->routing;
	return model->scenario->ip_forward && !mode->netstack ? POLICY_ROUTING_NATIVE
							      : POLICY_ROUTING_USERSPACE;
}

/**
 * model_is_nat() - Whether the programs themselves send peers' routed packets on
 */
bool model_is_nat(const struct model *model)
{
	return routing(model) == POLICY_ROUTING_NAT;
}

static bool has_forwarder(const struct model *model)
{
	const struct policy_mode *mode = &model->policy->mode;

	return routing(model) == POLICY_ROUTING_USERSPACE || model_is_nat(model) ||
	       (mode->netstack && mode->local_forwarding);
}

/* The rule of an ACL at a place in the order of evaluation: denials, then allowances. */
static const struct policy_rule *rule_at(const struct policy_acl *acl, uint32_t place)
{
	for (int allow = 0; allow <= 1; allow++)
		for (size_t i = 0; i < acl->n_rules; i++)
			if (acl->rules[i].allow == allow && place-- == 0)
				return &acl->rules[i];
	return NULL;
}

static enum verdict ask_acl(struct model_way *way, enum acl acl)
{
	const struct scenario_interface *interface = &way->model->scenario->interface;
	const struct policy *policy = way->model->policy;
	const struct model_packet *p = way->p;
	const struct classifier_key key = {.source = p->src,
					   .destination = p->dst,
					   .sport = p->sport,
					   .dport = p->dport,
					   .ip_version = p->version,
					   .l4_proto = p->proto,
					   .icmp_type = p->icmp_type,
					   .icmp_code = p->icmp_code};
	size_t n_overlay = has_forwarder(way->model) ? interface->n_addresses : 0;
	bool peer = acl == ACL_PEER;
	uint32_t found = oracle_lookup(policy, interface->addresses, n_overlay, &key, acl);
	const struct policy_rule *rule;

	if (!found)
		return model_decide(way, VERDICT_DROP,
				    peer ? REASON_PEER_ACL_DEFAULT : REASON_ROUTE_ACL_DEFAULT,
				    NULL);
	found--;
	if (!peer) {
		found -= policy->acl[ACL_PEER].n_rules;
		if (n_overlay && found-- == 0)
			return model_decide(way, VERDICT_DROP, REASON_OVERLAY_BLOCKED, NULL);
	}
	rule = rule_at(&policy->acl[acl], found);
	if (rule->allow)
		return model_decide(way, VERDICT_PASS,
				    peer ? REASON_PEER_ACL_ALLOWED : REASON_ROUTE_ACL_ALLOWED,
				    rule->id);
	return model_decide(way, VERDICT_DROP,
			    peer ? REASON_PEER_ACL_DENIED : REASON_ROUTE_ACL_DENIED, rule->id);
}

/* A rule that does not name groups is about what is sent to this host alone. */
static enum verdict judge_local(struct model_way *way, enum local_kind kind)
{
	const struct policy_mode *mode = &way->model->policy->mode;

	if (kind == LOCAL_BROADCAST || kind == LOCAL_MULTICAST)
		return model_decide(way, VERDICT_DROP, REASON_PEER_ACL_DEFAULT, NULL);
	if (ask_acl(way, ACL_PEER) == VERDICT_DROP)
		return VERDICT_DROP;
	if (mode->local_forwarding && has_forwarder(way->model) &&
	    (mode->netstack || kind != LOCAL_OVERLAY))
		way->result->verdict = VERDICT_FORWARD;
	return way->result->verdict;
}

static enum verdict judge_routed(struct model_way *way)
{
	const struct model_packet *p = way->p;
	enum policy_routing how = routing(way->model);

	if (how == POLICY_ROUTING_DISABLED)
		return model_decide(way, VERDICT_DROP, REASON_ROUTING_DISABLED, NULL);
	if (is_reserved(&p->dst, p->version) || model_is_link_local(&p->dst, p->version))
		return model_decide(way, VERDICT_DROP, REASON_MARTIAN_DEST, NULL);
	if (model_is_link_local(&p->src, p->version))
		return model_decide(way, VERDICT_DROP, REASON_MARTIAN_SOURCE, NULL);
	if (how == POLICY_ROUTING_NATIVE && !way->model->policy->mode.native_acl)
		return model_decide(way, VERDICT_PASS, REASON_NATIVE_ROUTER, NULL);
	if (ask_acl(way, ACL_ROUTE) == VERDICT_DROP)
		return VERDICT_DROP;
	if (how == POLICY_ROUTING_USERSPACE || how == POLICY_ROUTING_NAT)
		way->result->verdict = VERDICT_FORWARD;
	return way->result->verdict;
}

/**
 * model_is_martian() - Whether a packet's source is one that no peer can have
 */
bool model_is_martian(const struct model_way *way)
{
	const struct model_packet *p = way->p;

	return is_reserved(&p->src, p->version) || model_is_loopback(&p->src, p->version) ||
	       model_addr_same(&p->src, &p->dst) ||
	       model_local_kind(way->model, &p->src, p->version) != LOCAL_NONE;
}

/**
 * model_is_nobodys() - Whether an address is no single host's
 * @way: a packet of its family
 * @addr: address
 */
bool model_is_nobodys(const struct model_way *way, const union addr *addr)
{
	return is_reserved(addr, way->p->version) ||
	       model_local_kind(way->model, addr, way->p->version) == LOCAL_BROADCAST;
}

/* Whether a rule of peer_acl is about broadcast or multicast. */
static bool names_groups(const struct policy *policy)
{
	(void)policy;
	return false;
}

/**
 * model_judge() - Have the rules decide about an inbound packet
 * @way: the packet, translated
 *
 * Return: the verdict; with its reason it is in @way->result.
 */
enum verdict model_judge(struct model_way *way)
{
	const struct model_packet *p = way->p;
	enum local_kind kind = model_local_kind(way->model, &p->dst, p->version);

	if (kind == LOCAL_HOST && model_is_peers_port(way))
		kind = LOCAL_NONE;
	way->is_local = kind != LOCAL_NONE;
	if (is_reserved(&p->dst, p->version) && !names_groups(way->model->policy))
		kind = LOCAL_NONE; /* nobody listens there */
	if (model_is_martian(way))
		return model_decide(way, VERDICT_DROP, REASON_MARTIAN_SOURCE, NULL);
	if (model_is_loopback(&p->dst, p->version))
		return model_decide(way, VERDICT_DROP, REASON_MARTIAN_DEST, NULL);
	return kind == LOCAL_NONE ? judge_routed(way) : judge_local(way, kind);
}
