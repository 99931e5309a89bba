/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prefixes: what contains what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/address.h"

static void prefixes_contain_each_other_within_their_family(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool contains;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.0/16", true},
		{"10.0.0.0/8", "10.0.0.0/8", true},
		{"10.0.0.0/8", "11.0.0.0/16", false},
		{"10.0.0.0/16", "10.0.0.0/8", false},
		{"10.128.0.0/9", "10.127.0.0/16", false},
		{"0.0.0.0/0", "1.2.3.4", true},
		{"::/0", "1.2.3.4", false},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "2001:db8::1", true},
		{"2001:db8::/33", "2001:db8:8000::/34", false},
		{"2001:db8::/33", "2001:db8:4000::/34", true},
	};
	struct prefix outer, inner;
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(prefix_parse(rows[i].outer, &outer, &error), 0);
		assert_int_equal(prefix_parse(rows[i].inner, &inner, &error), 0);
		assert_int_equal(prefix_contains(&outer, &inner), rows[i].contains);
	}
}

static void a_prefix_is_shortened_to_its_network(void **state)
{
	struct prefix prefix, wanted;
	struct error error;

	(void)state;
	assert_int_equal(prefix_parse("10.255.255.255", &prefix, &error), 0);
	assert_int_equal(prefix_parse("10.240.0.0/12", &wanted, &error), 0);
	prefix_truncate(&prefix, 12);
	assert_true(prefix_equal(&prefix, &wanted));
	assert_int_equal(prefix_parse("ffff::ffff", &prefix, &error), 0);
	assert_int_equal(prefix_parse("::/0", &wanted, &error), 0);
	prefix_truncate(&prefix, 0);
	assert_true(prefix_equal(&prefix, &wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_contain_each_other_within_their_family),
		cmocka_unit_test(a_prefix_is_shortened_to_its_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
