/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tests of a policy, judged by the programs on an interface that is not there (simulate.h), so
 * that neither connections nor counters of one in force have a say.
 *
 * A prefix stands for all its addresses.  What rules and tables tell apart are the addresses of
 * prefixes, so an address that begins a run between two of their bounds speaks for the run.
 */
#ifndef SHRIKE_SIMULATE_POLICY_TESTS_H
#define SHRIKE_SIMULATE_POLICY_TESTS_H

#include "base/error.h"
#include "policy/environment.h"
#include "policy/policy.h"

/* Takes what a test has found: one sentence without a newline. */
typedef void (*policy_test_fn)(void *arg, const struct policy_test *test, const char *text);

/*
 * struct policy_tests - how the tests of a policy are to be run
 * @policy: after environment_apply(); its tests and what they are about
 * @ifname: the interface whose addresses are "self" and whose host judges; NULL: one that is nowhere
 * @warn, @warn_arg: as of simulation_new()
 * @on_failure, @arg: told of each test that fails, once
 */
struct policy_tests {
	struct policy *policy;
	const char *ifname;
	warn_fn warn;
	policy_test_fn on_failure;
	void *arg;
};

int policy_tests_run(const struct policy_tests *tests, size_t *failed, struct error *error);
size_t policy_tests_packets(const struct policy *policy);
int policy_tests_verify(struct policy *policy, const char *ifname, struct error *error);

#endif /* SHRIKE_SIMULATE_POLICY_TESTS_H */
