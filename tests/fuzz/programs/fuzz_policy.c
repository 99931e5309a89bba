/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of the policy parser and of the check for odd rules (libFuzzer).
 */
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, struct position at, const char *text)
{
	(void)context;
	(void)at;
	(void)text;
}

/**
 * LLVMFuzzerTestOneInput() - Parse what libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *policy;
	struct error error;

	if (policy_parse("policy.yaml", (const char *)data, size, &policy, &error))
		return 0;
	policy_check(policy, ignore, NULL, NULL, &error);
	policy_free(policy);
	return 0;
}
