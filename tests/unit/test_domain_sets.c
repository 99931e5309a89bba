/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Domain sets that are given more addresses than they have room for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "base/clock.h"
#include "netbird/domain_sets.h"

#define SET	"nb-00000001"
#define HOLD_NS (100 * (uint64_t)NS_PER_S)
#define TTL_S	60

static struct domain_sets *sets;

/* The address of that number. */
static struct prefix address(uint32_t number)
{
	struct prefix prefix = {.ip_version = IP_VERSION_4, .len = 32};

	prefix.addr.word[2] = htonl(0xffff);
	prefix.addr.word[3] = htonl(0x0a000000 + number);
	return prefix;
}

static uint32_t number_of(const struct prefix *prefix)
{
	return ntohl(prefix->addr.word[3]) - 0x0a000000;
}

/* Connections lead to the addresses below @arg. */
static bool is_below(void *arg, const struct prefix *prefix)
{
	return number_of(prefix) < *(const uint32_t *)arg;
}

static size_t content(const struct prefix **prefixes)
{
	size_t n = 0;

	*prefixes = NULL;
	domain_sets_find(sets, SET, prefixes, &n);
	return n;
}

static bool has(uint32_t number)
{
	const struct prefix *prefixes;
	size_t n = content(&prefixes);
	bool found = false;

	for (size_t i = 0; i < n; i++)
		found |= number_of(&prefixes[i]) == number;
	return found;
}

/* So many names are resolved, each a nanosecond after the one before. */
static void resolve(uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct prefix prefix = address(first + i);

		domain_sets_answer(sets, SET, &prefix, TTL_S, first + i);
	}
}

static void make_room(uint32_t used)
{
	if (domain_sets_are_over(sets))
		domain_sets_make_room(sets, is_below, &used);
}

static int begin(void **state)
{
	const struct prefix *ignored;

	(void)state;
	sets = domain_sets_new(HOLD_NS);
	assert_non_null(sets);
	content(&ignored); /* a policy wants it */
	return 0;
}

static int end(void **state)
{
	(void)state;
	domain_sets_free(sets);
	return 0;
}

/* The set is full, and that is in force. */
static void fill(void)
{
	char name[DOMAIN_SET_NAME_SIZE];

	resolve(0, DOMAIN_HELD_MAX - 1);
	assert_int_equal(domain_sets_full(sets, name), 0);
	resolve(DOMAIN_HELD_MAX - 1, 1);
	assert_false(domain_sets_are_over(sets));
	assert_true(domain_sets_has_changed(sets));
	domain_sets_taken(sets, 1);
	assert_int_equal(domain_sets_full(sets, name), 1);
	assert_string_equal(name, SET);
}

static void addresses_that_are_not_used_make_room_the_oldest_first(void **state)
{
	const struct prefix *prefixes;

	(void)state;
	fill();
	resolve(5000, 3);
	assert_true(domain_sets_are_over(sets));
	make_room(10);
	assert_false(domain_sets_are_over(sets));
	assert_true(domain_sets_has_changed(sets));
	assert_int_equal(content(&prefixes), DOMAIN_HELD_MAX);
	for (uint32_t i = 0; i < 14; i++)
		assert_int_equal(has(i), i < 10 || i == 13);
	for (uint32_t i = 5000; i < 5003; i++)
		assert_true(has(i));
}

static void what_connections_use_makes_no_room_for_what_is_new(void **state)
{
	const struct prefix *prefixes;

	(void)state;
	fill();
	resolve(5000, 3);
	make_room(6000);
	assert_false(domain_sets_has_changed(sets));
	assert_int_equal(content(&prefixes), DOMAIN_HELD_MAX);
	assert_true(has(0) && has(DOMAIN_HELD_MAX - 1) && !has(5000));
	/* one that is not used any more makes room for one */
	resolve(5000, 2);
	make_room(DOMAIN_HELD_MAX - 1);
	assert_true(domain_sets_has_changed(sets));
	assert_int_equal(content(&prefixes), DOMAIN_HELD_MAX);
	assert_true(has(DOMAIN_HELD_MAX - 2) && !has(DOMAIN_HELD_MAX - 1));
}

static void a_flood_of_answers_is_bounded(void **state)
{
	const struct prefix *prefixes;

	(void)state;
	fill();
	resolve(5000, 10000);
	assert_int_equal(content(&prefixes), DOMAIN_HELD_MAX + DOMAIN_HELD_NEW);
	make_room(DOMAIN_HELD_MAX);
	assert_int_equal(content(&prefixes), DOMAIN_HELD_MAX);
	assert_true(has(0) && has(DOMAIN_HELD_MAX - 1));
}

static void a_listing_that_goes_leaves_what_connections_use(void **state)
{
	enum { LISTED = 3000, USED = 1500 };
	struct prefix *listed = calloc(LISTED, sizeof(*listed));
	const struct prefix *prefixes;

	(void)state;
	assert_non_null(listed);
	for (uint32_t i = 0; i < LISTED; i++)
		listed[i] = address(i);
	resolve(7, 1);
	assert_int_equal(domain_sets_list(sets, SET, IP_VERSION_4, listed, LISTED), 0);
	domain_sets_taken(sets, 1);
	domain_sets_unlist(sets, SET, IP_VERSION_4, 1);
	assert_false(domain_sets_has_changed(sets));
	assert_int_equal(content(&prefixes), LISTED);
	make_room(USED);
	assert_true(domain_sets_has_changed(sets));
	assert_int_equal(content(&prefixes), USED);
	assert_true(has(0) && has(7) && has(USED - 1) && !has(USED));
	/* as connections end, there is room */
	domain_sets_taken(sets, 1);
	make_room(USED);
	domain_sets_expire(sets, HOLD_NS + 1, is_below, &(uint32_t){20});
	assert_int_equal(content(&prefixes), 20);
}

static void an_address_is_not_due_before_it_was_in_force(void **state)
{
	const struct prefix *prefixes;
	struct prefix prefix = address(1);
	uint64_t late_ns = 2 * HOLD_NS;

	(void)state;
	domain_sets_answer(sets, SET, &prefix, -(int32_t)(HOLD_NS / NS_PER_S), 1);
	assert_int_equal(domain_sets_due_ns(sets), UINT64_MAX);
	domain_sets_expire(sets, late_ns, is_below, &(uint32_t){0});
	assert_int_equal(content(&prefixes), 1);
	domain_sets_taken(sets, late_ns);
	assert_true(domain_sets_due_ns(sets) > late_ns && domain_sets_due_ns(sets) < UINT64_MAX);
	domain_sets_expire(sets, domain_sets_due_ns(sets), is_below, &(uint32_t){0});
	assert_int_equal(content(&prefixes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			addresses_that_are_not_used_make_room_the_oldest_first, begin, end),
		cmocka_unit_test_setup_teardown(what_connections_use_makes_no_room_for_what_is_new,
						begin, end),
		cmocka_unit_test_setup_teardown(an_address_is_not_due_before_it_was_in_force, begin,
						end),
		cmocka_unit_test_setup_teardown(a_flood_of_answers_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(a_listing_that_goes_leaves_what_connections_use,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
