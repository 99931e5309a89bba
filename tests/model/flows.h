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
#include "model/tcp.h"
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
 * @packets: of both ends together, and @answered: whether there is one of the other end's; UDP
 * @tcp: of a TCP connection, whose state @state is
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
	bool answered;
	uint64_t packets;
	struct model_tcp tcp;
};

/*
 * struct model_served - a port of this host, or of one behind it, to which a rule has let a peer's
 * datagrams
 * @peer: the first of those, or another that looks like it
 */
struct model_served {
	struct model_tuple peer;
	uint64_t seen_ns;
	unsigned int judged_by;
	char rule[RULE_ID_MAX];
	bool forwarded;
};

struct model_flows {
	struct model_flow *list;
	size_t n;
	struct model_served *served;
	size_t n_served;
};

struct model_flow *model_flow_peek(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener);
struct model_flow *model_flow_find(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener);
struct model_flow *model_flow_add(struct model_flows *flows, const struct model_flow *flow);
void model_flow_remove(struct model_flows *flows, struct model_flow *flow);

struct model_served *model_served_find(struct model_flows *flows, const struct model_tuple *peer);
void model_served_note(struct model_flows *flows, const struct model_served *served);

#endif /* SHRIKE_TESTS_MODEL_FLOWS_H */
