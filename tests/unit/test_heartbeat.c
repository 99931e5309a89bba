/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The heartbeat of a child: which silence is one, with a child that does nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "process/heartbeat.h"

#define BEGIN_NS 1000
#define HANG_NS	 1200000000ull
#define LOOK_NS	 (HANG_NS / HANG_LOOKS)
#define SECOND	 1000000000ull

static struct pulse pulse;
static pid_t child;
static uint64_t now_ns;

static int begin(void **state)
{
	struct error error;

	(void)state;
	now_ns = BEGIN_NS;
	child = fork();
	if (!child)
		for (;;)
			pause();
	return child < 0 || heartbeat_new(HANG_NS, &pulse, &error);
}

static int end(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	heartbeat_free(&pulse);
	return 0;
}

/* Whether it is found to hang by the last of @n looks, each @step_ns after the one before. */
static bool hangs(int n, uint64_t step_ns)
{
	enum heartbeat_state state = HEARTBEAT_ALIVE;

	while (n--) {
		now_ns += step_ns;
		state = heartbeat_look(&pulse, child, true, now_ns);
	}
	return state == HEARTBEAT_HANGS;
}

static void until(int event)
{
	siginfo_t info;

	/* without taking the news from who looks next */
	assert_int_equal(waitid(P_PID, child, &info, event | WNOWAIT), 0);
}

static void a_turn_that_does_not_end_hangs(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	assert_false(hangs(1, LOOK_NS)); /* it has just begun */
	assert_false(hangs(HANG_LOOKS - 1, LOOK_NS));
	assert_true(hangs(1, LOOK_NS));
	heartbeat_sleep(pulse.heartbeat, UINT64_MAX);
	assert_false(hangs(1, LOOK_NS));
}

/* It is looked at once a second, and again soon when it is silent. */
static void looks_of_every_second_find_it_soon(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	assert_false(hangs(1, SECOND));
	assert_int_equal(heartbeat_look(&pulse, child, true, now_ns + SECOND), HEARTBEAT_SILENT);
	now_ns += SECOND;
	assert_true(hangs(HANG_LOOKS - 1, SECOND / 10));
}

static void a_few_looks_that_come_late_prove_nothing(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	assert_false(hangs(HANG_LOOKS, 10 * HANG_NS)); /* the first has seen it begin */
	assert_true(hangs(1, 10 * HANG_NS));
}

static void many_looks_in_a_moment_prove_nothing(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	assert_false(hangs(100, 1));
}

static void turns_between_two_looks_are_signs_of_life(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	for (int i = 0; i < 20; i++) {
		heartbeat_sleep(pulse.heartbeat, 0);
		heartbeat_wake(pulse.heartbeat);
		assert_false(hangs(1, LOOK_NS));
	}
}

static void who_sleeps_without_a_limit_does_not_hang(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	heartbeat_sleep(pulse.heartbeat, UINT64_MAX);
	assert_false(hangs(100, LOOK_NS));
}

static void who_oversleeps_hangs(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	heartbeat_sleep(pulse.heartbeat, BEGIN_NS + 10 * LOOK_NS);
	assert_false(hangs(10, LOOK_NS));
	assert_false(hangs(HANG_LOOKS - 1, LOOK_NS));
	assert_true(hangs(1, LOOK_NS));
}

static void before_the_first_turn_nothing_is_due(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(heartbeat_look(&pulse, child, false, i * HANG_NS),
				 HEARTBEAT_ALIVE);
}

static void who_is_stopped_hangs_until_continued(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	heartbeat_sleep(pulse.heartbeat, UINT64_MAX);
	hangs(1, LOOK_NS);
	kill(child, SIGSTOP);
	until(WSTOPPED);
	assert_false(hangs(HANG_LOOKS, LOOK_NS));
	assert_true(hangs(1, LOOK_NS));
	kill(child, SIGCONT);
	until(WCONTINUED);
	assert_false(hangs(1, LOOK_NS));
}

static void another_forwarder_begins_anew(void **state)
{
	(void)state;
	heartbeat_wake(pulse.heartbeat);
	assert_true(hangs(2 + HANG_LOOKS, LOOK_NS));
	heartbeat_reset(&pulse);
	assert_int_equal(heartbeat_look(&pulse, child, false, now_ns), HEARTBEAT_ALIVE);
	assert_int_equal(pulse.heartbeat->beats, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_turn_that_does_not_end_hangs),
		TEST(looks_of_every_second_find_it_soon),
		TEST(a_few_looks_that_come_late_prove_nothing),
		TEST(many_looks_in_a_moment_prove_nothing),
		TEST(turns_between_two_looks_are_signs_of_life),
		TEST(who_sleeps_without_a_limit_does_not_hang),
		TEST(who_oversleeps_hangs),
		TEST(before_the_first_turn_nothing_is_due),
		TEST(who_is_stopped_hangs_until_continued),
		TEST(another_forwarder_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
