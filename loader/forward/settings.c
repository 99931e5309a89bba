/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conntrack/tables.h"
#include "maps.h"

/* The interface's first address of each family, as which errors are sent; zero: it has none. */
static void read_own_addresses(int ifindex, union addr own[2])
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

static void read_mac(const char *ifname, uint8_t mac[LINK_ADDR_LEN])
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

/* The descriptors of an order, duplicated; @fds is filled or nothing is open. */
static int open_fds(const struct attached *attached, int fds[FORWARD_FDS])
{
	static const char *const names[FORWARD_FDS] = {
		[FORWARD_FD_LOCAL_ADDR] = MAP_LOCAL_ADDR,
		[FORWARD_FD_LOCAL_PREFIX] = MAP_LOCAL_PREFIX,
		[FORWARD_FD_XSKS] = MAP_XSKS,
		[FORWARD_FD_STATUS] = MAP_FORWARDER,
		[FORWARD_FD_TUN] = MAP_FORWARD_TUN,
	};
	int err = 0;

	for (int i = 0; i < FORWARD_FDS; i++) {
		fds[i] = fcntl(map_set_fd(&attached->maps, names[i]), F_DUPFD_CLOEXEC, 0);
		if (fds[i] < 0 && !err)
			err = -errno;
	}
	for (int i = 0; i < FORWARD_FDS && err; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err;
}

static uint32_t icmp_limit(const struct attached *attached)
{
	struct conntrack conntrack;
	struct error ignored;
	size_t t;

	if (conntrack_open(&attached->maps, &conntrack, &ignored))
		return 0;
	t = conntrack_confirmed(&conntrack, IPPROTO_ICMP, IP_VERSION_4);
	return t < conntrack.n ? conntrack.tables[t].max_entries : 0;
}

/**
 * settings_read() - What a forwarder is to know of the generation in force and of its interface
 * @start: becomes it; its descriptors take the place of those that were open there
 * @attached: the generation
 * @link: the interface
 *
 * Return: 0 or -errno.
 */
int settings_read(struct worker_start *start, const struct attached *attached,
		  const struct link_info *link)
{
	int fds[FORWARD_FDS], err = open_fds(attached, fds);

	if (err)
		return err;
	for (int i = 0; i < FORWARD_FDS; i++)
		if (start->fds[i] >= 0)
			close(start->fds[i]);
	memcpy(start->fds, fds, sizeof(fds));
	start->order.config = attached->instance.config;
	start->order.mtu = attached->instance.mtu;
	start->order.icmp_max = icmp_limit(attached);
	read_own_addresses(link->ifindex, start->order.own);
	snprintf(start->ifname, sizeof(start->ifname), "%s", link->name);
	start->queues = link->rx_queues;
	read_mac(link->name, start->order.mac);
	return 0;
}
