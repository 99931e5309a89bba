/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * First stage after parsing: peers that `policy block` has cut off, in both directions.  Owns the
 * read-only data of blocked.h, and blocked_v1, which no program reads.
 *
 * Connections vouch for nobody here, so what a peer answers to this host ends as well.  Where nobody is
 * blocked the verifier removes the stage.
 */
#include "blocked.h"
#include "packet.h"

const volatile struct blocked_table blocked = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BLOCKED_MAX);
	__type(key, __u32);
	__type(value, struct blocked_peer);
} blocked_v1 SEC(".maps");

/*
 * 1 where a is below b, else 0, without a branch: in a search each branch would double the paths that
 * the verifier walks.
 */
static __always_inline __u64 is_below(__u64 a, __u64 b)
{
	return ((~a & b) | (~(a ^ b) & (a - b))) >> 63;
}

/* Likewise of addresses in two halves. */
static __always_inline __u64 addr_is_below(__u64 high, __u64 low, __u64 other_high, __u64 other_low)
{
	__u64 differs = is_below(high, other_high) | is_below(other_high, high);

	return is_below(high, other_high) | ((differs ^ 1) & is_below(low, other_low));
}

/* 1 where an address is below the first one of a range, else 0. */
static __always_inline __u64 is_before(__u64 high, __u64 low,
				       const volatile struct blocked_range *range)
{
	return addr_is_below(high, low, range->first[0], range->first[1]);
}

/**
 * blocked_is_peer() - Whether a packet comes from a peer that is blocked, or goes to one
 * @p: packet, not yet translated
 */
int blocked_is_peer(struct packet *p)
{
	const volatile struct blocked_range *range;
	__u64 high, low;
	__u32 at = 0;

	if (!p)
		return true;
	high = bpf_be64_to_cpu(p->direction == DIR_EGRESS ? p->daddr.half[0] : p->saddr.half[0]);
	low = bpf_be64_to_cpu(p->direction == DIR_EGRESS ? p->daddr.half[1] : p->saddr.half[1]);
	/* the last range that does not begin behind the address */
	for (__u32 step = blocked.step; step; step >>= 1) {
		__u32 next = (at + step) & (BLOCKED_RANGES - 1);

		at += step * (1 - is_before(high, low, &blocked.ranges[next]));
	}
	range = &blocked.ranges[at & (BLOCKED_RANGES - 1)];
	if (is_before(high, low, range) || addr_is_below(range->last[0], range->last[1], high, low))
		return false;
	return !range->until_ns || p->now_ns < range->until_ns;
}
