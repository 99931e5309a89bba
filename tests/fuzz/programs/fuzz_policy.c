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

static void ignore_error(void *context, const struct error *error)
{
	(void)context;
	(void)error;
}

/**
 * LLVMFuzzerTestOneInput() - Parse what libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_text source = {
		.path = "policy.yaml",
		.text = (const char *)data,
		.len = size,
		.on_error = ignore_error,
		.expects_netbird = size % 2,
	};
	struct policy *policy;
	struct error error;

	/* after the first error, too */
	if (policy_read(&source, &policy, &error))
		return 0;
	policy_check(policy, ignore, NULL, NULL, &error);
	policy_free(policy);
	return 0;
}
