/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forward/share.h"

static void nobody_is_greedy_where_there_is_nothing(void **state)
{
	struct share one = {};
	struct shares shares;

	(void)state;
	shares_init(&shares);
	assert_null(shares_greediest(&shares));
	share_add(&shares, &one, 5);
	assert_ptr_equal(shares_greediest(&shares), &one);
	share_take(&shares, &one, 5);
	assert_null(shares_greediest(&shares));
	assert_int_equal(shares.total, 0);
}

static void the_greediest_of_a_few_is_found(void **state)
{
	struct share list[60] = {};
	struct shares shares;

	(void)state;
	shares_init(&shares);
	for (uint32_t i = 0; i < 60; i++)
		share_add(&shares, &list[i], 1 + (i * 37) % 60);
	for (uint32_t most = 60; most; most--) {
		struct share *greediest = shares_greediest(&shares);

		assert_int_equal(greediest->count, most);
		share_take(&shares, greediest, most);
	}
	assert_int_equal(shares.total, 0);
}

static void among_many_the_one_that_is_found_has_at_least_half_of_the_most(void **state)
{
	static struct share list[1000];
	struct shares shares;
	uint32_t most = 0;

	(void)state;
	shares_init(&shares);
	for (uint32_t i = 0; i < 1000; i++) {
		share_add(&shares, &list[i], 1 + (i * 7919) % 5000);
		if (list[i].count > most)
			most = list[i].count;
	}
	assert_true(shares_greediest(&shares)->count >= most / 2);
	share_add(&shares, &list[3], UINT32_MAX / 2);
	assert_ptr_equal(shares_greediest(&shares), &list[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_greedy_where_there_is_nothing),
		cmocka_unit_test(the_greediest_of_a_few_is_found),
		cmocka_unit_test(among_many_the_one_that_is_found_has_at_least_half_of_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
