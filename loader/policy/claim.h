/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "FROM can reach TO tcp/22": sentences about a policy, as `policy prove` and the key "assert" of its
 * tests have them.
 */
#ifndef SHRIKE_POLICY_CLAIM_H
#define SHRIKE_POLICY_CLAIM_H

#include "base/error.h"
#include "policy/policy.h"

int claim_read_end(const struct names *names, const char *text, struct policy_test_end *end,
		   struct error *error);
int claim_read_ends(const struct policy *policy, const char *text, struct policy_test_end *end,
		    bool *sets, struct error *error);
int claim_read_traffic(const char *text, struct policy_claim *claim, struct error *error);
int claim_check(const struct policy_claim *claim, struct error *error);
int claim_parse(const struct policy *policy, const char *text, struct policy_claim *claim,
		struct error *error);

#endif /* SHRIKE_POLICY_CLAIM_H */
