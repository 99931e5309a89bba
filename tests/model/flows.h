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
 * @local: its opener's packets end at this host
 * @revoked: a policy has ended it, and this host may still send on it
 * @seen_ns: last packet that belongs to it
 * @judged_by: number of the policy that judged it last
 * @rule: that allowed it, empty: none
 * @packets: of both ends together, UDP
 * @answered: there is one of the other end's
 * @tcp: of a TCP connection, whose state @state is
 * @asked_port: that the peer asked for, where another one serves; 0: the same
 * @translated: it leaves by the uplink from @snat_port, and @routed_by is the number of the policy under
 *	which its way was looked up
 */
struct model_flow {
	struct model_tuple opener;
	bool by_peer;
	bool hairpin;
	bool forwarded;
	bool local;
	bool revoked;
	enum flow_state state;
	uint64_t seen_ns;
	unsigned int judged_by;
	char rule[RULE_ID_MAX];
	uint16_t asked_port;
	bool answered;
	uint64_t packets;
	struct model_tcp tcp;
	bool translated;
	uint16_t snat_port;
	unsigned int routed_by;
};

/*
 * struct model_snat - a port of the uplink, and the peer that gets what a remote end sends there
 * @judged_by: number of the policy under which that was looked at
 */
struct model_snat {
	union addr remote;
	union addr peer;
	uint16_t remote_port;
	uint16_t port;
	uint16_t peer_port;
	uint8_t version;
	uint8_t proto;
	unsigned int judged_by;
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
	struct model_snat *snat;
	size_t n_snat;
};

struct model_flow *model_flow_peek(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener);
struct model_flow *model_flow_find(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener);
struct model_flow *model_flow_of(struct model_flows *flows, const struct model_tuple *tuple);
struct model_flow *model_flow_add(struct model_flows *flows, const struct model_flow *flow);
void model_flow_remove(struct model_flows *flows, struct model_flow *flow);

struct model_served *model_served_find(struct model_flows *flows, const struct model_tuple *peer);
void model_served_note(struct model_flows *flows, const struct model_served *served);

struct model_snat *model_snat_find(struct model_flows *flows, const struct model_tuple *opener,
				   uint16_t port);
void model_snat_add(struct model_flows *flows, const struct model_snat *snat);

#endif /* SHRIKE_TESTS_MODEL_FLOWS_H */
