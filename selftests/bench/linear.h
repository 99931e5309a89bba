/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a linear scan by BPF shares with the benchmark that fills its table.
 */
#ifndef SHRIKE_BENCH_LINEAR_H
#define SHRIKE_BENCH_LINEAR_H

#include "abi.h"

#define LINEAR_ANY 256 /* protocol: every one */

/* One prefix to one prefix; a rule of lists takes several of them, one behind the other. */
struct linear_rule {
	union addr saddr;
	union addr smask;
	union addr daddr;
	union addr dmask;
	__u16 sport_first; /* ports in host order; they are compared for TCP and UDP only */
	__u16 sport_last;
	__u16 dport_first;
	__u16 dport_last;
	__u16 protocol;
	__u8 ip_version; /* 0: both */
	__u8 acl;
	__u32 rule; /* what classify() would return */
};
_Static_assert(sizeof(struct linear_rule) == 80, "struct linear_rule is shared");

#endif /* SHRIKE_BENCH_LINEAR_H */
