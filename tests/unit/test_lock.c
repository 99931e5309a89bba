/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Locks of an interface, under names that nothing else takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/lock.h"

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
	assert_int_equal(lock_try(LOCK_RUN, name, &first, &error), 0);
	assert_int_equal(lock_try(LOCK_RUN, name, &second, &error), -EADDRINUSE);
	assert_int_equal(lock_try(LOCK_APPLY, name, &second, &error), 0);
	close(second);
	close(first);
	assert_int_equal(lock_try(LOCK_RUN, name, &second, &error), 0);
	close(second);
}

static void test_whether_a_lock_is_held_can_be_asked(void **state)
{
	int lock;

	(void)state;
	assert_false(lock_is_held(LOCK_RUN, name));
	assert_int_equal(lock_try(LOCK_RUN, name, &lock, &error), 0);
	assert_true(lock_is_held(LOCK_RUN, name));
	assert_false(lock_is_held(LOCK_APPLY, name));
	close(lock);
	assert_false(lock_is_held(LOCK_RUN, name));
}

/* By a name alone anybody could keep a lock from us where BPF is not for root alone. */
static void test_a_map_that_anybody_may_make_is_no_lock(void **state)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int lock, fake;

	(void)state;
	assert_int_equal(lock_try(LOCK_RUN, name, &lock, &error), 0);
	assert_int_equal(bpf_obj_get_info_by_fd(lock, &info, &len), 0);
	close(lock);
	fake = bpf_map_create(BPF_MAP_TYPE_ARRAY, info.name, 4, 4, 1, NULL);
	assert_true(fake >= 0);
	assert_false(lock_is_held(LOCK_RUN, name));
	assert_int_equal(lock_try(LOCK_RUN, name, &lock, &error), 0);
	assert_true(lock_is_held(LOCK_RUN, name));
	close(lock);
	close(fake);
}

static void test_another_network_namespace_has_locks_of_its_own(void **state)
{
	int lock, other, host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(lock_try(LOCK_RUN, name, &lock, &error), 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_false(lock_is_held(LOCK_RUN, name));
	assert_int_equal(lock_try(LOCK_RUN, name, &other, &error), 0);
	assert_int_equal(setns(host, CLONE_NEWNET), 0);
	assert_true(lock_is_held(LOCK_RUN, name));
	close(other);
	assert_true(lock_is_held(LOCK_RUN, name));
	close(lock);
	close(host);
}

#define TRIERS 8

/* Take the lock if it can be had, say so, and keep it until the test ends this process. */
static void try_and_stay(int result_fd)
{
	int lock;
	char taken = !lock_try(LOCK_RUN, name, &lock, &error);

	if (write(result_fd, &taken, 1) == 1)
		pause();
	_exit(1);
}

static void test_a_lock_that_many_try_at_once_is_taken_by_one_at_most(void **state)
{
	pid_t triers[TRIERS];
	int results[2];
	char taken;

	(void)state;
	assert_int_equal(pipe(results), 0);
	for (int round = 0; round < 10; round++) {
		int sum = 0;

		for (int i = 0; i < TRIERS; i++) {
			triers[i] = fork();
			if (!triers[i])
				try_and_stay(results[1]);
			assert_true(triers[i] > 0);
		}
		for (int i = 0; i < TRIERS; i++) {
			assert_int_equal(read(results[0], &taken, 1), 1);
			sum += taken;
		}
		assert_in_range(sum, 0, 1);
		for (int i = 0; i < TRIERS; i++) {
			kill(triers[i], SIGKILL);
			assert_int_equal(waitpid(triers[i], NULL, 0), triers[i]);
		}
		assert_false(lock_is_held(LOCK_RUN, name));
	}
	close(results[0]);
	close(results[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lock_is_taken_once_until_it_is_closed),
		cmocka_unit_test(test_whether_a_lock_is_held_can_be_asked),
		cmocka_unit_test(test_a_map_that_anybody_may_make_is_no_lock),
		cmocka_unit_test(test_another_network_namespace_has_locks_of_its_own),
		cmocka_unit_test(test_a_lock_that_many_try_at_once_is_taken_by_one_at_most),
	};

	return cmocka_run_group_tests_name("lock", tests, setup, NULL);
}
