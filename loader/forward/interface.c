/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/interface.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/netlink.h"

/**
 * interface_addresses() - The addresses as whose errors are sent
 * @ifindex: the interface
 * @own: becomes its first address of each family, IPv4 and IPv6; zero: it has none
 */
void interface_addresses(int ifindex, union addr own[2])
{
	struct interface_address *addresses;
	struct error ignored;
	size_t n;

	memset(own, 0, 2 * sizeof(*own));
	if (netlink_read_addresses(&addresses, &n, &ignored))
		return;
	for (size_t i = n; i--;) {
		const struct interface_address *a = &addresses[i];
		bool is6 = a->ip_version == IP_VERSION_6;

		/* the first one, but no link-local one (fe80::/10) */
		if (a->ifindex == ifindex &&
		    !(is6 && a->addr.bytes[0] == 0xfe && (a->addr.bytes[1] & 0xc0) == 0x80))
			own[is6] = a->addr;
	}
	free(addresses);
}

/**
 * interface_mac() - The link address of an interface
 * @mac: becomes it, zero where there is none
 */
void interface_mac(const char *ifname, uint8_t mac[LINK_ADDR_LEN])
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};

	memset(mac, 0, LINK_ADDR_LEN);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCGIFHWADDR, &request))
		memcpy(mac, request.ifr_hwaddr.sa_data, LINK_ADDR_LEN);
	close(fd);
}
