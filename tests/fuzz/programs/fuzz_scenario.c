/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coverage-guided fuzzing of the scenario parser (libFuzzer).  Its directory does not exist, so
 * policies that a scenario only names are not found.
 */
#include "simulate/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * LLVMFuzzerTestOneInput() - Parse what libFuzzer has made
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scenario *scenario;
	struct error error;

	if (scenario_parse("/nowhere/scenario.yaml", (const char *)data, size, &scenario, &error))
		return 0;
	scenario_free(scenario);
	return 0;
}
