/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rtnetlink says of TUN devices alone.
 */
#ifndef SHRIKE_KERNEL_TUN_LINK_H
#define SHRIKE_KERNEL_TUN_LINK_H

#include <stdbool.h>

struct nl_sock;

int tun_link_read(struct nl_sock *socket, int ifindex, bool *vnet_hdr);

#endif /* SHRIKE_KERNEL_TUN_LINK_H */
