/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow events: a connection starts, a connection ends, a packet is dropped.
 *
 * Map flow_rings_v2 (ARRAY_OF_MAPS): one BPF ring buffer per listener, made by it; each gets every
 * event.  An empty slot costs nothing but the look at it.  The last slot is the flow log's, whose
 * ring stays there when its reader ends.
 * Map flow_gate_v2 (ARRAY, one entry, to be mapped): events are made only until the time in it,
 * which listeners push on while they live: one that was killed costs nothing for longer than
 * FLOW_GATE_NS.  With a flow log they are made always.
 */
#ifndef SHRIKE_FLOW_EVENT_H
#define SHRIKE_FLOW_EVENT_H

#include "abi.h"

#define FLOW_LISTENERS	   4
#define FLOW_LOG_SLOT	   FLOW_LISTENERS
#define FLOW_RINGS	   (FLOW_LISTENERS + 1)
#define FLOW_GATE_NS	   3000000000ull
#define FLOW_LOG_SECOND_NS 1000000000ull

/*
 * The flow log.  Programs read the first two fields and write the next three; the rest is its
 * reader's, which keeps it here because the next reader needs it.
 */
struct flow_log {
	__u64 on;	     /* 0: there is no log, and its slot is empty */
	__u64 drops_per_s;   /* so many events of drops a second go into the log's ring */
	__u64 second_ns;     /* CLOCK_MONOTONIC: when the second began in which drops are counted */
	__u64 drops;	     /* in that second */
	__u64 unsampled;     /* drops that did not go into the ring for that; never reset */
	__u64 reported_lost; /* of lost[FLOW_LOG_SLOT], as the next field of what is above */
	__u64 reported_unsampled; /* have been written into the log */
	__u64 reader;		  /* process id of the last one */
	__u64 batch_pos;	  /* where in the ring that batch begins that is being written */
	__u64 batch_dev;	  /* and into which file, 0 and 0: into none */
	__u64 batch_ino;
	__u64 batch_bytes; /* how large that was before */
};

struct flow_gate {
	__u64 until_ns;		/* CLOCK_MONOTONIC */
	__u64 lost[FLOW_RINGS]; /* events that found a ring full; never reset */
	struct flow_log log;
};
_Static_assert(sizeof(struct flow_gate) == 144, "struct flow_gate is ABI");

/* TYPE(id, name) */
#define FLOW_EVENTS(TYPE)                                                                          \
	TYPE(START, "start")                                                                       \
	TYPE(END, "end")                                                                           \
	TYPE(DROP, "drop")

enum flow_event_type {
#define TYPE(id, name) FLOW_EVENT_##id,
	FLOW_EVENTS(TYPE)
#undef TYPE
		FLOW_EVENT_MAX,
};

/*
 * CAUSE(id, name): of an end.  A connection counts as ended when both sides have said so
 * (time_wait, closing), although its entry stays a while to catch late segments.
 */
#define FLOW_CAUSES(CAUSE)                                                                         \
	CAUSE(NONE, "none")                                                                        \
	CAUSE(CLOSED, "closed")                                                                    \
	CAUSE(RESET, "reset")                                                                      \
	CAUSE(TIMEOUT, "timeout")                                                                  \
	CAUSE(EVICTED, "evicted") /* to make room, or by a command */                              \
	CAUSE(REVOKED, "revoked") /* the policy changed and no longer allows it */

enum flow_cause {
#define CAUSE(id, name) FLOW_CAUSE_##id,
	FLOW_CAUSES(CAUSE)
#undef CAUSE
		FLOW_CAUSE_MAX,
};

/*
 * Index 0 is the end that opened the flow or sent the dropped packet, index 1 the other; packets
 * and bytes are those that each has sent.
 */
struct flow_event {
	__u64 time_ns;	  /* CLOCK_MONOTONIC, some ms coarse */
	__u64 created_ns; /* of the flow: differs between those of equal addresses and ports */
	union addr addr[2];
	__u64 packets[2];
	__u64 bytes[2];
	__u32 rule; /* number of the deciding rule, RULE_NONE */
	__u32 ifindex;
	__be16 port[2]; /* ICMP: the identifier, and 0 */
	__u8 type;	/* enum flow_event_type */
	__u8 cause;	/* enum flow_cause; END only */
	__u8 reason;	/* enum reason; DROP only */
	__u8 direction; /* enum direction of the opening or dropped packet */
	__u8 ip_version;
	__u8 l4_proto;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 flow_state;  /* enum flow_state; DROP: 0 */
	__u8 uplink;	  /* 1 + index of struct masquerade.uplinks, 0: not forwarded by NAT */
	__be16 snat_port; /* forwarded by NAT: the port on the uplink; ICMP: the identifier */
};
_Static_assert(sizeof(struct flow_event) == 104, "struct flow_event is ABI");

#endif /* SHRIKE_FLOW_EVENT_H */
