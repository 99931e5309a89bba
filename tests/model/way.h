/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the reference model share: its state, and a packet on its way through it.
 */
#ifndef SHRIKE_TESTS_MODEL_WAY_H
#define SHRIKE_TESTS_MODEL_WAY_H

#include "local.h"
#include "model/flows.h"
#include "model/model.h"

/*
 * struct model_fragment - what is remembered of a datagram whose first fragment was let through
 * @is_reply: that was an answer to this host
 * @by_uplink: it has come in there, for a peer
 * @by_nat: the first fragment has left by the uplink
 * @judged_by: number of the policy that let it through
 */
struct model_fragment {
	union addr src; /* as on the wire */
	union addr dst;
	uint32_t id;
	uint8_t version;
	uint8_t proto;
	uint16_t sport;
	uint16_t dport;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint16_t icmp_id;
	bool by_uplink;
	bool by_nat;
	bool poisoned;
	bool is_reply;
	bool is_answer; /* of one peer to another */
	enum verdict verdict;
	char rule[RULE_ID_MAX];
	unsigned int judged_by;
	uint32_t first_end;
	uint64_t since_ns;
};

struct model {
	const struct scenario *scenario;
	const struct policy *policy;
	unsigned int policy_number; /* how many have been in force */
	struct model_flows flows;
	struct model_fragment *fragments;
	size_t n_fragments;
	bool tracing; /* shows how the rules judge, not that they have */
	bool taken[2][UINT16_MAX +
		      1]; /* ports of the uplink that flows of TCP, and of UDP, have had */
	uint8_t bytes[65536];
};

enum model_sender { SENDER_HOST, SENDER_FORWARDER, SENDER_MASQUERADE };

/*
 * struct model_way - a packet on its way, and what is known so far of what becomes of it
 * @wire_src: its source before translation
 * @asked_port: its destination port before translation, or that of its flow; 0: not translated
 * @is_reply: a flow of this host has let it in
 * @is_answer: it answers one peer for another
 * @sender: who has it leave by the interface
 * @has_opened: it has opened a flow as it came in
 * @by_uplink: it has come in by the uplink
 * @is_local: the rules were asked about it, as one that ends at this host
 * @follows: the first fragment of its datagram has left by the uplink
 * @of_flow: as it leaves, it belongs to a flow of the one that it goes to
 * @ends_flow: it has ended a flow before that was confirmed
 * @ended: a packet of that flow
 */
struct model_way {
	struct model *model;
	struct model_packet *p;
	struct model_result *result;
	uint64_t now_ns;
	union addr wire_src;
	uint16_t asked_port;
	bool is_reply;
	bool is_answer;
	enum model_sender sender;
	bool has_opened;
	bool by_uplink;
	bool is_local;
	bool follows;
	bool of_flow;
	bool ends_flow;
	struct model_tuple ended;
};

/*
 * struct model_quote - the packet that an ICMP error is about
 * @tuple: as it was before it was translated on its way out
 * @wire: as it left
 * @ip, @l4: where its headers are in the error
 */
struct model_quote {
	struct model_tuple tuple;
	struct model_tuple wire;
	uint32_t ip;
	uint32_t l4;
};

enum verdict model_decide(struct model_way *way, enum verdict verdict, enum reason reason,
			  const char *rule);
enum local_kind model_local_kind(const struct model *model, const union addr *addr,
				 uint8_t version);
bool model_is_loopback(const union addr *addr, uint8_t version);
bool model_is_link_local(const union addr *addr, uint8_t version);
bool model_is_nobodys(const struct model_way *way, const union addr *addr);
bool model_is_martian(const struct model_way *way);
enum verdict model_judge(struct model_way *way);
enum verdict model_judge_question(struct model_way *way);

enum verdict model_judge_later_fragment(struct model_way *way);
void model_forget_fragment(struct model_way *way);
void model_remember_fragment(struct model_way *way);
void model_fragment_left(struct model_way *way);
bool model_follow_answer(struct model_way *way, bool *overlaps);

bool model_has_flow(const struct model_way *way, const struct model_tuple *tuple);
bool model_answers_this_host(const struct model_way *way);
struct model_tuple model_tuple_of(const struct model_packet *p);
bool model_is_nat(const struct model *model);
bool model_is_by_address(uint8_t proto);
enum verdict model_settle(struct model_way *way, struct model_flow *flow);
void model_go_out(struct model_way *way);
bool model_is_port(const struct model *model, uint16_t port);
bool model_is_free(const struct model_snat *held, const struct model_tuple *opener);
int model_make_port(struct model_way *way, const struct model_tuple *opener);
bool model_is_peers_port(const struct model_way *way);
void model_masquerade_out(struct model_way *way);
void model_masquerade_in(struct model_way *way, uint16_t ethertype);
enum verdict model_track_in(struct model_way *way);
void model_quote_out(struct model_way *way);
void model_track_out(struct model_way *way);
void model_track_end(struct model_way *way);

void model_translate_in(struct model_way *way);
void model_translate_out(struct model_way *way);
bool model_read_wire_quote(const struct model_packet *p, struct model_quote *quote);
bool model_read_quote(const struct model_way *way, struct model_quote *quote);
void model_set_quoted_end(struct model_packet *p, const struct model_quote *quote, bool source,
			  const union addr *addr, uint16_t port);
void model_translate_quote(struct model_way *way, const struct model_quote *quote);
void model_translate_quote_out(struct model_way *way, const struct model_quote *quote,
			       uint16_t asked_port);

#endif /* SHRIKE_TESTS_MODEL_WAY_H */
