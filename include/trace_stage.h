/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The stages of a packet's way and what a trace says about each.
 *
 * A packet takes every stage at most once and in this order, so its record is one message per
 * stage; MESSAGE_NONE where it did not come by.
 */
#ifndef SHRIKE_TRACE_STAGE_H
#define SHRIKE_TRACE_STAGE_H

#include "abi.h"

/* STAGE(id, title) */
#define STAGES(STAGE)                                                                              \
	STAGE(RECEIVED, "Received")                                                                \
	STAGE(NAT_PORT_IN, "Inbound Port DNAT")                                                    \
	STAGE(NAT_ONE_IN, "Inbound 1:1 NAT")                                                       \
	STAGE(CONNTRACK, "Connection Tracking")                                                    \
	STAGE(ROUTING, "Routing")                                                                  \
	STAGE(PEER_ACL, "Peer ACL")                                                                \
	STAGE(ROUTE_ACL, "Route ACL")                                                              \
	STAGE(FORWARDING, "Forwarding")                                                            \
	STAGE(NAT_ONE_OUT, "Outbound 1:1 NAT")                                                     \
	STAGE(NAT_PORT_OUT, "Outbound DNAT Reverse")                                               \
	STAGE(COMPLETED, "Completed")

enum stage {
#define STAGE(id, title) STAGE_##id,
	STAGES(STAGE)
#undef STAGE
		STAGE_MAX,
};

/*
 * MESSAGE(id, allowed, text): %P protocol, %T "A:P -> B:P", %F TCP flags or ICMP id and sequence,
 * %R rule id or <no id>, %D destination "IP:PORT", %N "A:P to B:P via DEVICE" of NAT, %H help text of
 * the reason.
 */
#define MESSAGES(MESSAGE)                                                                          \
	MESSAGE(NONE, 0, "")                                                                       \
	MESSAGE(RECEIVED, 1, "Received %P packet: %T")                                             \
	MESSAGE(NAT_APPLIED, 1, "Translated: %T")                                                  \
	MESSAGE(NAT_NONE, 1, "No translation applies")                                             \
	MESSAGE(CT_NONE, 0, "No existing connection found")                                        \
	MESSAGE(CT_MATCH, 1, "Matched existing connection state (%F)")                             \
	MESSAGE(CT_JUDGE, 1, "Connection opened by a peer, checking ACLs")                         \
	MESSAGE(CT_RELATED, 1, "Quotes an existing connection")                                    \
	MESSAGE(CT_OTHER, 0, "Not part of the existing connection, checking ACLs (%F)")            \
	MESSAGE(BLOCKED, 0, "Blocked by 'shrike policy block', whatever the rules say")            \
	MESSAGE(ROUTE_LOCAL, 1, "Packet destined for local delivery")                              \
	MESSAGE(ROUTE_ENABLED, 1, "Routing enabled, checking ACLs")                                \
	MESSAGE(ROUTE_DISABLED, 0, "Routing disabled")                                             \
	MESSAGE(ROUTE_NATIVE, 1, "Using native router, skipping ACL checks")                       \
	MESSAGE(PEER_ALLOWED, 1, "Allowed by peer ACL rules (%R)")                                 \
	MESSAGE(PEER_BLOCKED, 0, "Blocked by peer ACL rules (%R)")                                 \
	MESSAGE(ACL_ALLOWED, 1, "Allowed by route ACLs (%R)")                                      \
	MESSAGE(ACL_BLOCKED, 0, "Blocked by route ACLs (%R)")                                      \
	MESSAGE(FORWARD_REMOTE, 1, "Forwarding to proxy-remote [proxy-remote to %D]")              \
	MESSAGE(FORWARD_NAT, 1, "Forwarding to nat [%N]")                                          \
	MESSAGE(FORWARD_BACK, 1, "Forwarding back by the interface it came in by")                 \
	MESSAGE(FORWARD_REFUSED, 0, "Not forwarded: %H")                                           \
	MESSAGE(FORWARD_LOCAL, 1, "Forwarding to proxy-local")                                     \
	MESSAGE(FORWARD_NATIVE, 1, "Forwarding via native router")                                 \
	MESSAGE(FORWARD_NONE, 0, "No forwarder is running")                                        \
	MESSAGE(DONE, 1, "Processing completed")                                                   \
	MESSAGE(DONE_TRACKED, 1, "Packet allowed by connection tracking")                          \
	MESSAGE(DONE_VIRTUAL, 1, "Packet sent to virtual stack")                                   \
	MESSAGE(DONE_OUTGOING, 1, "Packet allowed (outgoing)")                                     \
	MESSAGE(DONE_ACL, 0, "Packet dropped - ACL denied")                                        \
	MESSAGE(DONE_ROUTING, 0, "Packet dropped - routing disabled")                              \
	MESSAGE(DONE_DROPPED, 0, "Packet dropped - %H")

enum trace_message {
#define MESSAGE(id, allowed, text) MESSAGE_##id,
	MESSAGES(MESSAGE)
#undef MESSAGE
		MESSAGE_MAX,
};

#endif /* SHRIKE_TRACE_STAGE_H */
