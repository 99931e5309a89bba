/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's socket for each address and port from which a peer sends datagrams.
 *
 * It is not connected and has the peer's port where that is free, so all destinations see the peer
 * at one port (endpoint-independent mapping, RFC 4787).  What comes in is for udp.c to filter.
 */
#ifndef SHRIKE_FORWARD_UDP_ENDPOINT_H
#define SHRIKE_FORWARD_UDP_ENDPOINT_H

#include "forward/state.h"

/*
 * struct udp_endpoint - one address and port of a peer
 * @name: with the peer's end; @is_translated: and with the one destination that it is for
 * @is_translated: that destination is an address of the overlay and dialled as localhost
 * @flows: that use it; the last one closes it
 * @ttl: of the socket, 0: not set
 * @tos: type of service, or traffic class, of the socket
 * @dont_fragment: of the socket, -1: not set
 * @overflows: datagrams that the kernel had no room for, as it has said until now
 */
struct udp_endpoint {
	struct udp_endpoint *next;
	TAILQ_ENTRY(udp_endpoint) dead;
	struct watch watch;
	struct flow_name name;
	bool is_translated;
	int fd;
	uint32_t flows;
	int ttl;
	int tos;
	int dont_fragment;
	uint32_t overflows;
};

int udp_endpoint_get(struct worker *w, const struct flow_name *name, const union addr *to,
		     watch_ready ready, struct udp_endpoint **endpoint);
void udp_endpoint_put(struct worker *w, struct udp_endpoint *endpoint);
void udp_endpoint_overflow(struct worker *w, struct udp_endpoint *endpoint, uint32_t total);
void udp_endpoint_losses(struct worker *w, struct udp_endpoint *endpoint);
void udp_endpoints_reap(struct worker *w);

#endif /* SHRIKE_FORWARD_UDP_ENDPOINT_H */
