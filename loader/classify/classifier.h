/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Compiler of a policy's rules into the tables of classify.h, and their walk in userspace.
 *
 * A classifier is immutable.  It refers to the rules of its policy, which must outlive it.
 */
#ifndef SHRIKE_CLASSIFY_CLASSIFIER_H
#define SHRIKE_CLASSIFY_CLASSIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "classify.h"
#include "local.h"
#include "policy/policy.h"

struct classifier;

#define CLASSIFIER_BUDGET_BYTES ((size_t)256 << 20) /* of kernel memory, by default */

/* One table, as the map of that name is to hold it. */
struct classifier_table {
	const char *map_name;
	uint32_t entries; /* at least 1 */
	uint32_t value_size;
	const void *data; /* entries * value_size bytes */
};

/* A packet as rules see it; ports in host byte order, for TCP and UDP only. */
struct classifier_key {
	union addr source;
	union addr destination;
	uint16_t sport;
	uint16_t dport;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t icmp_type; /* of ICMP */
	uint8_t icmp_code;
	uint8_t local_kind; /* enum local_kind of the destination */
};

/* A rule of the compiled order. */
struct classifier_rule {
	const struct policy_rule *rule; /* NULL for a built-in rule */
	enum acl acl;
	uint8_t flags; /* enum rule_flags */
};

int classifier_compile(const struct policy *policy, const struct prefix *overlay, size_t n_overlay,
		       size_t budget_bytes, struct classifier **classifier, struct error *error);
void classifier_free(struct classifier *classifier);

size_t classifier_n_rules(const struct classifier *classifier);
struct classifier_rule classifier_rule(const struct classifier *classifier, size_t index);
size_t classifier_memory(const struct classifier *classifier);
const struct classify_config *classifier_config(const struct classifier *classifier);
struct classifier_table classifier_table(const struct classifier *classifier,
					 enum classify_table table);

#endif /* SHRIKE_CLASSIFY_CLASSIFIER_H */
