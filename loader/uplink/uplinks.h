/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The uplinks of a protected interface: the programs on them, and what these know of the host
 * (masquerade.h).  Asks the kernel, and keeps nothing but the links' descriptors.
 */
#ifndef SHRIKE_UPLINK_UPLINKS_H
#define SHRIKE_UPLINK_UPLINKS_H

#include "kernel/hooks.h"
#include "kernel/pins.h"
#include "uplink/discover.h"
#include "uplink/reserve.h"

/*
 * struct uplinks - what to bring up to date
 * @ifname, @ifindex, @mtu: of the protected interface
 * @wanted: of its policy
 * @masquerade: what the programs know; becomes what there is now
 * @maps: ct_epoch_v1, and one of those with answers
 * @prog_fds: the programs for uplinks with and without a link header; all uplinks get them
 * @reserved: where the caller stays: ports that it holds if too few others are left; else NULL
 * @link_fds: of the BPF links, by index of masquerade.uplinks; -1: none, as with clsact; the caller's
 */
struct uplinks {
	const char *ifname;
	int ifindex;
	uint32_t mtu;
	const struct policy_uplinks *wanted;
	struct masquerade *masquerade;
	struct hook_maps maps;
	const int *prog_fds;
	struct reserved_ports *reserved;
	int *link_fds;
};

/* The kernel's default of ip_local_port_range. */
#define UPLINKS_LOCAL_PORTS                                                                        \
	{                                                                                          \
		32768, 60999                                                                       \
	}

void uplinks_set_ports(const struct policy_uplinks *wanted, struct masquerade_ports local,
		       struct masquerade_ports ports[2]);
int uplinks_sync(const struct uplinks *uplinks, struct error *error);
int uplinks_detach(const struct hook_maps *maps, struct error *error);
int uplinks_pin(const struct masquerade *masquerade, const struct hook_maps *maps,
		struct pins *pins, struct error *error);

#endif /* SHRIKE_UPLINK_UPLINKS_H */
