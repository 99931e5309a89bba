/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connection tracking: keys, states and entries.
 *
 * One table per protocol and family, each in two tiers.  ct_PROTO_v1 (HASH, preallocated) holds
 * confirmed flows: those in which a peer's packet has answered one of ours.  ct_PROTO_new_v1 (LRU_HASH) holds
 * flows that wait for that, so a flood of openings can only displace other openings.  A flow is
 * in one of the two; lookups ask the confirmed tier first.
 *
 * Maps: ct_tcp4_v1 ct_tcp6_v1 ct_udp4_v1 ct_udp6_v1 ct_icmp4_v1 ct_icmp6_v1, and the same names
 * with _new before the suffix.  Keys are struct flow_key4 or flow_key6, values struct flow.
 *
 * Map ct_epoch_v1 (ARRAY, one __u32) becomes another number after each change of this host's
 * addresses (local.h), by which flows have been judged.
 */
#ifndef SHRIKE_FLOW_H
#define SHRIKE_FLOW_H

#include "abi.h"

/*
 * Both directions of a flow share one key: end 0 is the one with the lower (address, port),
 * compared as bytes in network order.  For ICMP echo, which either end may start with the same
 * identifier, port[0] is the identifier and port[1] the number of the end that sent the requests.
 */
struct flow_key4 {
	__be32 addr[2];
	__be16 port[2];
	__u8 l4_proto;
	__u8 pad[3];
};
_Static_assert(sizeof(struct flow_key4) == 16, "struct flow_key4 is ABI");

struct flow_key6 {
	union addr addr[2];
	__be16 port[2];
	__u8 l4_proto;
	__u8 pad[3];
};
_Static_assert(sizeof(struct flow_key6) == 40, "struct flow_key6 is ABI");

/* STATE(id, name): names are those of RFC 9293, section 3.3.2 */
#define FLOW_STATES(STATE)                                                                         \
	STATE(NONE, "none")                                                                        \
	STATE(SYN_SENT, "syn_sent")	    /* opened by this host, not answered */                \
	STATE(SYN_RECEIVED, "syn_received") /* opened by a peer, handshake not complete */         \
	STATE(ESTABLISHED, "established")                                                          \
	STATE(FIN_WAIT_1, "fin_wait_1") /* the opener has sent its FIN */                          \
	STATE(FIN_WAIT_2, "fin_wait_2") /* and the other side has acknowledged it */               \
	STATE(CLOSING, "closing")	/* both FINs have crossed */                               \
	STATE(TIME_WAIT, "time_wait")                                                              \
	STATE(CLOSE_WAIT, "close_wait") /* the other side has sent its FIN first */                \
	STATE(LAST_ACK, "last_ack")	/* and the opener has answered with its own */             \
	STATE(CLOSED, "closed")		/* never stored: a closed flow is deleted at once */       \
	STATE(UDP, "udp")                                                                          \
	STATE(ICMP, "icmp")

enum flow_state {
#define STATE(id, name) FLOW_STATE_##id,
	FLOW_STATES(STATE)
#undef STATE
		FLOW_STATE_MAX,
};

enum flow_flags {
	FLOW_BY_PEER = 1 << 0,	 /* opened by a packet that arrived on the interface */
	FLOW_ANSWERED = 1 << 1,	 /* the other end has sent something; set once */
	FLOW_FORWARD = 1 << 2,	 /* handed to the userspace forwarder */
	FLOW_LOCAL = 1 << 3,	 /* judged last as towards an address of this host */
	FLOW_HAIRPIN = 1 << 4,	 /* the peer's packets leave again by the same interface */
	FLOW_CONFIRMED = 1 << 5, /* lives in the confirmed tier */
	FLOW_REVOKED = 1 << 6,	 /* UDP of a peer, ended by a change of policy */
};

/*
 * A tracked flow.  Index 0 of the counters is the opener's direction, index 1 the other.  Packets
 * and bytes (IP bytes) are atomic adds; every other field is a plain store, made only when its
 * value changes, and a race between two CPUs leaves one of the two values that raced.
 */
struct flow {
	__u64 last_seen_ns; /* CLOCK_MONOTONIC of the last accepted packet, some ms coarse */
	__u64 created_ns;   /* when the flow was opened; tells reincarnations of a key apart */
	__u64 packets[2];
	__u64 bytes[2];
	__u32 generation; /* of the policy that judged it last; flows of this host: that opened it */
	__u32 rule; /* number of the deciding rule (rule.h), RULE_NONE for flows of this host */
	__be16 nat_port; /* destination port before port translation, 0: not translated */
	__u8 state;	 /* enum flow_state */
	__u8 flags;	 /* enum flow_flags */
	__u8 opener;	 /* end of the key that opened it, 0 or 1; never changes */
	__u8 pad;
	__u16 epoch; /* low bits of ct_epoch_v1 when it was judged last */
};
_Static_assert(sizeof(struct flow) == 64, "struct flow is ABI");

#endif /* SHRIKE_FLOW_H */
