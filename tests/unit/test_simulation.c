/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a simulation keeps to itself, and what changes the policy of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sched.h>

#include "reason.h"
#include "unit/simulation.h"

/* This host asks, the peer answers. */
static const char dialogue[] = "policy: {version: 1, mode: {routing: disabled}}\n"
			       "interface: {addresses: [100.64.0.100/16]}\n"
			       "packets:\n"
			       "  - {direction: out, src: 100.64.0.100, dst: 100.64.0.1, protocol: "
			       "udp, sport: 7, dport: 7}\n"
			       "  - {direction: in, src: 100.64.0.1, dst: 100.64.0.100, protocol: "
			       "udp, sport: 7, dport: 7}\n"
			       "  - {apply: {version: 1, mode: {netstack: true}}}\n"
			       "  - {apply: {version: 1, mode: {routing: disabled}}}\n";

enum { ASK, ANSWER, APPLY_NETSTACK, APPLY };

static void two_simulations_do_not_see_each_other(void **state)
{
	struct simulation *one, *other;
	struct scenario *scenario;

	(void)state;
	need_programs();
	scenario = scenario_of(dialogue);
	one = simulation_of(scenario, NULL);
	other = simulation_of(scenario, NULL);
	simulation_put(one, &scenario->steps[ASK]);
	assert_int_equal(simulation_put(other, &scenario->steps[ANSWER]).event.verdict,
			 VERDICT_DROP);
	assert_int_equal(simulation_put(one, &scenario->steps[ANSWER]).event.verdict, VERDICT_PASS);
	simulation_free(other);
	assert_int_equal(simulation_put(one, &scenario->steps[ANSWER]).event.verdict, VERDICT_PASS);
	simulation_free(one);
	scenario_free(scenario);
}

static void a_policy_that_cannot_work_leaves_the_old_one_in_force(void **state)
{
	const struct environment environment = {.force_native_router = true};
	struct simulation_result result;
	struct simulation *simulation;
	struct scenario *scenario;
	struct error error = {};

	(void)state;
	need_programs();
	scenario = scenario_of(dialogue);
	simulation = simulation_of(scenario, &environment);
	simulation_put(simulation, &scenario->steps[ASK]);
	assert_int_equal(
		simulation_step(simulation, &scenario->steps[APPLY_NETSTACK], &result, &error),
		-EINVAL);
	assert_true(error.invalid_input);
	assert_int_equal(simulation_put(simulation, &scenario->steps[ANSWER]).event.reason,
			 REASON_ESTABLISHED);
	simulation_free(simulation);
	scenario_free(scenario);
}

static void variables_of_the_environment_win_over_every_policy(void **state)
{
	const struct environment environment = {.disable_conntrack = true};
	struct simulation *simulation;
	struct scenario *scenario;

	(void)state;
	need_programs();
	scenario = scenario_of(dialogue);
	simulation = simulation_of(scenario, &environment);
	for (int round = 0; round < 2; round++) {
		simulation_put(simulation, &scenario->steps[ASK]);
		assert_int_equal(simulation_put(simulation, &scenario->steps[ANSWER]).event.verdict,
				 VERDICT_DROP);
		simulation_put(simulation, &scenario->steps[APPLY]);
	}
	simulation_free(simulation);
	scenario_free(scenario);
}

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void a_simulation_leaves_neither_files_nor_affinity(void **state)
{
	cpu_set_t before, after;
	struct simulation *simulation;
	struct scenario *scenario;
	size_t files;

	(void)state;
	need_programs();
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	scenario = scenario_of(dialogue);
	files = open_files();
	simulation = simulation_of(scenario, NULL);
	scenario->steps[ASK].kind = SCENARIO_TRACE;
	simulation_put(simulation, &scenario->steps[ASK]);
	simulation_put(simulation, &scenario->steps[APPLY]);
	simulation_put(simulation, &scenario->steps[ASK]);
	assert_true(open_files() > files);
	simulation_free(simulation);
	assert_int_equal(open_files(), files);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
	scenario_free(scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_simulations_do_not_see_each_other),
		cmocka_unit_test(a_policy_that_cannot_work_leaves_the_old_one_in_force),
		cmocka_unit_test(variables_of_the_environment_win_over_every_policy),
		cmocka_unit_test(a_simulation_leaves_neither_files_nor_affinity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
