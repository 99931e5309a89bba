/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reference model's connections: a list, searched from its beginning to its end.  Part of
 * model.h's model, of no use elsewhere.
 */
#ifndef SHRIKE_TESTS_MODEL_FLOWS_H
#define SHRIKE_TESTS_MODEL_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "flow.h"
#include "policy/policy.h"
#include "rule.h"

/* What a packet, or one that an ICMP error quotes, says of its flow. */
struct model_tuple {
	union addr src;
	union addr dst;
	uint16_t sport; /* ICMP: the identifier */
	uint16_t dport; /* ICMP: zero */
	uint8_t version;
	uint8_t proto;
	bool echo_reply;
};

/*
 * struct model_flow - a connection
 * @opener: of the packet that opened it
 * @by_peer: that packet arrived, else it left
 * @hairpin: packets of the opener leave again by the interface
 * @forwarded: went to the forwarder
 * @revoked: a policy has ended it, and this host may still send on it
 * @seen_ns: last packet that belongs to it
 * @judged_by: number of the policy that judged it last
 * @rule: that allowed it, empty: none
 * @asked_port: that the peer asked for, where another one serves; 0: the same
 */
struct model_flow {
	struct model_tuple opener;
	bool by_peer;
	bool hairpin;
	bool forwarded;
	bool revoked;
	enum flow_state state;
	uint64_t seen_ns;
	unsigned int judged_by;
	char rule[RULE_ID_MAX];
	uint16_t asked_port;
};

struct model_flows {
	struct model_flow *list;
	size_t n;
};

struct model_flow *model_flow_find(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener);
struct model_flow *model_flow_add(struct model_flows *flows, const struct model_flow *flow);
void model_flow_remove(struct model_flows *flows, struct model_flow *flow);

bool model_tcp_is_legal(uint8_t flags);
bool model_tcp_is_opening(uint8_t flags);
bool model_tcp_is_answer(enum flow_state state, uint8_t flags);
enum flow_state model_tcp_next(enum flow_state state, uint8_t flags, bool from_opener);

#endif /* SHRIKE_TESTS_MODEL_FLOWS_H */
