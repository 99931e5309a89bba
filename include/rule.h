/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules as the dataplane names them.
 *
 * Tables of the classifier speak of rule indexes: positions in the order of precedence of one
 * generation.  Everything that outlives a generation (flows, events, fragments) holds rule
 * numbers: an id keeps its number for as long as it stays in the policy, whatever is added or
 * removed around it.
 *
 * Map rules_v1 (ARRAY, one per generation): index -> struct rule.
 * Map rule_hits_v1 (PERCPU_ARRAY, one per generation): index -> struct rule_hits, counted since
 * that generation was loaded; struct rule holds what earlier generations counted.
 */
#ifndef SHRIKE_RULE_H
#define SHRIKE_RULE_H

#include "abi.h"

#define RULE_ID_MAX 64 /* bytes of an id with its terminating NUL */

/* ACL(id, name): names are those of policies */
#define ACLS(ACL)                                                                                  \
	ACL(PEER, "peer_acl")	/* traffic to this host */                                         \
	ACL(ROUTE, "route_acl") /* traffic routed through this host */

enum acl {
#define ACL(id, name) ACL_##id,
	ACLS(ACL)
#undef ACL
		ACL_MAX,
};

enum rule_flags {
	RULE_ALLOW = 1 << 0,   /* else deny */
	RULE_BUILTIN = 1 << 1, /* the overlay block: no id, no number */
};

struct rule {
	__u32 number; /* RULE_NONE for built-in rules */
	__u8 acl;     /* enum acl */
	__u8 flags;   /* enum rule_flags */
	__u8 pad[2];
	char id[RULE_ID_MAX];
	__u64 packets; /* hits of earlier generations under the same id */
	__u64 bytes;
	__u64 last_hit_ns; /* CLOCK_MONOTONIC, 0: never */
};
_Static_assert(sizeof(struct rule) == 96, "struct rule is ABI");

/* Packets that the ACL stage judged by this rule: openings, and the first after a change. */
struct rule_hits {
	__u64 packets;
	__u64 bytes;
	__u64 last_hit_ns;
};
_Static_assert(sizeof(struct rule_hits) == 24, "struct rule_hits is ABI");

#endif /* SHRIKE_RULE_H */
