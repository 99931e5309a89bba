/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of classify() share with the program that calls it.
 */
#ifndef SHRIKE_TESTS_CLASSIFY_PROBE_H
#define SHRIKE_TESTS_CLASSIFY_PROBE_H

#include "abi.h"

#define PROBE_KEYS 131072 /* entries of both maps */

/* Map probe_keys. */
struct probe_key {
	union addr saddr;
	union addr daddr;
	__be16 sport;
	__be16 dport;
	__u8 ip_version;
	__u8 l4_proto;
	__u8 acl;
	__u8 local_kind;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 pad[6];
};
_Static_assert(sizeof(struct probe_key) == 48, "struct probe_key is shared");

/* Map probe_answers. */
struct probe_answer {
	__u32 rule; /* what classify() returned */
	__u32 pad;
};

#endif /* SHRIKE_TESTS_CLASSIFY_PROBE_H */
