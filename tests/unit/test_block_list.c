/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of blocked peers, and the table of ranges that is made of it.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/block_list.h"
#include "policy/policy.h"

static struct prefix prefix(const char *text)
{
	struct prefix result;
	struct error error;

	assert_int_equal(0, prefix_parse(text, &result, &error));
	return result;
}

static struct blocked_table table; /* too large for the stack */

/* Compile a list, with translations or without. */
static int compile(struct block_list *list, struct nat_one_to_one *nat, size_t n_nat)
{
	struct policy policy = {.blocked = list, .one_to_one = nat, .n_one_to_one = n_nat};
	struct error error;

	memset(&table, 0, sizeof(table));
	return block_list_compile(&policy, &table, &error);
}

static void add(struct block_list *list, const char *text, uint64_t until_ns)
{
	struct prefix what = prefix(text);
	struct error error;

	assert_int_equal(0, block_list_add(list, &what, until_ns, &error));
}

static void check_range(size_t at, const char *first, const char *last, uint64_t until_ns)
{
	const struct blocked_range *range = &table.ranges[at];
	union addr addr = prefix(first).addr;

	assert_true(range->first[0] == be64toh(addr.half[0]));
	assert_true(range->first[1] == be64toh(addr.half[1]));
	addr = prefix(last).addr;
	assert_true(range->last[0] == be64toh(addr.half[0]));
	assert_true(range->last[1] == be64toh(addr.half[1]));
	assert_true(range->until_ns == until_ns);
}

static void a_prefix_is_in_the_list_once_and_its_time_can_be_set_anew(void **state)
{
	struct prefix what = prefix("100.64.0.2");
	struct block_list list = {.n = 0};

	(void)state;
	add(&list, "100.64.0.2", 5);
	add(&list, "fd64::2", 0);
	add(&list, "100.64.0.2", 9);
	assert_int_equal(2, list.n);
	assert_true(block_list_find(&list, &what)->until_ns == 9);
	block_list_expire(&list, 8);
	assert_int_equal(2, list.n);
	block_list_expire(&list, 9);
	assert_int_equal(1, list.n);
	assert_null(block_list_find(&list, &what));
	assert_false(block_list_remove(&list, &what));
	what = prefix("fd64::2");
	assert_true(block_list_remove(&list, &what));
	assert_int_equal(0, list.n);
}

static void a_list_that_is_full_takes_no_more_but_renews(void **state)
{
	struct block_list list = {.n = 0};
	struct prefix what = prefix("10.0.0.1");
	struct error error;

	(void)state;
	for (unsigned int i = 0; i < BLOCKED_MAX; i++) {
		assert_int_equal(0, block_list_add(&list, &what, 0, &error));
		what.addr.bytes[14]++;
	}
	assert_int_equal(BLOCKED_MAX, list.n);
	what.addr.bytes[13]++;
	assert_int_equal(-ENOSPC, block_list_add(&list, &what, 0, &error));
	what = prefix("10.0.0.1");
	assert_int_equal(0, block_list_add(&list, &what, 7, &error));
	assert_int_equal(0, compile(&list, NULL, 0));
	assert_int_equal(BLOCKED_MAX, table.n);
	assert_int_equal(BLOCKED_MAX / 2, table.step);
}

static void prefixes_that_overlap_become_ranges_with_the_latest_end(void **state)
{
	struct block_list list = {.n = 0};

	(void)state;
	add(&list, "100.64.0.0/24", 5);
	add(&list, "100.64.0.16/28", 0);
	add(&list, "100.64.0.1", 3);
	add(&list, "100.64.1.0/24", 5);
	add(&list, "fd64::/16", 8);
	assert_int_equal(0, compile(&list, NULL, 0));
	assert_int_equal(4, table.n);
	assert_int_equal(2, table.step);
	check_range(0, "100.64.0.0", "100.64.0.15", 5);
	check_range(1, "100.64.0.16", "100.64.0.31", 0);
	check_range(2, "100.64.0.32", "100.64.1.255", 5);
	check_range(3, "fd64::", "fd64:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 8);
	assert_true(table.ranges[4].first[0] == UINT64_MAX && !table.ranges[4].last[0]);
}

static void both_addresses_of_a_translated_peer_are_blocked(void **state)
{
	struct nat_one_to_one nat[] = {
		{prefix("10.9.0.5").addr, prefix("100.64.0.5").addr, IP_VERSION_4, {}},
		{prefix("10.9.0.6").addr, prefix("100.64.0.6").addr, IP_VERSION_4, {}},
	};
	struct block_list list = {.n = 0};

	(void)state;
	add(&list, "10.9.0.5", 0);
	add(&list, "100.64.0.6", 4);
	assert_int_equal(0, compile(&list, nat, 2));
	assert_int_equal(4, table.n);
	check_range(0, "10.9.0.5", "10.9.0.5", 0);
	check_range(1, "10.9.0.6", "10.9.0.6", 4);
	check_range(2, "100.64.0.5", "100.64.0.5", 0);
	check_range(3, "100.64.0.6", "100.64.0.6", 4);
}

static void nobody_and_everybody_can_be_compiled(void **state)
{
	struct block_list list = {.n = 0};

	(void)state;
	assert_int_equal(0, compile(NULL, NULL, 0));
	assert_int_equal(0, compile(&list, NULL, 0));
	assert_int_equal(0, table.n);
	add(&list, "::/0", 0);
	assert_int_equal(0, compile(&list, NULL, 0));
	assert_int_equal(1, table.n);
	assert_int_equal(0, table.step);
	assert_true(!table.ranges[0].first[0] && table.ranges[0].last[1] == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_is_in_the_list_once_and_its_time_can_be_set_anew),
		cmocka_unit_test(a_list_that_is_full_takes_no_more_but_renews),
		cmocka_unit_test(prefixes_that_overlap_become_ranges_with_the_latest_end),
		cmocka_unit_test(both_addresses_of_a_translated_peer_are_blocked),
		cmocka_unit_test(nobody_and_everybody_can_be_compiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
