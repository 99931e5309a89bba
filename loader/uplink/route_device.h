/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The device as whose input the programs ask for routes (masquerade.h): the kernel looks up none as
 * of devices that do not forward, and no device of the host is to begin to.
 *
 * It is a TUN device that nobody reads, without an address, never up, so that nothing comes in
 * there, and stays when its maker ends.
 */
#ifndef SHRIKE_UPLINK_ROUTE_DEVICE_H
#define SHRIKE_UPLINK_ROUTE_DEVICE_H

#include <stdint.h>

#include "base/error.h"

int route_device_make(const char *ifname, uint32_t *ifindex, struct error *error);
int route_device_remove(const char *ifname, struct error *error);

#endif /* SHRIKE_UPLINK_ROUTE_DEVICE_H */
