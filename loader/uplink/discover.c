/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "uplink/discover.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hooks.h"
#include "kernel/routes.h"

/* fe80::/10 (RFC 4291), and loopback of either family: no source for what leaves the link. */
static bool is_source(const struct interface_address *address)
{
	static const union addr loopback6 = {.bytes = {[15] = 1}};
	const uint8_t *bytes = address->addr.bytes;

	if (address->ip_version == IP_VERSION_4)
		return bytes[12] != 127;
	return (bytes[0] != 0xfe || (bytes[1] & 0xc0) != 0x80) &&
	       memcmp(bytes, &loopback6, sizeof(loopback6)) != 0;
}

static bool is_none(const union addr *addr)
{
	return !addr->half[0] && !addr->half[1];
}

/* The first address of each family, unless there is one already. */
static void set_sources(union addr sources[2], int ifindex,
			const struct interface_address *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		union addr *addr = &sources[addresses[i].ip_version == IP_VERSION_6];

		if (addresses[i].ifindex == ifindex && is_none(addr) && is_source(&addresses[i]))
			*addr = addresses[i].addr;
	}
}

static bool is_protected(int ifindex)
{
	struct hook_state hooks[HOOK_POINTS] = {};
	struct error ignored; /* who attaches to the device will meet it again */

	if (hooks_query(ifindex, hooks, &ignored))
		return false;
	for (enum hook_point point = 0; point < HOOK_POINTS; point++)
		if (hooks[point].prog_id)
			return true;
	return false;
}

/*
 * Whether a device that nobody has named leads out.  Other overlays do not: they would carry peers'
 * packets under the name of this host.  A TUN device is a VPN's, which may be the way to everything.
 */
static bool leads_out(const struct link_info *link, const struct routed_device *routed)
{
	return strcmp(link->kind, "wireguard") &&
	       (strcmp(link->kind, "tun") || routed->is_default) && !is_protected(link->ifindex);
}

/* A device that is gone, or whose packets cannot be read, is no uplink. */
static bool fill_device(const struct policy_uplinks *wanted, size_t i,
			const struct routed_device *routed, struct link_info *link)
{
	struct error ignored;

	if (wanted->n_names)
		return !netlink_link_by_name(wanted->names[i], link, &ignored);
	return !netlink_link_by_index(routed[i].ifindex, link, &ignored) &&
	       leads_out(link, &routed[i]);
}

static bool is_usable(const struct uplink_device *device)
{
	return device->link.up && (!is_none(&device->addr[0]) || !is_none(&device->addr[1]));
}

/**
 * uplinks_discover() - The uplinks that there are now
 * @wanted: of the policy
 * @protected_ifindex: of the interface whose flows they carry, which is none of them
 * @devices: is filled
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int uplinks_discover(const struct policy_uplinks *wanted, int protected_ifindex,
		     struct uplink_devices *devices, struct error *error)
{
	struct interface_address *addresses = NULL;
	size_t n_addresses, n = wanted->n_names;
	struct routed_device *routed = NULL;
	int err = 0;

	devices->n = 0;
	memset(devices->own, 0, sizeof(devices->own));
	if (!n)
		err = routes_read_devices(&routed, &n, error);
	if (!err)
		err = netlink_read_addresses(&addresses, &n_addresses, error);
	if (!err)
		set_sources(devices->own, protected_ifindex, addresses, n_addresses);
	for (size_t i = 0; !err && i < n && devices->n < UPLINKS_MAX; i++) {
		struct uplink_device *device = &devices->list[devices->n];

		memset(device, 0, sizeof(*device));
		if (!fill_device(wanted, i, routed, &device->link) ||
		    device->link.ifindex == protected_ifindex ||
		    device->link.hardware_type == ARPHRD_LOOPBACK)
			continue;
		memcpy(device->addr, wanted->source, sizeof(device->addr));
		set_sources(device->addr, device->link.ifindex, addresses, n_addresses);
		if (is_usable(device))
			devices->n++;
	}
	free(addresses);
	free(routed);
	return err;
}

/**
 * uplinks_local_ports() - The ports that this host chooses from for its own connections
 * @local: is filled
 *
 * Return: whether the kernel says so.
 */
bool uplinks_local_ports(struct masquerade_ports *local)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int first, last;
	bool known;

	if (!file)
		return false;
	known = fscanf(file, "%u %u", &first, &last) == 2 && first <= last && last <= UINT16_MAX;
	fclose(file);
	if (known)
		*local = (struct masquerade_ports){first, last};
	return known;
}
