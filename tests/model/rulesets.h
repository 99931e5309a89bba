/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policies to test and to measure the classifier with, and packets that try their boundaries.
 */
#ifndef SHRIKE_TESTS_MODEL_RULESETS_H
#define SHRIKE_TESTS_MODEL_RULESETS_H

#include "classify/classifier.h"

enum ruleset_family {
	RULESET_RANDOM,	  /* everything mixed in a small universe, so that rules often meet */
	RULESET_MESH,	  /* a rule per peer and service, as NetBird distributes them */
	RULESET_FIREWALL, /* lists of prefixes and services on both sides */
	RULESET_SERVICES, /* each service open to a few sources, one rule for each of them */
	RULESET_HOSTILE,  /* nested prefixes and ranges, every rule overlapping most others */
};

/* A policy without a text; rules and their parts are in one pool of memory. */
struct ruleset {
	struct policy policy;
	uint64_t random;
	uint8_t ip_version;
	void **pool;
	size_t n_pool;
};

struct ruleset *ruleset_make(enum ruleset_family family, uint8_t ip_version, size_t n_rules,
			     uint64_t seed);
void ruleset_name_groups_and_types(struct ruleset *set);
void ruleset_free(struct ruleset *set);
struct classifier_key ruleset_packet(struct ruleset *set, enum acl *acl);

#endif /* SHRIKE_TESTS_MODEL_RULESETS_H */
