/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the forwarder has to know of its interface, as it sends packets out of it itself.
 */
#ifndef SHRIKE_FORWARD_INTERFACE_H
#define SHRIKE_FORWARD_INTERFACE_H

#include <stdint.h>

#include "forward/order.h"

void interface_addresses(int ifindex, union addr own[2]);
void interface_mac(const char *ifname, uint8_t mac[LINK_ADDR_LEN]);

#endif /* SHRIKE_FORWARD_INTERFACE_H */
