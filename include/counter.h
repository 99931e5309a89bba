/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map counters_v3: per-CPU packet and byte counts, key is an enum direction.
 *
 * Invariant, for each direction, over all CPUs and at rest:
 *	seen = verdict[PASS] + verdict[FORWARD] + the sum of reason[r] over all drop reasons
 * "seen" is counted before the first stage and the rest after the last one, so that a path that
 * forgets its verdict shows up.  Bytes count from the IP header on, link padding included.
 */
#ifndef SHRIKE_COUNTER_H
#define SHRIKE_COUNTER_H

#include "abi.h"
#include "reason.h"

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct counters {
	struct counter seen;
	struct counter verdict[VERDICT_MAX];
	struct counter reason[REASON_MAX];
	struct counter
		tcp_out_of_window; /* segments that moved no connection; not part of the sum */
	/* ingress: of verdict[FORWARD], sent on by NAT; uplink: likewise, of flows; egress: seen of those */
	struct counter translated;
};

/* Packets that were handed to the userspace forwarder, of one direction's counters. */
static inline __u64 counters_to_forwarder(const struct counters *counters)
{
	return counters->verdict[VERDICT_FORWARD].packets - counters->translated.packets;
}

#endif /* SHRIKE_COUNTER_H */
