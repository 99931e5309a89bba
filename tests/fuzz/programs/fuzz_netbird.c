/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of the importer of network maps (libFuzzer): what it makes of anything is
 * a policy.
 */
#include <stdio.h>
#include <stdlib.h>

#include "netbird/import.h"
#include "policy/parse.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * LLVMFuzzerTestOneInput() - Import what libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct netbird_map map = {"map", (const char *)data, size};
	const struct netbird_options options = {
		.block_inbound = size & 4 ? NETBIRD_OFF : NETBIRD_UNKNOWN,
		.dynamic_any = size & 2,
		.json = size & 1,
	};
	struct netbird_import import;
	struct policy *policy;
	struct error error;

	if (netbird_import(&map, &options, &import, &error))
		return 0;
	if (policy_parse("policy", import.text, import.len, &policy, &error)) {
		fprintf(stderr, "%s\n%s\n", error.text, import.text);
		abort();
	}
	policy_free(policy);
	netbird_import_free(&import);
	return 0;
}
