/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the reference model share: its state, and a packet on its way through it.
 */
#ifndef SHRIKE_TESTS_MODEL_WAY_H
#define SHRIKE_TESTS_MODEL_WAY_H

#include "local.h"
#include "model.h"
#include "model_flows.h"

/* What is remembered of a datagram whose first fragment was let through. */
struct model_fragment {
	union addr src; /* as on the wire */
	union addr dst;
	uint32_t id;
	uint8_t version;
	uint8_t proto;
	bool poisoned;
	enum verdict verdict;
	char rule[RULE_ID_MAX];
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
	uint8_t bytes[65536];
};

/*
 * struct model_way - a packet on its way, and what is known so far of what becomes of it
 * @wire_src: its source before translation
 * @asked_port: its destination port before translation, or that of its flow; 0: not translated
 */
struct model_way {
	struct model *model;
	struct model_packet *p;
	struct model_result *result;
	uint64_t now_ns;
	union addr wire_src;
	uint16_t asked_port;
};

enum verdict model_decide(struct model_way *way, enum verdict verdict, enum reason reason,
			  const char *rule);
enum local_kind model_local_kind(const struct model *model, const union addr *addr,
				 uint8_t version);
bool model_is_martian(const struct model_way *way);
enum verdict model_judge(struct model_way *way);

void model_translate_in(struct model_way *way);
void model_translate_out(struct model_way *way);
bool model_read_quote(const struct model_way *way, struct model_tuple *quote);

#endif /* SHRIKE_TESTS_MODEL_WAY_H */
