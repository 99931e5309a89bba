/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/networks.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/netlink.h"

/* Whether an address is of a network that others can be routed to. */
static bool is_routed(const struct interface_address *address)
{
	const struct in6_addr *v6 = (const struct in6_addr *)&address->addr;

	if (address->ip_version == IP_VERSION_4)
		return v6->s6_addr[12] != IN_LOOPBACKNET;
	return !IN6_IS_ADDR_LOOPBACK(v6) && !IN6_IS_ADDR_LINKLOCAL(v6);
}

static bool has(const struct networks *networks, const struct prefix *prefix)
{
	for (size_t i = 0; i < networks->n; i++)
		if (networks->list[i].ip_version == prefix->ip_version &&
		    networks->list[i].len == prefix->len &&
		    !memcmp(&networks->list[i].addr, &prefix->addr, sizeof(prefix->addr)))
			return true;
	return false;
}

/**
 * networks_read() - Ask the kernel for the networks of this host
 * @overlay: the interface whose networks are not among them
 * @networks: is filled, each network once
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int networks_read(const char *overlay, struct networks *networks, struct error *error)
{
	struct interface_address *addresses = NULL;
	struct link_info link = {};
	struct error ignored;
	size_t n;
	int err = netlink_read_addresses(&addresses, &n, error);

	if (err)
		return err;
	netlink_link_by_name(overlay, &link, &ignored);
	networks->n = 0;
	networks->has_more = false;
	for (size_t i = 0; i < n; i++) {
		const struct prefix *connected = &addresses[i].connected;

		if (addresses[i].ifindex == link.ifindex || !is_routed(&addresses[i]) ||
		    has(networks, connected))
			continue;
		if (networks->n == NETWORKS_MAX)
			networks->has_more = true;
		else
			networks->list[networks->n++] = *connected;
	}
	free(addresses);
	return 0;
}
