/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The local address maps: real maps, and addresses in network namespaces of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/local_addresses.h"
#include "maps.h"
#include "unit/namespace.h"

static struct local_maps maps = {-1, -1, -1, -1};
static struct error error;

static void open_maps(uint32_t max_addrs)
{
	LIBBPF_OPTS(bpf_map_create_opts, trie, .map_flags = BPF_F_NO_PREALLOC);

	close(maps.filter_fd);
	close(maps.addr_fd);
	close(maps.prefix_fd);
	close(maps.epoch_fd);
	maps.filter_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, MAP_LOCAL_FILTER, sizeof(uint32_t),
					sizeof(struct local_filter), LOCAL_FILTER_PREFIXES + 1,
					NULL);
	maps.addr_fd = bpf_map_create(BPF_MAP_TYPE_HASH, MAP_LOCAL_ADDR, sizeof(union addr),
				      sizeof(struct local_addr), max_addrs, NULL);
	maps.prefix_fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, MAP_LOCAL_PREFIX,
					sizeof(struct local_prefix_key), sizeof(struct local_addr),
					LOCAL_PREFIX_MAX, &trie);
	maps.epoch_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, MAP_CT_EPOCH, sizeof(uint32_t),
				       sizeof(uint32_t), 1, NULL);
	assert_true(maps.filter_fd >= 0 && maps.addr_fd >= 0 && maps.prefix_fd >= 0 &&
		    maps.epoch_fd >= 0);
}

static int setup(void **state)
{
	int err = namespace_setup(state);

	memset(&error, 0, sizeof(error));
	if (!err && !geteuid())
		open_maps(LOCAL_ADDR_MAX);
	return err;
}

static struct local_filter filter_page(uint32_t page)
{
	struct local_filter filter;

	assert_int_equal(bpf_map_lookup_elem(maps.filter_fd, &page, &filter), 0);
	return filter;
}

static bool bit_is_set(const char *text)
{
	union addr addr = addr_of(text);
	uint32_t bit = local_filter_bit(&addr);

	return filter_page(bit / LOCAL_FILTER_PAGE).bits[bit % LOCAL_FILTER_PAGE / 64] >>
		       (bit % 64) &
	       1;
}

/* Whether the filter has the programs look for prefixes. */
static bool prefixes_are_noted(void)
{
	return filter_page(LOCAL_FILTER_PREFIXES).bits[0];
}

static int count_entries(int fd)
{
	union addr key, next; /* large enough for the keys of both maps */
	void *previous = NULL;
	int count = 0;

	while (!bpf_map_get_next_key(fd, previous, &next)) {
		key = next;
		previous = &key;
		count++;
	}
	return count;
}

static int count_bits(void)
{
	struct local_filter filter;
	int count = 0;

	for (uint32_t page = 0; page < LOCAL_FILTER_PREFIXES; page++) {
		filter = filter_page(page);
		for (int i = 0; i < LOCAL_FILTER_WORDS; i++)
			count += __builtin_popcountll(filter.bits[i]);
	}
	return count;
}

struct expected {
	const char *addr;
	enum local_kind kind;
};

/* Asserts that the maps hold these addresses and nothing else. */
static void assert_maps_hold(const struct expected *expected, int count)
{
	struct local_addr value;
	union addr addr;
	int i;

	for (i = 0; i < count; i++) {
		addr = addr_of(expected[i].addr);
		if (bpf_map_lookup_elem(maps.addr_fd, &addr, &value))
			fail_msg("%s is missing", expected[i].addr);
		assert_int_equal(value.kind, expected[i].kind);
		if (!bit_is_set(expected[i].addr))
			fail_msg("%s has no bit", expected[i].addr);
	}
	assert_int_equal(count_entries(maps.addr_fd), count);
	assert_int_equal(count_bits(), count);
}

#define ASSERT_MAPS_HOLD(...)                                                                      \
	assert_maps_hold((struct expected[]){__VA_ARGS__},                                         \
			 sizeof((struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

static size_t sync_namespace(void)
{
	size_t changes;

	if (addresses_sync(&maps, ifindex_of("wt0"), &changes, &error))
		fail_msg("%s", error.text);
	return changes;
}

static int sync_list(const struct expected *wanted, int count, size_t *changes)
{
	struct local_address list[8] = {};
	int i;

	assert_true(count <= 8);
	for (i = 0; i < count; i++) {
		list[i].prefix.addr = addr_of(wanted[i].addr);
		list[i].prefix.ip_version = strchr(wanted[i].addr, ':') ? IP_VERSION_6
									: IP_VERSION_4;
		list[i].prefix.len = prefix_bits(list[i].prefix.ip_version);
		list[i].kind = wanted[i].kind;
	}
	return addresses_sync_list(&maps, list, count, changes, &error);
}

#define SYNC_LIST(changes, ...)                                                                    \
	sync_list((struct expected[]){__VA_ARGS__},                                                \
		  sizeof((struct expected[]){__VA_ARGS__}) / sizeof(struct expected), changes)

static void maps_follow_the_addresses_of_the_namespace(void **state)
{
	(void)state;
	need_root();
	run("ip link set lo up");
	run("ip addr add 100.64.0.5/16 dev wt0");
	run("ip addr add fd00:64::5/64 dev wt0 nodad");
	run("ip addr add 192.168.1.1/24 brd + dev other0");
	sync_namespace();
	ASSERT_MAPS_HOLD({"100.64.0.5", LOCAL_OVERLAY}, {"fd00:64::5", LOCAL_OVERLAY},
			 {"192.168.1.1", LOCAL_HOST});
	assert_false(bit_is_set("192.168.1.255"));
	assert_false(bit_is_set("127.0.0.1"));

	run("ip addr add 192.168.1.2/24 dev other0");
	run("ip addr add 10.255.255.255/8 dev lo");
	run("ip addr del 100.64.0.5/16 dev wt0");
	run("ip addr del fd00:64::5/64 dev wt0");
	sync_namespace();
	ASSERT_MAPS_HOLD({"192.168.1.1", LOCAL_HOST}, {"192.168.1.2", LOCAL_HOST},
			 {"10.255.255.255", LOCAL_HOST});

	run("ip link del wt0");
	run("ip addr flush dev lo");
	assert_int_equal(addresses_sync(&maps, 0, NULL, &error), 0);
	assert_int_equal(count_entries(maps.addr_fd), 0);
	assert_int_equal(count_bits(), 0);
}

static void an_address_on_both_sides_counts_as_overlay(void **state)
{
	(void)state;
	need_root();
	run("ip addr add 100.64.0.5/16 dev other0");
	run("ip addr add 100.64.0.5/24 dev wt0");
	run("ip addr add 100.64.0.5/32 dev lo");
	sync_namespace();
	ASSERT_MAPS_HOLD({"100.64.0.5", LOCAL_OVERLAY});
	run("ip addr del 100.64.0.5/24 dev wt0");
	sync_namespace();
	ASSERT_MAPS_HOLD({"100.64.0.5", LOCAL_HOST});
}

static uint32_t epoch(void)
{
	uint32_t zero = 0, value;

	assert_int_equal(bpf_map_lookup_elem(maps.epoch_fd, &zero, &value), 0);
	return value;
}

/* The kind of the longest local prefix that holds an address, LOCAL_NONE where there is none. */
static enum local_kind prefix_kind(const char *text)
{
	union addr addr = addr_of(text);
	struct local_prefix_key key = {.prefix_len = 128};
	struct local_addr value;

	memcpy(key.addr, addr.bytes, sizeof(key.addr));
	return bpf_map_lookup_elem(maps.prefix_fd, &key, &value) ? LOCAL_NONE : value.kind;
}

static void what_routing_tables_deliver_here_is_local(void **state)
{
	(void)state;
	need_root();
	run("ip link set lo up");
	run("ip link set wt0 up");
	run("ip link set other0 up");
	run("ip addr add 100.64.0.5/16 brd + dev wt0");
	run("ip route add local 10.5.0.0/16 dev lo");
	run("ip route add local 10.6.0.0/24 dev lo table 100");
	run("ip route add local 10.7.0.1/32 dev lo table 100");
	run("ip -6 route add local 2001:db8:5::/48 dev lo");
	run("ip route add local 0.0.0.0/0 dev lo table 101"); /* of a transparent proxy */
	assert_false(prefixes_are_noted());
	sync_namespace();
	ASSERT_MAPS_HOLD({"100.64.0.5", LOCAL_OVERLAY}, {"100.64.255.255", LOCAL_BROADCAST},
			 {"10.7.0.1", LOCAL_HOST});
	assert_true(prefixes_are_noted());
	assert_int_equal(prefix_kind("10.5.255.1"), LOCAL_HOST);
	assert_int_equal(prefix_kind("10.6.0.9"), LOCAL_HOST);
	assert_int_equal(prefix_kind("10.6.1.9"), LOCAL_NONE);
	assert_int_equal(prefix_kind("2001:db8:5::9"), LOCAL_HOST);
	assert_int_equal(prefix_kind("2001:db8:6::9"), LOCAL_NONE);

	run("ip route del local 10.5.0.0/16 dev lo");
	sync_namespace();
	assert_int_equal(prefix_kind("10.5.255.1"), LOCAL_NONE);
	assert_true(prefixes_are_noted());
	run("ip route del local 10.6.0.0/24 dev lo table 100");
	run("ip -6 route del local 2001:db8:5::/48 dev lo");
	sync_namespace();
	assert_false(prefixes_are_noted());
}

static void the_anycast_address_of_a_router_is_local(void **state)
{
	(void)state;
	need_root();
	run("ip link set wt0 up");
	run("sysctl -qw net.ipv6.conf.all.forwarding=1");
	run("ip addr add fd00:64::5/64 dev wt0 nodad");
	/* the kernel joins the group of anycast in a work item */
	run("for try in $(seq 2000); do "
	    "ip -6 route show table local | grep -q '^anycast fd00:64:: ' && exit; done; exit 1");
	sync_namespace();
	ASSERT_MAPS_HOLD({"fd00:64::5", LOCAL_OVERLAY}, {"fd00:64::", LOCAL_HOST});
}

static void only_differences_are_written(void **state)
{
	(void)state;
	need_root();
	run("ip addr add 100.64.0.5/16 dev wt0");
	run("ip addr add 100.64.0.6/16 dev wt0");
	assert_int_equal(sync_namespace(), 2);
	assert_int_equal(epoch(), 1);
	assert_int_equal(sync_namespace(), 0);
	assert_int_equal(epoch(), 1);
	run("ip addr del 100.64.0.6/16 dev wt0");
	assert_int_equal(sync_namespace(), 1);
	assert_int_equal(epoch(), 2);
	assert_int_equal(sync_namespace(), 0);
	assert_int_equal(epoch(), 2);
}

static void implied_and_mapped_addresses_are_not_stored(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(SYNC_LIST(NULL, {"127.0.0.1", LOCAL_HOST}, {"127.255.0.9", LOCAL_HOST},
				   {"::1", LOCAL_HOST}, {"::ffff:10.0.0.1", LOCAL_HOST},
				   {"10.0.0.2", LOCAL_HOST}, {"::2", LOCAL_HOST}),
			 0);
	ASSERT_MAPS_HOLD({"10.0.0.2", LOCAL_HOST}, {"::2", LOCAL_HOST});
}

static void a_full_table_is_refused_with_the_numbers_and_nothing_changes(void **state)
{
	(void)state;
	need_root();
	open_maps(3);
	assert_int_equal(SYNC_LIST(NULL, {"10.0.0.1", LOCAL_HOST}), 0);
	assert_int_equal(SYNC_LIST(NULL, {"10.0.0.2", LOCAL_HOST}, {"10.0.0.3", LOCAL_HOST},
				   {"10.0.0.4", LOCAL_HOST}, {"10.0.0.5", LOCAL_HOST}),
			 -E2BIG);
	assert_string_equal(error.text,
			    "local addresses: this host has 4, the table takes at most 3");
	ASSERT_MAPS_HOLD({"10.0.0.1", LOCAL_HOST});
}

static void full_tables_can_be_exchanged(void **state)
{
	size_t changes;

	(void)state;
	need_root();
	open_maps(3);
	assert_int_equal(SYNC_LIST(NULL, {"10.1.0.1", LOCAL_HOST}, {"10.2.0.1", LOCAL_HOST},
				   {"fd00::1", LOCAL_HOST}),
			 0);
	assert_int_equal(SYNC_LIST(&changes, {"10.3.0.1", LOCAL_HOST}, {"10.2.0.1", LOCAL_OVERLAY},
				   {"fd00::2", LOCAL_HOST}),
			 0);
	ASSERT_MAPS_HOLD({"10.3.0.1", LOCAL_HOST}, {"10.2.0.1", LOCAL_OVERLAY},
			 {"fd00::2", LOCAL_HOST});
	assert_int_equal(changes, 5); /* two out, two in, one kind */
}

static void maps_of_another_layout_are_refused(void **state)
{
	struct local_maps swapped = {maps.addr_fd, maps.filter_fd, maps.prefix_fd, maps.epoch_fd};

	(void)state;
	need_root();
	assert_int_equal(addresses_sync_list(&swapped, NULL, 0, NULL, &error), -EINVAL);
	swapped.addr_fd = -1;
	assert_int_equal(addresses_sync_list(&swapped, NULL, 0, NULL, &error), -EBADFD);
}

static void overlay_prefixes_are_the_connected_networks_once_and_masked(void **state)
{
	struct prefix *prefixes = NULL;
	size_t count;

	(void)state;
	need_root();
	run("ip addr add 100.64.31.5/16 dev wt0");
	run("ip addr add 100.64.40.6/16 dev wt0");
	run("ip addr add 10.1.2.3/19 dev wt0");
	run("ip addr add 10.9.9.9 peer 10.8.8.8/24 dev wt0");
	run("ip addr add fd00:64:1:2:ffff::5/63 dev wt0 nodad");
	run("ip addr add 192.168.1.1/24 dev other0");
	assert_int_equal(addresses_overlay_prefixes(ifindex_of("wt0"), &prefixes, &count, &error),
			 0);
	assert_int_equal(count, 4);
	assert_prefix(&prefixes[0], "100.64.0.0", 16);
	assert_prefix(&prefixes[1], "10.1.0.0", 19);
	assert_prefix(&prefixes[2], "10.8.8.0", 24);
	assert_prefix(&prefixes[3], "fd00:64:1:2::", 63);
	free(prefixes);

	run("ip addr flush dev wt0");
	assert_int_equal(addresses_overlay_prefixes(ifindex_of("wt0"), &prefixes, &count, &error),
			 0);
	assert_int_equal(count, 0);
	assert_null(prefixes);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(maps_follow_the_addresses_of_the_namespace),
		TEST(an_address_on_both_sides_counts_as_overlay),
		TEST(only_differences_are_written),
		TEST(what_routing_tables_deliver_here_is_local),
		TEST(the_anycast_address_of_a_router_is_local),
		TEST(implied_and_mapped_addresses_are_not_stored),
		TEST(a_full_table_is_refused_with_the_numbers_and_nothing_changes),
		TEST(full_tables_can_be_exchanged),
		TEST(maps_of_another_layout_are_refused),
		TEST(overlay_prefixes_are_the_connected_networks_once_and_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
