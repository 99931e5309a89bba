/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Address and port translation, both stateless tables of the policy.
 *
 * Map nat_port_v1 (HASH): destination port of inbound packets to local addresses, before the
 * ACLs; struct nat_port_key -> struct nat_port.  An all-zero address stands for every local one.
 * Maps nat_orig_v1, nat_trans_v1 (HASH): 1:1 translation, union addr -> union addr.  nat_orig maps
 * the destination of outbound packets original -> translated, nat_trans the source of inbound
 * packets back.
 */
#ifndef SHRIKE_NAT_H
#define SHRIKE_NAT_H

#include "abi.h"

struct nat_port_key {
	union addr addr;
	__be16 port;
	__u8 l4_proto; /* 6 or 17 */
	__u8 pad[5];
};
_Static_assert(sizeof(struct nat_port_key) == 24, "struct nat_port_key is ABI");

struct nat_port {
	__be16 to;
	__u8 pad[2];
};
_Static_assert(sizeof(struct nat_port) == 4, "struct nat_port is ABI");

#endif /* SHRIKE_NAT_H */
