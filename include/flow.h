/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connection tracking: keys, states and entries.
 *
 * One table per protocol and family, each in three tiers.  ct_PROTO (HASH, preallocated) holds
 * confirmed flows: those in which a peer's packet has answered one of ours, and TCP once a peer has
 * proved that it receives what we send.  Flows that wait for that are in LRU_HASH tables, so a
 * flood of openings can only displace other openings: those of peers in ct_PROTO_new, those of this
 * host in ct_PROTO_own.  A flow is in one of the three; lookups ask the confirmed tier first.
 *
 * The maps are those of FLOW_TABLES below.  Keys are struct flow_key4 or flow_key6, values struct
 * flow.
 *
 * Map ct_epoch_v1 (ARRAY, one __u32) becomes another number after each change of this host's
 * addresses (local.h), by which flows have been judged.
 *
 * Map ct_served_v1 (LRU_HASH): struct served_key -> struct served, the ports of this host, or of
 * hosts behind it, to which a rule has let a peer's datagrams.  What they send to that peer answers
 * it, even where the flow itself was displaced, or there is none: of protocols other than TCP, UDP
 * and ICMP only what this host opens is tracked.
 */
#ifndef SHRIKE_FLOW_H
#define SHRIKE_FLOW_H

#include "abi.h"
#include "protocol.h"

#define CONNTRACK_OTHER 255 /* as a table's protocol: all but those that have tables of their own */

/* clang-format off */

/*
 * TABLE(map, protocol, IP version, tier): one table per protocol and family in each tier.  Those
 * that are not confirmed come first: who reads all of them sees a flow that is promoted meanwhile
 * twice rather than not at all.  The names of other protocols' tables are short of an "e" where 15
 * characters are not enough.
 */
#define FLOW_TABLES(TABLE)                                                                         \
	TABLE(ct_tcp4_new_v2, 6, 4, NEW)                                                           \
	TABLE(ct_tcp6_new_v2, 6, 6, NEW)                                                           \
	TABLE(ct_udp4_new_v2, 17, 4, NEW)                                                          \
	TABLE(ct_udp6_new_v2, 17, 6, NEW)                                                          \
	TABLE(ct_icmp4_new_v2, 1, 4, NEW)                                                          \
	TABLE(ct_icmp6_new_v2, 58, 6, NEW)                                                         \
	TABLE(ct_othr4_new_v1, CONNTRACK_OTHER, 4, NEW)                                            \
	TABLE(ct_othr6_new_v1, CONNTRACK_OTHER, 6, NEW)                                            \
	TABLE(ct_tcp4_own_v2, 6, 4, OWN)                                                           \
	TABLE(ct_tcp6_own_v2, 6, 6, OWN)                                                           \
	TABLE(ct_udp4_own_v2, 17, 4, OWN)                                                          \
	TABLE(ct_udp6_own_v2, 17, 6, OWN)                                                          \
	TABLE(ct_icmp4_own_v2, 1, 4, OWN)                                                          \
	TABLE(ct_icmp6_own_v2, 58, 6, OWN)                                                         \
	TABLE(ct_othr4_own_v1, CONNTRACK_OTHER, 4, OWN)                                            \
	TABLE(ct_othr6_own_v1, CONNTRACK_OTHER, 6, OWN)                                            \
	TABLE(ct_tcp4_v2, 6, 4, CONFIRMED)                                                         \
	TABLE(ct_tcp6_v2, 6, 6, CONFIRMED)                                                         \
	TABLE(ct_udp4_v2, 17, 4, CONFIRMED)                                                        \
	TABLE(ct_udp6_v2, 17, 6, CONFIRMED)                                                        \
	TABLE(ct_icmp4_v2, 1, 4, CONFIRMED)                                                        \
	TABLE(ct_icmp6_v2, 58, 6, CONFIRMED)                                                       \
	TABLE(ct_other4_v1, CONNTRACK_OTHER, 4, CONFIRMED)                                         \
	TABLE(ct_other6_v1, CONNTRACK_OTHER, 6, CONFIRMED)

/* clang-format on */

/* The protocol of the tables that have the flows of a protocol. */
static inline __u8 flow_table_protocol(__u8 l4_proto, __u8 ip_version)
{
	return l4_has_ports(l4_proto) || l4_is_icmp(l4_proto, ip_version) ? l4_proto
									  : CONNTRACK_OTHER;
}

/*
 * Both directions of a flow share one key: end 0 is the one with the lower (address, port),
 * compared as bytes in network order.  For ICMP echo, which either end may start with the same
 * identifier, port[0] is the identifier and port[1] the number of the end that sent the requests.
 * Protocols without ports have two zeroes.
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
	STATE(CLOSED, "closed") /* over: the entry stays FLOW_CLOSED_NS for what is late */        \
	STATE(UDP, "udp")                                                                          \
	STATE(ICMP, "icmp")                                                                        \
	STATE(OTHER, "other")		/* any other protocol: no ports, nor states */             \
	STATE(UDP_STREAM, "udp_stream") /* forwarded, more than a question and its answer */

enum flow_state {
#define STATE(id, name) FLOW_STATE_##id,
	FLOW_STATES(STATE)
#undef STATE
		FLOW_STATE_MAX,
};

enum flow_flags {
	FLOW_BY_PEER = 1 << 0,	   /* opened by a packet that arrived on the interface */
	FLOW_ANSWERED = 1 << 1,	   /* the other end has sent something; set once */
	FLOW_FORWARD = 1 << 2,	   /* handed to the userspace forwarder */
	FLOW_LOCAL = 1 << 3,	   /* judged last as towards an address of this host */
	FLOW_HAIRPIN = 1 << 4,	   /* the peer's packets leave again by the same interface */
	FLOW_CONFIRMED = 1 << 5,   /* lives in the confirmed tier */
	FLOW_REVOKED = 1 << 6,	   /* datagrams of a peer, ended by a change of policy */
	FLOW_MASQUERADED = 1 << 7, /* FLOW_FORWARD by NAT: leaves by an uplink */
};

#define FLOW_CLOSED_NS (10ull * NS_PER_S) /* as nf_conntrack_tcp_timeout_close */

/*
 * What one end of a TCP connection has said of itself; sequence numbers in host byte order.  None
 * of them is ever lowered.
 */
struct flow_side {
	__u32 end; /* the sequence number after the last one that it has sent; SYN and FIN count */
	__u32 acked;  /* the highest acknowledgment number that it has sent */
	__u32 window; /* the largest window that it has offered, bytes */
};
_Static_assert(sizeof(struct flow_side) == 12, "struct flow_side is ABI");

/* Bits of struct flow.sides: what has been seen of side 0 (the opener) and 1. */
#define FLOW_SIDE_SEEN(side)   (1u << (side))  /* a segment that counted: side[].end holds */
#define FLOW_SIDE_ACKED(side)  (4u << (side))  /* with an ACK: side[].acked and window hold */
#define FLOW_SIDE_SCALES(side) (16u << (side)) /* its SYN had a window scale option (RFC 7323) */
#define FLOW_REOPENING	       64u /* the opener has sent a SYN in an open connection: see proof */
#define FLOW_FRAGMENTED                                                                            \
	128u /* a first fragment has come: an end may have sent more than side[].end */

#define FLOW_SCALE_MAX 14 /* RFC 7323, section 2.3 */

/*
 * A tracked flow.  Index 0 of the counters is the opener's direction, index 1 the other.  Packets
 * and bytes (IP bytes) are atomic adds; every other field is a plain store, made only when its
 * value changes, and a race between two CPUs leaves one of the two values that raced.
 */
struct flow {
	__u64 last_seen_ns; /* CLOCK_MONOTONIC of the last packet that counted, some ms coarse */
	__u64 packets[2];
	__u64 bytes[2];
	__u32 generation; /* of the policy that judged it last; flows of this host: that opened it */
	__u32 rule;  /* number of the deciding rule (rule.h), RULE_NONE for flows of this host */
	__u16 epoch; /* low bits of ct_epoch_v1 when it was judged last */
	__u8 state;  /* enum flow_state */
	__u8 flags;  /* enum flow_flags */
	__u8 opener; /* end of the key that opened it, 0 or 1; never changes */
	__u8 sides;  /* TCP: FLOW_SIDE_* */
	__u8 scale; /* TCP: shift of the opener's window in the low half, of the other's in the high */
	__u8 reopen_scale; /* TCP: that of the SYN of FLOW_REOPENING, more than the maximum: none */
	struct flow_side side[2]; /* TCP: of the opener, and of the other end */
	__u32 proof; /* TCP, opening: the lowest acknowledgment number that proves receipt of our SYN */
	union {
		__be16 nat_port; /* destination port before port translation, 0: not translated */
		__be16 snat_port; /* FLOW_MASQUERADED: the peer's, or its identifier, on the uplink */
	};
	__u8 uplink;	  /* FLOW_MASQUERADED: index of struct masquerade.uplinks */
	__u8 route_epoch; /* FLOW_MASQUERADED: struct masquerade.epoch at its last route look-up */
	__u64 created_ns; /* when the flow was opened; differs between reincarnations of a key */
};
_Static_assert(sizeof(struct flow) == 96, "struct flow is ABI");

/* Destination port of a flow before port translation, 0: not translated. */
static inline __be16 flow_nat_port(const struct flow *flow)
{
	return flow->flags & FLOW_MASQUERADED ? 0 : flow->nat_port;
}

struct served_key {
	union addr peer;
	union addr local; /* of this host, or of a host behind it */
	__be16 port;	  /* of @local; 0 where the protocol has none */
	__u8 l4_proto;
	__u8 ip_version; /* enum ip_version */
	__u8 pad[4];
};
_Static_assert(sizeof(struct served_key) == 40, "struct served_key is ABI");

struct served {
	__u64 last_seen_ns; /* CLOCK_MONOTONIC when a rule let a packet to it in last, or it answered */
	__u32 generation; /* of the policy whose rule allowed that */
	__u32 rule;
	__u16 epoch;
	__u8 flags; /* enum flow_flags of the flow */
	__u8 pad[5];
};
_Static_assert(sizeof(struct served) == 24, "struct served is ABI");

#define SERVED_MAX     8192
#define SERVED_NOTE_NS NS_PER_S /* how old last_seen_ns may be */

#endif /* SHRIKE_FLOW_H */
