/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs and the reference model agree: a few seeds here, many in `make fuzz T=seconds`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>

#include "dataplane/generation.h"
#include "fuzz/fuzz.h"

#define SEEDS 2

static void agree(enum policy_hook hook)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scenario *scenario = fuzz_scenario(seed);
		struct fuzz_difference difference;
		struct error error;

		if (fuzz_run(scenario, hook, &difference, &error))
			fail_msg("seed %" PRIu64 ": %s", seed, error.text);
		if (difference.found)
			fail_msg("seed %" PRIu64 ", step %zu: %s (make fuzz S=%" PRIu64
				 " shows it as a scenario)",
				 seed, difference.step, difference.what, seed);
		scenario_free(scenario);
	}
}

static void test_xdp(void **state)
{
	(void)state;
	agree(POLICY_HOOK_XDP);
}

static void test_tc(void **state)
{
	(void)state;
	agree(POLICY_HOOK_TC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xdp),
		cmocka_unit_test(test_tc),
	};

	generation_verbose(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
