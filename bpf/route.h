/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel's routing is asked of a packet (bpf_fib_lookup()).
 */
#ifndef SHRIKE_ROUTE_H
#define SHRIKE_ROUTE_H

#include "packet.h"

#define AF_INET	 2
#define AF_INET6 10

/**
 * route_query_set() - Ask for the route of a packet, as routing rules may choose it
 * @fib: set but for the device that the packet came in by, and its type of service
 * @p: the packet
 */
static __always_inline void route_query_set(struct bpf_fib_lookup *fib, const struct packet *p)
{
	fib->l4_protocol = p->l4_proto;
	if (p->ip_version == IP_VERSION_4) {
		fib->family = AF_INET;
		fib->ipv4_src = p->saddr.word[3];
		fib->ipv4_dst = p->daddr.word[3];
	} else {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_src, &p->saddr, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, &p->daddr, sizeof(fib->ipv6_dst));
	}
	if (l4_has_ports(p->l4_proto)) {
		fib->sport = p->sport;
		fib->dport = p->dport;
	}
}

#endif /* SHRIKE_ROUTE_H */
