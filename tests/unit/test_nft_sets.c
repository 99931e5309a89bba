/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's sets in nftables, made by nft(8) in a namespace of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "netbird/domain_sets.h"
#include "netbird/nft_sets.h"
#include "unit/namespace.h"

#define EVENT_TIMEOUT_MS 10000
#define HOLD_NS		 (100 * (uint64_t)NS_PER_S)

static struct error error;
static struct domain_sets *sets;
static struct nft_sets *nft;
static uint64_t now_ns;
static char warned[256];

static void on_warning(void *arg, const char *text)
{
	(void)arg;
	snprintf(warned, sizeof(warned), "%s", text);
}

static bool never(void *arg, const struct prefix *prefix)
{
	(void)arg;
	(void)prefix;
	return false;
}

/* Have what happened be read. */
static void catch_up(void)
{
	struct pollfd poll_fd = {.fd = nft_sets_fd(nft), .events = POLLIN};

	assert_int_equal(poll(&poll_fd, 1, EVENT_TIMEOUT_MS), 1);
	if (nft_sets_read(nft, now_ns, &error))
		fail_msg("%s", error.text);
}

static void assert_content(const char *name, const char *expected)
{
	const struct prefix *prefixes;
	char text[1024] = "", one[PREFIX_TEXT_MAX];
	size_t n, used = 0;

	if (!domain_sets_find(sets, name, &prefixes, &n)) {
		assert_null(expected);
		return;
	}
	for (size_t i = 0; i < n; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
				 prefix_format(&prefixes[i], one, sizeof(one)));
	assert_string_equal(text, expected ? expected : "not known");
}

static int begin(void **state)
{
	int err = namespace_setup(state);

	warned[0] = '\0';
	now_ns = 1;
	sets = domain_sets_new(HOLD_NS);
	assert_non_null(sets);
	return err;
}

static int end(void **state)
{
	(void)state;
	nft_sets_close(nft);
	domain_sets_free(sets);
	nft = NULL;
	return 0;
}

static void follow(void)
{
	nft = nft_sets_new(sets, on_warning, NULL);
	assert_non_null(nft);
	assert_int_equal(nft_sets_follow(nft, &error), 0);
	if (nft_sets_read(nft, now_ns, &error))
		fail_msg("%s", error.text);
}

static void make_tables(void)
{
	run("nft 'add table ip netbird; add table ip6 netbird;"
	    "add set ip netbird nb-00000001 { type ipv4_addr; flags interval; };"
	    "add set ip6 netbird nb-00000001 { type ipv6_addr; flags interval; }'");
}

static void sets_that_are_there_are_read_and_changes_followed(void **state)
{
	(void)state;
	need_root();
	make_tables();
	run("nft 'add element ip netbird nb-00000001 { 192.0.2.1, 10.0.0.0/8 }'");
	follow();
	assert_true(nft_sets_are_there(nft));
	assert_false(domain_sets_has_changed(sets)); /* no policy has it */
	assert_content("nb-00000001", "10.0.0.0/8 192.0.2.1");
	domain_sets_taken(sets, now_ns);
	run("nft 'add element ip netbird nb-00000001 { 192.0.2.2 };"
	    "add element ip6 netbird nb-00000001 { 2001:db8::7 }'");
	catch_up();
	assert_true(domain_sets_has_changed(sets));
	assert_content("nb-00000001", "10.0.0.0/8 192.0.2.1 192.0.2.2 2001:db8::7");
	run("nft delete element ip netbird nb-00000001 '{ 10.0.0.0/8 }'");
	catch_up();
	assert_content("nb-00000001", "192.0.2.1 192.0.2.2 2001:db8::7");
	run("nft flush set ip netbird nb-00000001");
	catch_up();
	assert_content("nb-00000001", "2001:db8::7");
	assert_int_equal(domain_sets_due_ns(sets), UINT64_MAX);
	assert_string_equal(warned, "");
}

static void intervals_become_the_fewest_prefixes(void **state)
{
	(void)state;
	need_root();
	make_tables();
	run("nft 'add element ip netbird nb-00000001"
	    " { 0.0.0.0-0.0.0.2, 10.0.0.255-10.0.1.2, 255.255.255.254-255.255.255.255 };"
	    "add element ip6 netbird nb-00000001 { fd00::/8, 2001:db8::1-2001:db8::2,"
	    " ::ffff:10.0.0.1, ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff }'");
	follow();
	assert_content("nb-00000001",
		       "0.0.0.0/31 0.0.0.2 10.0.0.255 10.0.1.0/31 10.0.1.2 255.255.255.254/31 "
		       "2001:db8::1 2001:db8::2 fd00::/8 "
		       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	run("nft 'delete element ip netbird nb-00000001 { 10.0.0.255-10.0.1.2 };"
	    "flush set ip6 netbird nb-00000001; add element ip netbird nb-00000001"
	    " { 10.0.0.0-10.0.0.5, 10.0.0.7 }'");
	catch_up();
	assert_content("nb-00000001",
		       "0.0.0.0/31 0.0.0.2 10.0.0.0/30 10.0.0.4/31 10.0.0.7 255.255.255.254/31");
	run("nft 'flush set ip netbird nb-00000001; add element ip netbird nb-00000001"
	    " { 0.0.0.0-255.255.255.255 }'");
	catch_up();
	assert_content("nb-00000001", "0.0.0.0/0");
}

static void a_set_made_later_is_followed_and_others_are_not(void **state)
{
	(void)state;
	need_root();
	follow();
	assert_false(nft_sets_are_there(nft));
	run("nft 'add table ip netbird; add table ip other;"
	    "add set ip netbird nb-0000000a { type ipv4_addr; };"
	    "add set ip netbird nb-a { type ipv4_addr; };"
	    "add set ip other nb-0000000b { type ipv4_addr; };"
	    "add element ip netbird nb-0000000a { 192.0.2.1 };"
	    "add element ip other nb-0000000b { 192.0.2.1 };"
	    "add element ip netbird nb-a { 192.0.2.1 }'");
	catch_up();
	assert_true(nft_sets_are_there(nft));
	assert_content("nb-0000000a", "192.0.2.1");
	assert_content("nb-0000000b", NULL);
	assert_content("nb-a", NULL);
}

static void what_a_set_held_that_goes_is_held_for_a_time(void **state)
{
	(void)state;
	need_root();
	make_tables();
	run("nft add element ip netbird nb-00000001 '{ 192.0.2.1 }'");
	follow();
	assert_content("nb-00000001", "192.0.2.1");
	run("nft delete table ip netbird");
	catch_up();
	assert_content("nb-00000001", "192.0.2.1");
	/* the daemon is back, and resolves anew */
	now_ns += HOLD_NS / 2;
	run("nft 'add table ip netbird;"
	    "add set ip netbird nb-00000001 { type ipv4_addr; flags interval; };"
	    "add element ip netbird nb-00000001 { 192.0.2.2 }'");
	catch_up();
	assert_content("nb-00000001", "192.0.2.1 192.0.2.2");
	domain_sets_taken(sets, now_ns);
	domain_sets_expire(sets, domain_sets_due_ns(sets) - 1, never, NULL);
	assert_false(domain_sets_has_changed(sets));
	domain_sets_expire(sets, domain_sets_due_ns(sets), never, NULL);
	assert_true(domain_sets_has_changed(sets));
	assert_content("nb-00000001", "192.0.2.2");
	/* gone and made again before anybody looks */
	run("nft 'delete set ip netbird nb-00000001;"
	    "add set ip netbird nb-00000001 { type ipv4_addr; flags interval; }'");
	catch_up();
	assert_content("nb-00000001", "192.0.2.2");
	assert_int_equal(domain_sets_due_ns(sets), now_ns + HOLD_NS);
}

static void a_set_that_is_not_understood_is_named_and_left_out(void **state)
{
	(void)state;
	need_root();
	follow();
	run("nft 'add table ip netbird;"
	    "add set ip netbird nb-00000001 { type ipv4_addr; flags timeout; };"
	    "add element ip netbird nb-00000001 { 192.0.2.1 timeout 1h }'");
	catch_up();
	assert_content("nb-00000001", NULL);
	assert_string_equal(warned,
			    "nftables: set nb-00000001 of table ip netbird holds other "
			    "things than plain addresses: its addresses are not taken over");
	run("nft 'add set ip netbird nb-00000002 { type ipv4_addr . inet_service; };"
	    "add element ip netbird nb-00000002 { 192.0.2.1 . 80 };"
	    "add map ip netbird nb-00000003 { type ipv4_addr : verdict; };"
	    "add set ip netbird nb-00000004 { type inet_service; }'");
	catch_up();
	assert_content("nb-00000002", NULL);
	assert_content("nb-00000003", NULL);
	assert_content("nb-00000004", NULL);
}

static void lost_events_are_made_up_for(void **state)
{
	char command[256];

	(void)state;
	need_root();
	make_tables();
	follow();
	/* more than the socket's buffer takes */
	run("for i in $(seq 0 255); do for j in $(seq 0 255); do echo 10.0.$i.$j,; done; done"
	    " | (echo 'add element ip netbird nb-00000001 {'; cat; echo '}') | nft -f -");
	for (int i = 0; i < 8; i++) {
		snprintf(command, sizeof(command),
			 "nft 'flush set ip netbird nb-00000001; add element ip netbird nb-00000001"
			 " { 10.%d.0.0/16 }'",
			 i);
		run(command);
	}
	catch_up();
	assert_content("nb-00000001", "10.7.0.0/16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sets_that_are_there_are_read_and_changes_followed,
						begin, end),
		cmocka_unit_test_setup_teardown(intervals_become_the_fewest_prefixes, begin, end),
		cmocka_unit_test_setup_teardown(a_set_made_later_is_followed_and_others_are_not,
						begin, end),
		cmocka_unit_test_setup_teardown(what_a_set_held_that_goes_is_held_for_a_time, begin,
						end),
		cmocka_unit_test_setup_teardown(a_set_that_is_not_understood_is_named_and_left_out,
						begin, end),
		cmocka_unit_test_setup_teardown(lost_events_are_made_up_for, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
