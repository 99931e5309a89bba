/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The checks of `shrike doctor` for `routing: nat`.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "cli/doctor.h"
#include "kernel/bypassed.h"
#include "kernel/filters.h"
#include "kernel/hooks.h"
#include "uplink/discover.h"

/* Programs of others that may take or change what NAT carries. */
static void check_programs(struct report *report, const struct link_info *link)
{
	struct hook_state hooks[HOOK_POINTS];
	struct error error;

	if (hooks_query(link->ifindex, hooks, &error)) {
		find(report, FINDING_NOTE, "uplink-programs", "%s: %s", link->name, error.text);
		return;
	}
	for (int point = 0; point < HOOK_POINTS; point++)
		if (hooks[point].foreign_id)
			find(report, FINDING_NOTE, "uplink-programs",
			     "%s: %s has %s (id %u), which may take or change what NAT carries",
			     link->name, hook_point_name(point), hooks[point].foreign_name,
			     hooks[point].foreign_id);
}

/* Where findings about an uplink go. */
struct uplink_report {
	struct report *report;
	const char *name;
};

/* Our program on an uplink comes before all filters there, and what it sends passes those at egress. */
static void on_filter(void *arg, const struct tc_filter *filter)
{
	const struct uplink_report *uplink = arg;

	find(uplink->report, FINDING_NOTE, "uplink-filters",
	     "%s: %s has a filter (%s%s%s, preference %u), which %s", uplink->name,
	     hook_point_name(filter->is_egress ? HOOK_POINT_TC_EGRESS : HOOK_POINT_TC_INGRESS),
	     filter->kind, filter->name[0] ? " " : "", filter->name, filter->preference,
	     filter->is_egress ? "sees what NAT sends, and may change or drop it"
			       : "does not see the answers that NAT takes");
}

static void check_filters(struct report *report, const struct link_info *link)
{
	struct uplink_report uplink = {report, link->name};
	struct error error;

	if (tc_filters_read(link->ifindex, on_filter, &uplink, &error))
		find(report, FINDING_NOTE, "uplink-filters", "%s: %s", link->name, error.text);
}

/* Packets that a NIC has put together and that cannot be taken apart again are lost. */
static void check_offloads(struct report *report, const struct link_info *link)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {.ifr_data = (void *)&flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, link->name, IFNAMSIZ - 1);
	if (fd >= 0 && !ioctl(fd, SIOCETHTOOL, &request) && flags.data & ETH_FLAG_LRO)
		find(report, FINDING_NOTE, "uplink-offloads",
		     "%s: LRO merges packets for good, and may be too big to send on: ethtool -K "
		     "%s lro off",
		     link->name, link->name);
	if (fd >= 0)
		close(fd);
}

static void check_uplink(struct report *report, const struct uplink_device *device)
{
	static const uint8_t versions[] = {IP_VERSION_4, IP_VERSION_6};
	char addresses[2 * ADDR_TEXT_MAX + 2] = "";

	for (int i = 0; i < 2; i++) {
		char text[ADDR_TEXT_MAX];
		size_t len = strlen(addresses);

		if (!device->addr[i].half[0] && !device->addr[i].half[1])
			continue;
		snprintf(addresses + len, sizeof(addresses) - len, "%s%s", len ? ", " : "",
			 addr_format(&device->addr[i], versions[i], text, sizeof(text)));
	}
	find(report, FINDING_OK, "uplink", "%s: %s, MTU %u, %s", device->link.name, addresses,
	     device->link.mtu, device->link.l2_len ? "Ethernet header" : "no link header");
	check_programs(report, &device->link);
	check_filters(report, &device->link);
	check_offloads(report, &device->link);
}

/* Rules of the host that packets miss which are sent on by programs. */
static void check_bypassed(struct report *report)
{
	struct error error;
	char names[512];

	if (bypassed_list(BYPASSED_CHAINS, names, sizeof(names), &error))
		find(report, FINDING_NOTE, "netfilter", "%s", error.text);
	else if (names[0])
		find(report, FINDING_NOTE, "netfilter",
		     "these chains do not see what NAT carries: %s", names);
	else
		find(report, FINDING_OK, "netfilter",
		     "no chain with rules at the hooks output, forward or postrouting");
	if (!bypassed_list(BYPASSED_FLOWTABLES, names, sizeof(names), &error) && names[0])
		find(report, FINDING_NOTE, "flowtables",
		     "%s: connections of the kernel's router, which NAT does not enter", names);
}

static int rp_filter_of(const char *device)
{
	char path[sizeof("/proc/sys/net/ipv4/conf//rp_filter") + IFNAMSIZ];
	int value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", device);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/*
 * The kernel compares sources with routes only where it gets the packets itself.  Of what holds for all
 * and what a device has, it takes the larger one (ip-sysctl.rst).
 */
static void check_rp_filter(struct report *report, const char *device)
{
	int value = rp_filter_of(device);

	if (value)
		find(report, FINDING_OK, "rp_filter",
		     "net.ipv4.conf.%s.rp_filter = %d does not see what NAT carries", device,
		     value);
}

/**
 * doctor_check_nat() - What `routing: nat` finds on this host
 * @report: where findings go
 * @link: the protected interface
 * @wanted: of the policy
 */
void doctor_check_nat(struct report *report, const struct link_info *link,
		      const struct policy_uplinks *wanted)
{
	struct uplink_devices devices;
	struct error error;

	if (uplinks_discover(wanted, link->ifindex, &devices, &error)) {
		find(report, FINDING_BAD, "uplinks", "%s", error.text);
		return;
	}
	if (!devices.n)
		find(report, FINDING_NOTE, "uplinks",
		     "none: no route leads to a device with an address, so all that is routed "
		     "drops");
	for (size_t i = 0; i < devices.n; i++)
		check_uplink(report, &devices.list[i]);
	check_bypassed(report);
	check_rp_filter(report, "all");
	for (size_t i = 0; i < devices.n; i++)
		check_rp_filter(report, devices.list[i].link.name);
}
