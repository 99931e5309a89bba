/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Locks of an interface, under names that nothing else takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lock.h"

static struct error error;
static char name[16];

static int setup(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "t%d", getpid());
	return 0;
}

static void test_a_lock_is_taken_once_until_it_is_closed(void **state)
{
	int first, second;

	(void)state;
	assert_int_equal(lock_try("run", name, &first, &error), 0);
	assert_int_equal(lock_try("run", name, &second, &error), -EADDRINUSE);
	assert_int_equal(lock_try("apply", name, &second, &error), 0);
	close(second);
	close(first);
	assert_int_equal(lock_try("run", name, &second, &error), 0);
	close(second);
}

static void test_whether_a_lock_is_held_can_be_asked(void **state)
{
	int lock;

	(void)state;
	assert_false(lock_is_held("run", name));
	assert_int_equal(lock_try("run", name, &lock, &error), 0);
	assert_true(lock_is_held("run", name));
	assert_false(lock_is_held("apply", name));
	close(lock);
	assert_false(lock_is_held("run", name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lock_is_taken_once_until_it_is_closed),
		cmocka_unit_test(test_whether_a_lock_is_held_can_be_asked),
	};

	return cmocka_run_group_tests_name("lock", tests, setup, NULL);
}
