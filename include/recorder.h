/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flight recorder: what was dropped, and which flows were new.
 *
 * Map recorder_v1 (ARRAY of slots, to be mapped).  Each possible CPU has a region of its own, which no
 * other one writes: a head for each share, an index, and the rings of the shares one after the other.
 * A share is what flows of peers, flows of this host, or the drops of one reason may use.
 *
 * A record stands for all packets of a kind that follow each other within RECORDER_GAP, for
 * RECORDER_LONGEST at most: addresses, protocol, destination port, rule and reason are the same.  A share
 * takes a new record only at the rate at which its ring goes round in RECORDER_SPAN_NS; beyond that, and a
 * burst, packets are counted in one record of the share without addresses (RECORD_REST).  Half of the burst
 * is for those who have had little: of RECORDER_CLASSES classes of senders each may take from it at an
 * eighth of the rate, so whoever makes many kinds blinds the recorder for senders of the own class alone.
 */
#ifndef SHRIKE_RECORDER_H
#define SHRIKE_RECORDER_H

#include "abi.h"
#include "reason.h"

#define RECORDER_TICK_SHIFT 20	  /* 1 tick: 1.05 ms */
#define RECORDER_GAP	    954	  /* ticks, 1 s */
#define RECORDER_LONGEST    57220 /* ticks, 60 s */
#define RECORDER_SPAN_NS    (80ull * NS_PER_S)
#define RECORDER_BURST_NS   (RECORDER_SPAN_NS / 8)

#define RECORDER_CLASSES     6 /* of senders */
#define RECORDER_CLASS_SHIFT 3 /* one has an eighth of a share's rate */
#define RECORDER_CLASS_BURST (RECORDER_BURST_NS / 2 >> RECORDER_TICK_SHIFT) /* ticks */

#define RECORDER_BY_PEER     0 /* share of the flows that peers open */
#define RECORDER_BY_HOST     1
#define RECORDER_DROPS	     2 /* and of the first reason of a drop */
#define RECORDER_SHARES	     (RECORDER_DROPS + REASON_MAX - REASON_FIRST_DROP)
#define RECORDER_FLOW_SHIFT  5 /* a share of flows has 32 units, */
#define RECORDER_ACL_SHIFT   3 /* one of drops by an ACL 8, and each other one 1 */
#define RECORDER_ACL_REASONS (REASON_ROUTE_ACL_DEFAULT - REASON_PEER_ACL_DENIED + 1)
#define RECORDER_ACL_UNITS   (2 << RECORDER_FLOW_SHIFT)
#define RECORDER_OTHER_UNITS (RECORDER_ACL_UNITS + (RECORDER_ACL_REASONS << RECORDER_ACL_SHIFT))
#define RECORDER_UNITS                                                                             \
	(RECORDER_OTHER_UNITS + REASON_MAX - REASON_FIRST_DROP - RECORDER_ACL_REASONS)

#define RECORDER_INDEX_SHIFT 4	 /* entries of the index in a slot: 16 */
#define RECORDER_TAG_SHIFT   24	 /* of an entry, above the slot: some bits of the kind's hash */
#define RECORDER_SLOTS_MIN   512 /* of a CPU */

enum record_flags {
	RECORD_DROP = 1 << 0,	 /* else it is a flow */
	RECORD_FORWARD = 1 << 1, /* its first packet was forwarded */
	RECORD_EGRESS = 1 << 2,	 /* outbound */
	RECORD_UPLINK = 1 << 3,	 /* arrived on an uplink */
	RECORD_IP6 = 1 << 4,
	RECORD_FRAGMENT = 1 << 5,  /* later fragments, without ports */
	RECORD_BROADCAST = 1 << 6, /* to what this host's networks have as broadcast address */
	RECORD_REST = 1 << 7,	   /* of several kinds, too many to be told apart; no addresses */
};

/* Addresses and ports as they were on the wire; of what differs within a kind the first packet's. */
struct record {
	__u64 time_ns; /* CLOCK_MONOTONIC of the first packet, some ms coarse */
	union addr saddr;
	union addr daddr;
	__u32 rule; /* number of the deciding rule, RULE_NONE */
	__u32 generation;
	__u32 count;  /* packets of drops, else flows; 0: empty */
	__be16 sport; /* ICMP: the identifier */
	__be16 dport; /* ICMP: type and code */
	__u16 last;   /* ticks from the first packet to the last one */
	__u16 ip_len;
	__u8 l4_proto;
	__u8 tcp_flags;
	__u8 reason; /* enum reason */
	__u8 flags;  /* enum record_flags */
};
_Static_assert(sizeof(struct record) == 64, "struct record is ABI");

/* What has come to a share, packets of drops or flows, is counted in its records or forgotten. */
struct recorder_head {
	__u64 due_ns;	 /* when the ring will have gone round in time again */
	__u64 records;	 /* made so far */
	__u64 forgotten; /* in records that were written over */
	__u64 beyond;	 /* what has come beyond the rate, and has no addresses */
	__u32 next;	 /* place in the ring */
	__u32 rest;	 /* slot of the open record of RECORD_REST, 0: none */
	__u32 class_due
		[RECORDER_CLASSES]; /* ticks, as due_ns, of what a class takes of the reserve */
};

union recorder_slot {
	struct record record;
	struct recorder_head head;
	__u32 index[1 << RECORDER_INDEX_SHIFT]; /* slots of the region by a hash of their kind */
};
_Static_assert(sizeof(union recorder_slot) == 64, "union recorder_slot is ABI");

/* Where things are in a region; read-only data of the programs. */
struct recorder_layout {
	__u32 cpu_slots;   /* size of a region, 0: nothing is recorded */
	__u32 index_mask;  /* entries of the index less one */
	__u32 rings;	   /* first slot of the rings */
	__u32 unit;	   /* slots */
	__u64 interval_ns; /* between records of a share of one unit */
};
_Static_assert(sizeof(struct recorder_layout) == 24, "struct recorder_layout is ABI");

/* A share in units. */
struct recorder_share {
	__u32 number; /* of its head */
	__u32 first;
	__u32 shift; /* it has 1 << shift */
};

/* The share of a drop, or of flows. */
static inline struct recorder_share recorder_share(enum reason reason, int is_egress)
{
	__u32 drop = reason - REASON_FIRST_DROP, acl = reason - REASON_PEER_ACL_DENIED;
	struct recorder_share share = {RECORDER_DROPS + drop, RECORDER_OTHER_UNITS + drop, 0};

	if (!reason_is_drop(reason))
		return (struct recorder_share){
			is_egress ? RECORDER_BY_HOST : RECORDER_BY_PEER,
			is_egress ? 1 << RECORDER_FLOW_SHIFT : 0,
			RECORDER_FLOW_SHIFT,
		};
	if (acl < RECORDER_ACL_REASONS) {
		share.first = RECORDER_ACL_UNITS + (acl << RECORDER_ACL_SHIFT);
		share.shift = RECORDER_ACL_SHIFT;
	} else if (reason > REASON_ROUTE_ACL_DEFAULT) {
		share.first -= RECORDER_ACL_REASONS;
	}
	return share;
}

/* How a region of a CPU is laid out. */
static inline struct recorder_layout recorder_layout(__u32 cpu_slots)
{
	struct recorder_layout layout = {.cpu_slots = cpu_slots};
	__u32 entries = 1 << RECORDER_INDEX_SHIFT;

	while (entries * 16 <= cpu_slots)
		entries *= 2;
	layout.index_mask = entries - 1;
	layout.rings = RECORDER_SHARES + (entries >> RECORDER_INDEX_SHIFT);
	layout.unit = (cpu_slots - layout.rings) / RECORDER_UNITS;
	layout.interval_ns = RECORDER_SPAN_NS / (layout.unit ? layout.unit : 1);
	return layout;
}

#endif /* SHRIKE_RECORDER_H */
