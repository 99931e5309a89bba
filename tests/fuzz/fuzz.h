/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Differential fuzzing: random scenarios, judged by the BPF programs and by the reference model.
 *
 * A case is a scenario that a seed makes, always the same one.  Addresses, ports and rule ids come
 * from a small universe, so that packets often meet rules and one another.
 */
#ifndef SHRIKE_TESTS_FUZZ_FUZZ_H
#define SHRIKE_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/model.h"
#include "simulate/numbers.h"
#include "simulate/scenario.h"

#define FUZZ_PACKET_MAX 65535

struct fuzz_random {
	uint64_t state;
};

uint32_t fuzz_random(struct fuzz_random *random, uint32_t below);
bool fuzz_chance(struct fuzz_random *random, uint32_t percent);

/* The universe. */
extern const char *const fuzz_interface4;
extern const char *const fuzz_interface6;
extern const char *const fuzz_uplink4;
extern const char *const fuzz_uplink6;
union addr fuzz_addr(struct fuzz_random *random, uint8_t version, bool ours);
uint16_t fuzz_port(struct fuzz_random *random);

struct policy *fuzz_policy(struct fuzz_random *random);

#define FUZZ_CONVERSATIONS   24
#define FUZZ_QUOTES	     16
#define FUZZ_FIRST_FRAGMENTS 4
#define FUZZ_SNATS	     64

/* Headers of one packet, from which it is made. */
struct fuzz_draft {
	union addr src;
	union addr dst;
	uint16_t sport;
	uint16_t dport;
	uint8_t direction; /* enum direction */
	uint8_t version;
	uint8_t proto;
	uint8_t flags;
	uint8_t icmp_type;
	uint8_t ttl;
	bool fragment;
	bool more;
	uint16_t frag_off;
	uint16_t id;
	uint32_t payload;
};

/*
 * Two ends that exchange packets: which of them opens and closes, how far they have come, and
 * whether they keep to the rules.
 */
struct fuzz_conversation {
	union addr ours;
	union addr theirs;
	uint16_t our_port;
	uint16_t their_port;
	uint8_t version;
	uint8_t proto;
	uint8_t step;
	bool we_open;
	bool we_close;
	bool wild;
	bool routed; /* a peer opens it to a host behind the uplink */
	uint64_t last_ns;
};

/* A port of the uplink from which a peer's packets have left. */
struct fuzz_snat {
	union addr peer;
	union addr remote;
	uint16_t peer_port; /* ICMP: the identifier */
	uint16_t remote_port;
	uint16_t port;
	uint8_t proto;
};

/* What a case's packets are made from. */
struct fuzz_traffic {
	struct fuzz_random *random;
	const struct policy *policy; /* in force */
	bool ethernet;
	bool has_uplink;
	union addr uplink[2]; /* its addresses */
	uint64_t now_ns;
	struct fuzz_conversation conversations[FUZZ_CONVERSATIONS];
	size_t n_conversations;
	uint8_t quotes[FUZZ_QUOTES][64]; /* the beginnings of packets that left */
	uint8_t quote_len[FUZZ_QUOTES];
	bool quote_by_uplink[FUZZ_QUOTES]; /* where they left */
	size_t n_quotes;
	size_t quote; /* that the next error is about */
	struct fuzz_draft
		first_fragments[FUZZ_FIRST_FRAGMENTS]; /* first fragments, for others to follow */
	size_t n_first_fragments;
	struct fuzz_snat snats[FUZZ_SNATS];
	size_t n_snats;
	uint8_t bytes[FUZZ_PACKET_MAX];
	uint32_t len;
};

void fuzz_traffic_next(struct fuzz_traffic *traffic, struct scenario_step *step);
void fuzz_traffic_left(struct fuzz_traffic *traffic, const uint8_t *bytes, uint32_t len);
void fuzz_add_quote(struct fuzz_traffic *traffic, const uint8_t *bytes, uint32_t len,
		    bool by_uplink);
uint8_t fuzz_echo_type(const struct fuzz_draft *d, bool request);

bool fuzz_is_nat(const struct fuzz_traffic *t);
void fuzz_route_conversation(struct fuzz_traffic *t, struct fuzz_conversation *conversation);
bool fuzz_uses_uplink(struct fuzz_traffic *t, const struct fuzz_conversation *conversation);
void fuzz_to_uplink(struct fuzz_traffic *t, const struct fuzz_conversation *conversation,
		    struct fuzz_draft *d);
void fuzz_hairpin(struct fuzz_traffic *t, struct fuzz_draft *d);
void fuzz_traffic_sent(struct fuzz_traffic *traffic, const struct scenario_step *step,
		       uint8_t *bytes);

void fuzz_put16(uint8_t *at, uint32_t value);
void fuzz_mutate(struct fuzz_traffic *traffic, uint32_t l4);
void fuzz_number(struct fuzz_random *random, struct numbers *numbers, struct scenario_step *step);

/*
 * struct fuzz_difference - where the two disagree
 * @found: they do; else the other fields mean nothing
 * @step: the first one that they judge differently
 * @what: how, in words
 * @model: what the model says; its packet is not valid
 */
struct fuzz_difference {
	bool found;
	size_t step;
	char what[512];
	struct model_result model;
};

struct scenario *fuzz_scenario(uint64_t seed);
int fuzz_run(const struct scenario *scenario, enum policy_hook hook,
	     struct fuzz_difference *difference, struct error *error);
int fuzz_minimise(struct scenario *scenario, enum policy_hook hook,
		  struct fuzz_difference *difference, struct error *error);
void fuzz_print(FILE *file, const struct scenario *scenario, uint64_t seed, enum policy_hook hook,
		const struct fuzz_difference *difference);

#endif /* SHRIKE_TESTS_FUZZ_FUZZ_H */
