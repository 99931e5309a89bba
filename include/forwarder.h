/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map forwarder_v2 (ARRAY, one entry, mapped into the forwarder): what the forwarder does.
 *
 * Written by the forwarder alone, with plain stores; while none runs, `run` clears the gauges and
 * settles what was lost with the last one.  The totals count since the interface was attached, over
 * all forwarders that served it.
 */
#ifndef SHRIKE_FORWARDER_H
#define SHRIKE_FORWARDER_H

#include "abi.h"

/*
 * Mark of the packets that the forwarder sends out of the interface.  They follow the peer's
 * connection; where its entry is gone they open none, as this host's own packets do.  Packets on
 * their way into its TUN device have it as well.
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

/*
 * Map forward_tun_v1 (ARRAY, one entry): the forwarder's device to which TC redirects.  Written by
 * the forwarder when the device is ready; `run` clears it when the forwarder ends.
 */
struct forward_tun {
	__u32 ifindex;		 /* 0: there is none */
	__u32 protected_ifindex; /* of the interface whose packets it takes */
};
_Static_assert(sizeof(struct forward_tun) == 8, "struct forward_tun is ABI");

/* GAUGE(name): all zero while no forwarder runs */
#define FORWARDER_GAUGES(GAUGE)                                                                    \
	GAUGE(pid)                                                                                 \
	GAUGE(queues)	       /* AF_XDP sockets, or its TUN device */                             \
	GAUGE(tcp_connections) /* with both their sockets connected */                             \
	GAUGE(tcp_dials)       /* in flight */                                                     \
	GAUGE(udp_flows)                                                                           \
	GAUGE(udp_endpoints) /* sockets for them: one for each address and port of a peer */       \
	GAUGE(echo_flows)                                                                          \
	GAUGE(peers)	 /* that it knows */                                                       \
	GAUGE(fragments) /* that wait for the rest of their datagram */

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
	TOTAL(refused_limit)   /* openings for want of flows or descriptors */                     \
	TOTAL(refused_ports)   /* openings for want of a port of this host */                      \
	TOTAL(displaced)       /* flows and dials, for those of a peer that had fewer */           \
	TOTAL(udp_unasked)     /* datagrams from where the peer had sent none */                   \
	TOTAL(errors_limited)  /* ICMP errors that were not sent, as there were many */            \
	TOTAL(udp_overflow)    /* answers that a socket had no room for */                         \
	TOTAL(revoked)	       /* flows cut by a change of policy */                               \
	TOTAL(bytes_up)	       /* payload relayed from peers */                                    \
	TOTAL(bytes_down)      /* payload relayed to peers */                                      \
	TOTAL(rx_packets)      /* received; a GSO packet counts once */                            \
	TOTAL(rx_divided)      /* datagrams of GSO packets, but the first of each */               \
	TOTAL(rx_relayed)      /* given on: to the private namespace's TCP, or to the host */      \
	TOTAL(rx_joined)       /* fragments that have become part of a datagram before them */     \
	TOTAL(rx_before)       /* forwarded before this map was there */                           \
	TOTAL(echo_overflow)   /* answers to anybody's pings that a socket had no room for */      \
	TOTAL(tx_packets)      /* sent out of the interface; a GSO packet counts once */           \
	TOTAL(tx_failed)       /* of these: refused by the kernel */                               \
	TOTAL(tx_full)	       /* not sent, as the packet socket had no room */

/* LOSS(name, help): packets that the dataplane has forwarded and no forwarder has received */
#define FORWARDER_WAY_LOSSES(LOSS)                                                                 \
	LOSS(rx_oversize, "larger than a frame of AF_XDP")                                         \
	LOSS(rx_no_frame, "no frame of AF_XDP was free")                                           \
	LOSS(rx_ring_full, "no room in a receive ring of AF_XDP")                                  \
	LOSS(rx_queue_full, "no room in the queue of the TUN device")                              \
	LOSS(rx_unread, "waited for a forwarder that ended")

/* LOSS(name, help): packets that a forwarder has received and not relayed */
#define FORWARDER_LOSSES(LOSS)                                                                     \
	LOSS(rx_ignored, "not understood, or not of a protocol forwarded")                         \
	LOSS(rx_corrupt, "with a wrong checksum")                                                  \
	LOSS(rx_expired, "answered, as their time to live was over")                               \
	LOSS(rx_refused, "open what cannot be opened; most are answered")                          \
	LOSS(rx_repeated, "ask again for what is being dialled")                                   \
	LOSS(rx_unwritten, "not taken by the private namespace's device")                          \
	LOSS(rx_unsent, "not taken by a socket of the host")                                       \
	LOSS(rx_fragments, "fragments whose rest has not come")                                    \
	LOSS(rx_unfinished, "in work of a forwarder that ended")

struct forwarder_status {
#define GAUGE(name) __u32 name;
	FORWARDER_GAUGES(GAUGE)
#undef GAUGE
	__u32 pad;
#define TOTAL(name) __u64 name;
	FORWARDER_TOTALS(TOTAL)
#undef TOTAL
#define LOSS(name, help) __u64 name;
	FORWARDER_WAY_LOSSES(LOSS)
	FORWARDER_LOSSES(LOSS)
#undef LOSS
};
_Static_assert(sizeof(struct forwarder_status) == 360, "struct forwarder_status is ABI");

/*
 * What of the packets that the dataplane has forwarded is neither received nor in a named loss: 0,
 * but for what is on its way.
 */
static inline __s64 forwarder_unreceived(const struct forwarder_status *status, __u64 forwarded)
{
	__s64 rest = forwarded - status->rx_packets - status->rx_before;

#define LOSS(name, help) rest -= status->name;
	FORWARDER_WAY_LOSSES(LOSS)
#undef LOSS
	return rest;
}

/* What of the packets received is neither relayed nor waiting nor in a named loss: 0 at rest. */
static inline __s64 forwarder_unrelayed(const struct forwarder_status *status)
{
	__s64 rest = status->rx_packets + status->rx_divided - status->rx_relayed -
		     status->rx_joined;

	rest -= status->tcp_dials + status->fragments; /* each dial holds a SYN */
#define LOSS(name, help) rest -= status->name;
	FORWARDER_LOSSES(LOSS)
#undef LOSS
	return rest;
}

#endif /* SHRIKE_FORWARDER_H */
