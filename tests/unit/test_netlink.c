/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Links and events, asked from the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/if_arp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/namespace.h"

#define EVENT_TIMEOUT_MS 10000

static struct error error;

static void a_link_is_found_by_name_and_by_index(void **state)
{
	struct link_info link, again;

	(void)state;
	need_root();
	assert_int_equal(netlink_link_by_name("wt0", &link, &error), 0);
	assert_string_equal(link.name, "wt0");
	assert_string_equal(link.kind, "veth");
	assert_int_equal(link.mtu, 1280);
	assert_int_equal(link.hardware_type, ARPHRD_ETHER);
	assert_int_equal(link.l2_len, 14);
	assert_true(link.rx_queues >= 1);
	assert_false(link.up);
	run("ip link set wt0 up");
	assert_int_equal(netlink_link_by_index(link.ifindex, &again, &error), 0);
	assert_string_equal(again.name, "wt0");
	assert_true(again.up);
}

static void a_tun_device_has_no_link_header(void **state)
{
	struct link_info link;

	(void)state;
	need_root();
	if (access("/dev/net/tun", R_OK | W_OK)) {
		print_message("needs /dev/net/tun\n");
		skip();
	}
	run("ip tuntap add tun0 mode tun");
	assert_int_equal(netlink_link_by_name("tun0", &link, &error), 0);
	assert_string_equal(link.kind, "tun");
	assert_int_equal(link.hardware_type, ARPHRD_NONE);
	assert_int_equal(link.l2_len, 0);
}

static void links_that_cannot_be_protected_are_refused(void **state)
{
	struct link_info link = {.ifindex = 77};

	(void)state;
	need_root();
	assert_int_equal(netlink_link_by_name("lo", &link, &error), -EOPNOTSUPP);
	assert_string_equal(error.text,
			    "lo: its link type is loopback (772): only Ethernet and plain IP links "
			    "(WireGuard, TUN) can be protected");
	assert_int_equal(netlink_link_by_name("none0", &link, &error), -ENODEV);
	assert_string_equal(error.text, "none0: no such interface in this network namespace");
	assert_int_equal(netlink_link_by_index(4711, &link, &error), -ENODEV);
	assert_int_equal(netlink_link_by_index(0, &link, &error), -EINVAL);
	assert_int_equal(netlink_link_by_name("", &link, &error), -EINVAL);
	assert_int_equal(netlink_link_by_name("sixteen-bytes-00", &link, &error), -EINVAL);
	assert_true(error.invalid_input);
	assert_int_equal(link.ifindex, 77);
}

/* The events of a monitor, by kind, and the last of each. */
struct seen {
	int count[NETLINK_RESYNC + 1];
	struct netlink_event last[NETLINK_RESYNC + 1];
};

static void note_event(const struct netlink_event *event, void *arg)
{
	struct seen *seen = arg;

	seen->count[event->kind]++;
	seen->last[event->kind] = *event;
}

/* Reads until the first event of @kind. */
static void await_event(struct netlink_monitor *monitor, struct seen *seen,
			enum netlink_event_kind kind)
{
	struct pollfd pollfd = {.fd = netlink_monitor_fd(monitor), .events = POLLIN};

	while (!seen->count[kind]) {
		if (poll(&pollfd, 1, EVENT_TIMEOUT_MS) != 1)
			fail_msg("no event of kind %d", kind);
		assert_int_equal(netlink_monitor_read(monitor, &error), 0);
	}
}

static struct netlink_monitor *open_monitor(struct seen *seen)
{
	struct netlink_monitor *monitor;

	assert_int_equal(netlink_monitor_open(note_event, seen, &monitor, &error), 0);
	return monitor;
}

static void the_monitor_reports_addresses(void **state)
{
	union addr four = addr_of("100.64.0.5"), six = addr_of("fd00:64::5");
	struct netlink_event *added, *gone;
	struct netlink_monitor *monitor;
	struct seen seen = {};

	(void)state;
	need_root();
	monitor = open_monitor(&seen);
	assert_int_equal(netlink_monitor_read(monitor, &error), 0);
	assert_int_equal(seen.count[NETLINK_ADDRESS_NEW], 0);

	run("ip addr add 100.64.0.5/16 dev wt0");
	await_event(monitor, &seen, NETLINK_ADDRESS_NEW);
	added = &seen.last[NETLINK_ADDRESS_NEW];
	assert_int_equal(added->ifindex, ifindex_of("wt0"));
	assert_memory_equal(&added->address.addr, &four, sizeof(four));
	assert_prefix(&added->address.connected, "100.64.0.0", 16);

	run("ip addr add fd00:64::5/64 dev other0 nodad && ip addr del fd00:64::5/64 dev other0");
	await_event(monitor, &seen, NETLINK_ADDRESS_GONE);
	gone = &seen.last[NETLINK_ADDRESS_GONE];
	assert_int_equal(gone->ifindex, ifindex_of("other0"));
	assert_memory_equal(&gone->address.addr, &six, sizeof(six));
	netlink_monitor_close(monitor);
}

static void the_monitor_reports_links(void **state)
{
	struct netlink_monitor *monitor;
	struct seen seen = {};
	int ifindex;

	(void)state;
	need_root();
	monitor = open_monitor(&seen);
	run("ip link add br0 type bridge");
	await_event(monitor, &seen, NETLINK_LINK_NEW);
	ifindex = ifindex_of("br0");
	assert_string_equal(seen.last[NETLINK_LINK_NEW].name, "br0");
	assert_int_equal(seen.last[NETLINK_LINK_NEW].ifindex, ifindex);

	/* leaving a bridge is no end of a link, the end of the bridge is */
	run("ip link set wt0 master br0 && ip link set wt0 nomaster && ip link del br0");
	await_event(monitor, &seen, NETLINK_LINK_GONE);
	assert_int_equal(seen.count[NETLINK_LINK_GONE], 1);
	assert_string_equal(seen.last[NETLINK_LINK_GONE].name, "br0");
	assert_int_equal(seen.last[NETLINK_LINK_GONE].ifindex, ifindex);
	assert_int_equal(seen.count[NETLINK_RESYNC], 0);
	netlink_monitor_close(monitor);
}

static void lost_events_are_reported_and_later_ones_follow(void **state)
{
	struct netlink_monitor *monitor;
	struct seen seen = {};
	int smallest = 1;

	(void)state;
	need_root();
	monitor = open_monitor(&seen);
	assert_int_equal(setsockopt(netlink_monitor_fd(monitor), SOL_SOCKET, SO_RCVBUF, &smallest,
				    sizeof(smallest)),
			 0);
	run("for i in $(seq 1 200); do echo addr add 10.0.0.$i/24 dev wt0; done | ip -batch -");
	await_event(monitor, &seen, NETLINK_RESYNC);
	assert_true(seen.count[NETLINK_ADDRESS_NEW] < 200);

	memset(&seen, 0, sizeof(seen));
	run("ip addr add 10.0.0.201/24 dev wt0");
	await_event(monitor, &seen, NETLINK_ADDRESS_NEW);
	assert_int_equal(seen.count[NETLINK_RESYNC], 0);
	netlink_monitor_close(monitor);
}

#define TEST(name) cmocka_unit_test_setup(name, namespace_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_link_is_found_by_name_and_by_index),
		TEST(a_tun_device_has_no_link_header),
		TEST(links_that_cannot_be_protected_are_refused),
		TEST(the_monitor_reports_addresses),
		TEST(the_monitor_reports_links),
		TEST(lost_events_are_reported_and_later_ones_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
