/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Peers that are blocked, whatever a policy says, and the table of them that the programs search.
 */
#ifndef SHRIKE_POLICY_BLOCK_LIST_H
#define SHRIKE_POLICY_BLOCK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "blocked.h"

struct policy;

/* Prefixes in the order in which they were blocked, each once; they may overlap. */
struct block_list {
	struct blocked_peer peers[BLOCKED_MAX];
	size_t n;
};

struct prefix block_list_prefix(const struct blocked_peer *peer);
void block_list_expire(struct block_list *list, uint64_t now_ns);
const struct blocked_peer *block_list_find(const struct block_list *list,
					   const struct prefix *prefix);
int block_list_add(struct block_list *list, const struct prefix *prefix, uint64_t until_ns,
		   struct error *error);
bool block_list_remove(struct block_list *list, const struct prefix *prefix);
int block_list_compile(const struct policy *policy, struct blocked_table *table,
		       struct error *error);

#endif /* SHRIKE_POLICY_BLOCK_LIST_H */
