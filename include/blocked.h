/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Peers that `policy block` has cut off: the list as it was asked for, and what the programs search.
 */
#ifndef SHRIKE_BLOCKED_H
#define SHRIKE_BLOCKED_H

#include "abi.h"

#define BLOCKED_MAX    256  /* prefixes that are blocked at a time */
#define BLOCKED_RANGES 1024 /* that they, and what 1:1 translation makes of them, come to */

/* Map blocked_v1 (ARRAY, BLOCKED_MAX entries); an entry without ip_version ends the list. */
struct blocked_peer {
	union addr addr;
	__u64 until_ns;	 /* CLOCK_MONOTONIC; 0: until it is unblocked */
	__u8 ip_version; /* enum ip_version */
	__u8 prefix_len; /* in bits of its own family */
	__u8 pad[6];
};
_Static_assert(sizeof(struct blocked_peer) == 32, "struct blocked_peer is ABI");

/* Addresses from first to last, as two halves in host byte order, the higher one first. */
struct blocked_range {
	__u64 first[2];
	__u64 last[2];
	__u64 until_ns; /* as in struct blocked_peer */
};

/*
 * struct blocked_table - read-only data of the programs
 * @n: ranges, 0: nobody is blocked
 * @step: the largest power of two that is not above @n - 1; 0 for one range
 * @ranges: sorted and disjoint; behind the last one such as contain no address and follow any
 */
struct blocked_table {
	__u32 n;
	__u32 step;
	struct blocked_range ranges[BLOCKED_RANGES];
};

#endif /* SHRIKE_BLOCKED_H */
