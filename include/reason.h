/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet got its verdict: one list of ids, names and explanations.
 *
 * Every packet ends with exactly one reason.  The names are promises to users (status, trace,
 * scenario files); ids may change between versions, counters are read by name.
 */
#ifndef SHRIKE_REASON_H
#define SHRIKE_REASON_H

#include "abi.h"

/* REASON(id, name, help): reasons that pass or forward a packet */
#define REASONS_ALLOW(REASON)                                                                      \
	REASON(ESTABLISHED, "established", "belongs to a tracked connection")                      \
	REASON(RELATED, "related", "ICMP error that quotes a tracked connection")                  \
	REASON(PEER_ACL_ALLOWED, "peer_acl_allowed", "allowed by a rule of peer_acl")              \
	REASON(ROUTE_ACL_ALLOWED, "route_acl_allowed", "allowed by a rule of route_acl")           \
	REASON(NATIVE_ROUTER, "native_router", "left to the kernel's router, ACL not asked")       \
	REASON(LINK_HOUSEKEEPING, "link_housekeeping",                                             \
	       "ARP, neighbour discovery, MLD, or looped back")                                    \
	REASON(FRAGMENT_ALLOWED, "fragment_allowed", "later fragment of an allowed datagram")      \
	REASON(NOT_TRANSLATED, "not_translated", "by an uplink, for none of the peers")            \
	REASON(OUTBOUND, "outbound", "sent by or through this host")                               \
	REASON(OUTBOUND_UNPARSED, "outbound_unparsed", "sent by this host, not understood")

/* REASON(id, name, help): reasons that drop a packet */
#define REASONS_DROP(REASON)                                                                       \
	REASON(NOT_IP, "not_ip", "frame is neither IPv4, IPv6 nor ARP")                            \
	REASON(BAD_IP_HEADER, "bad_ip_header", "IP version or header length is wrong")             \
	REASON(BAD_IP_LENGTH, "bad_ip_length", "IP length does not fit the packet")                \
	REASON(BAD_EXT_HEADER, "bad_ext_header", "IPv6 extension header not accepted")             \
	REASON(BAD_TRANSPORT, "bad_transport", "transport header is cut short or wrong")           \
	REASON(FRAGMENT_TINY, "fragment_tiny", "first fragment lacks the transport header")        \
	REASON(FRAGMENT_UNKNOWN, "fragment_unknown", "no verdict known for this datagram")         \
	REASON(FRAGMENT_OVERLAP, "fragment_overlap", "fragment overlaps the first one")            \
	REASON(FRAGMENT_TOO_LONG, "fragment_too_long", "fragment ends beyond 65535 bytes")         \
	REASON(MARTIAN_SOURCE, "martian_source", "source address cannot come from a peer")         \
	REASON(MARTIAN_DEST, "martian_destination", "destination address is never routed")         \
	REASON(SOURCE_ROUTE, "source_route", "IPv4 option that routes by the sender's wish")       \
	REASON(PEER_ACL_DENIED, "peer_acl_denied", "denied by a rule of peer_acl")                 \
	REASON(PEER_ACL_DEFAULT, "peer_acl_default", "no rule of peer_acl allows it")              \
	REASON(ROUTE_ACL_DENIED, "route_acl_denied", "denied by a rule of route_acl")              \
	REASON(ROUTE_ACL_DEFAULT, "route_acl_default", "no rule of route_acl allows it")           \
	REASON(OVERLAY_BLOCKED, "overlay_blocked", "routed towards the overlay itself")            \
	REASON(ROUTING_DISABLED, "routing_disabled", "not for this host, and routing is off")      \
	REASON(NO_FORWARDER, "no_forwarder", "allowed, but no userspace forwarder is running")     \
	REASON(NO_ROUTE, "no_route", "no route leads to an uplink")                                \
	REASON(NO_NEIGHBOUR, "no_neighbour", "the next hop does not answer ARP or its like")       \
	REASON(UPLINK_DOWN, "uplink_down", "its uplink is gone, or has no address")                \
	REASON(NO_PORT, "no_port", "no port of the uplink's address is free")                      \
	REASON(REMOTE_TAKEN, "remote_taken", "another peer talks this protocol with that host")    \
	REASON(LINK_MULTICAST, "link_multicast", "unicast packet in a frame to a group of hosts")  \
	REASON(FILTERED, "filtered", "for a peer's port on an uplink, which has not asked for it") \
	REASON(NO_FLOW, "no_flow", "for a translated connection that has ended")                   \
	REASON(TTL, "ttl", "time to live or hop limit is over")                                    \
	REASON(TOO_BIG, "too_big", "larger than the next link takes")                              \
	REASON(BLOCKED, "blocked", "from or to a peer that 'policy block' has cut off")            \
	REASON(INTERNAL, "internal", "a table of the dataplane is missing; please report")

#define REASONS(REASON) REASONS_ALLOW(REASON) REASONS_DROP(REASON)

enum reason {
#define REASON(id, name, help) REASON_##id,
	REASONS(REASON)
#undef REASON
		REASON_MAX,
	REASON_FIRST_DROP = REASON_NOT_IP,
};

/* Whether packets with this reason are dropped; the others pass or are forwarded. */
static inline int reason_is_drop(enum reason reason)
{
	return reason >= REASON_FIRST_DROP;
}

#endif /* SHRIKE_REASON_H */
