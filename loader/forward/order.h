/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The messages between the forwarder's parent and its child.
 */
#ifndef SHRIKE_FORWARD_ORDER_H
#define SHRIKE_FORWARD_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "forward/udp_supply.h"

#define LINK_ADDR_LEN 6
#define MESSAGE_MAX   256

/* What the parent sends: with a new generation, and first of all. */
struct forward_order {
	struct config config;
	uint32_t mtu;
	uint32_t icmp_max; /* echo identifiers */
	union addr own[2]; /* the interface's addresses, IPv4 and IPv6; zero: none */
	uint8_t mac[LINK_ADDR_LEN];
};

/* AF_XDP sockets of a device that has come, and the memory of their packets; in several messages. */
struct forward_queues {
	uint32_t first; /* of this message */
	uint32_t total;
	uint32_t frames; /* of each */
};

/* What the parent sends. */
struct forward_message {
	enum {
		FORWARD_MESSAGE_ORDER,
		FORWARD_MESSAGE_QUEUES,
		FORWARD_MESSAGE_HAND_OVER, /* with the end of a pair to do it by */
		FORWARD_MESSAGE_INQUIRY, /* what has the kernel counted on the sockets? packets are missed */
	} kind;
	union {
		struct forward_order order;
		struct forward_queues queues;
	};
};

/* Descriptors that come with an order, in this order. */
enum forward_fd {
	FORWARD_FD_LOCAL_ADDR,	 /* local_addr_v1 */
	FORWARD_FD_LOCAL_PREFIX, /* local_prefix_v1 */
	FORWARD_FD_XSKS,	 /* xsks_v1 */
	FORWARD_FD_STATUS,	 /* forwarder_v2 */
	FORWARD_FD_TUN,		 /* forward_tun_v1 */
	FORWARD_FDS,
	/* and behind them, with a new generation: its ingress program as a dry run */
	FORWARD_FD_JUDGE = FORWARD_FDS,
	FORWARD_FDS_NEW,
};

/* What the child sends, with a netlink socket of the private namespace when it is ready. */
struct forward_report {
	bool is_ready; /* else the text is what went wrong, and the child ends */
	char text[MESSAGE_MAX];
};

/* What the worker is started with. */
struct worker_start {
	struct forward_order order;
	int fds[FORWARD_FDS];
	int control_fd;	 /* the child's end of the pair */
	int handover_fd; /* what an earlier forwarder has left, -1: nothing */
	int supply_fds[UDP_SUPPLIES];
	struct heartbeat *heartbeat;
	char ifname[16];
	uint32_t queues; /* receive queues of the interface */
};

#endif /* SHRIKE_FORWARD_ORDER_H */
