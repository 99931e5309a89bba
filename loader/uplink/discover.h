/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which devices are uplinks: those that routes lead to, that have an address and that belong to no
 * overlay, or those that the policy names.
 */
#ifndef SHRIKE_UPLINK_DISCOVER_H
#define SHRIKE_UPLINK_DISCOVER_H

#include "kernel/netlink.h"
#include "masquerade.h"
#include "policy/policy.h"

/*
 * struct uplink_device - a device by which flows may leave
 * @addr: their source over IPv4 and IPv6; all zero: none
 */
struct uplink_device {
	struct link_info link;
	union addr addr[2];
};

/* struct uplink_devices - all of them; more than UPLINKS_MAX are not used */
struct uplink_devices {
	union addr own[2]; /* addresses of the protected interface, as of a device */
	struct uplink_device list[UPLINKS_MAX];
	size_t n;
};

int uplinks_discover(const struct policy_uplinks *wanted, int protected_ifindex,
		     struct uplink_devices *devices, struct error *error);
bool uplinks_local_ports(struct masquerade_ports *local);

#endif /* SHRIKE_UPLINK_DISCOVER_H */
