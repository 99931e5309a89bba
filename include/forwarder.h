/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map forwarder_v2 (ARRAY, one entry, mapped into the forwarder): what the forwarder does.
 *
 * Written by the forwarder alone, with plain stores; `run` clears the gauges when it ends.  The
 * totals count since the interface was attached, over all forwarders that served it.
 */
#ifndef SHRIKE_FORWARDER_H
#define SHRIKE_FORWARDER_H

#include "abi.h"

/*
 * Mark of the packets that the forwarder sends out of the interface.  They follow the peer's
 * connection; where its entry is gone they open none, as this host's own packets do.
 */
#define FORWARDER_MARK 0x73687269

#define FORWARDER_QUEUES 4096 /* slots of xsks_v1: receive queues that a device may have */

/*
 * Bytes of the largest IP packet that AF_XDP delivers: a chunk of 4,096 without the headroom of XDP
 * and, behind a link header, what aligns the packet.  The kernel drops a larger one.
 */
#define FORWARDER_PACKET_MAX 3840

static inline __u32 forwarder_packet_max(__u8 l2_len)
{
	return FORWARDER_PACKET_MAX - (l2_len ? l2_len + 2 : 0);
}

/* GAUGE(name): all zero while no forwarder runs */
#define FORWARDER_GAUGES(GAUGE)                                                                    \
	GAUGE(pid)                                                                                 \
	GAUGE(queues)	       /* AF_XDP sockets */                                                \
	GAUGE(tcp_connections) /* with both their sockets connected */                             \
	GAUGE(tcp_dials)       /* in flight */                                                     \
	GAUGE(udp_flows)                                                                           \
	GAUGE(echo_flows)

/* TOTAL(name) */
#define FORWARDER_TOTALS(TOTAL)                                                                    \
	TOTAL(starts)	       /* forwarders that became ready */                                  \
	TOTAL(tcp_opened)      /* connections that came about */                                   \
	TOTAL(tcp_refused)     /* by their destination */                                          \
	TOTAL(tcp_unreachable) /* destinations that could not be reached */                        \
	TOTAL(tcp_timed_out)   /* dials without an answer */                                       \
	TOTAL(tcp_deferred)    /* SYNs dropped, as too many dials were in flight */                \
	TOTAL(refused_route)   /* openings whose way leads back into the interface */              \
	TOTAL(refused_local)   /* openings whose destination is this host */                       \
	TOTAL(refused_limit)   /* openings for want of flows, descriptors or ports */              \
	TOTAL(revoked)	       /* flows cut by a change of policy */                               \
	TOTAL(bytes_up)	       /* payload relayed from peers */                                    \
	TOTAL(bytes_down)      /* payload relayed to peers */                                      \
	TOTAL(rx_packets)      /* taken from AF_XDP sockets */                                     \
	TOTAL(rx_ignored)      /* of these: not understood, or not of a protocol forwarded */      \
	TOTAL(rx_corrupt) /* of these: with a wrong checksum; of a datagram in fragments: one */   \
	TOTAL(tx_packets) /* sent out of the interface; a GSO packet counts once */                \
	TOTAL(tx_failed)  /* of these: refused by the kernel */

struct forwarder_status {
#define GAUGE(name) __u32 name;
	FORWARDER_GAUGES(GAUGE)
#undef GAUGE
#define TOTAL(name) __u64 name;
	FORWARDER_TOTALS(TOTAL)
#undef TOTAL
};
_Static_assert(sizeof(struct forwarder_status) == 160, "struct forwarder_status is ABI");

#endif /* SHRIKE_FORWARDER_H */
