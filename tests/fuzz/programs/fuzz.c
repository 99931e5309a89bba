/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Differential fuzzing until time is up: `make fuzz T=60`.
 *
 *	fuzz [-t SECONDS] [-s SEED] [-n CASES] [-w]
 *
 * Each difference between the programs and the reference model is printed as a scenario file, from
 * which the steps that it does not need are left out; with -w the whole case is. Exit status 0 if
 * there was none, 1 if there was one, 2 if a case could not be run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/generation.h"
#include "fuzz/fuzz.h"

#define DIFFERENCES_MAX 10 /* then something is wrong that needs no more examples */

struct totals {
	bool whole;
	uint64_t cases;
	uint64_t packets;
	uint64_t differences;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/*
 * @seen: a difference that the other hook has shown, which is not printed twice; becomes this one's
 */
static int run_hook(uint64_t seed, enum policy_hook hook, struct fuzz_difference *seen,
		    struct totals *totals, struct error *error)
{
	struct scenario *scenario = fuzz_scenario(seed);
	struct fuzz_difference difference;
	bool is_new;
	int err;

	err = fuzz_run(scenario, hook, &difference, error);
	if (err)
		goto out;
	totals->packets += difference.found ? difference.step + 1 : scenario->n_steps;
	is_new = difference.found && !(seen->found && seen->step == difference.step &&
				       !strcmp(seen->what, difference.what));
	*seen = difference;
	if (!is_new)
		goto out;
	totals->differences++;
	if (!totals->whole)
		err = fuzz_minimise(scenario, hook, &difference, error);
	if (!err)
		fuzz_print(stdout, scenario, seed, hook, &difference);
	fflush(stdout);
out:
	scenario_free(scenario);
	return err;
}

/* One case on both hooks. */
static int run_case(uint64_t seed, struct totals *totals, struct error *error)
{
	struct fuzz_difference seen = {};
	int err;

	totals->cases++;
	err = run_hook(seed, POLICY_HOOK_XDP, &seen, totals, error);
	if (!err)
		err = run_hook(seed, POLICY_HOOK_TC, &seen, totals, error);
	return err;
}

int main(int argc, char **argv)
{
	double start = now(), seconds = 60;
	uint64_t seed = time(NULL), n_cases = UINT64_MAX;
	struct totals totals = {};
	struct error error;
	int option, err = 0;

	while ((option = getopt(argc, argv, "t:s:n:w")) != -1) {
		if (option == 't')
			seconds = atof(optarg);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			n_cases = strtoull(optarg, NULL, 10);
		else if (option == 'w')
			totals.whole = true;
		else
			return 2;
	}
	printf("# first seed %" PRIu64 "\n", seed);
	generation_verbose(false);
	while (!err && totals.cases < n_cases && now() - start < seconds &&
	       totals.differences < DIFFERENCES_MAX)
		err = run_case(seed++, &totals, &error);
	if (err) {
		fprintf(stderr, "fuzz: seed %" PRIu64 ": %s\n", seed - 1, error.text);
		return 2;
	}
	printf("# %" PRIu64 " cases, %" PRIu64 " packets, %.0f seconds: %" PRIu64 " differences\n",
	       totals.cases, totals.packets, now() - start, totals.differences);
	return totals.differences ? 1 : 0;
}
