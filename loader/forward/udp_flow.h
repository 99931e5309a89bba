/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flow of UDP: an address and port of a peer, and one destination that it has asked.
 */
#ifndef SHRIKE_FORWARD_UDP_FLOW_H
#define SHRIKE_FORWARD_UDP_FLOW_H

#include "forward/state.h"

#define STREAM_DATAGRAMS 3     /* the dataplane's rule (udp_state() in flow_life.h) */
#define SEGMENTED_MAX	 65000 /* bytes that are divided */

struct udp_flow {
	struct flow_entry entry;
	struct udp_endpoint *endpoint;
	union addr to;	   /* what the destination is dialled as */
	bool undivided;	   /* the kernel does not divide what goes there */
	bool is_local;	   /* this host is the destination */
	bool answered;	   /* it has sent something */
	uint8_t datagrams; /* of both ends, STREAM_DATAGRAMS at most */
};

static inline struct udp_flow *udp_flow_of(struct flow_entry *entry)
{
	return container_of(entry, struct udp_flow, entry);
}

#endif /* SHRIKE_FORWARD_UDP_FLOW_H */
