/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The counters of a direction as JSON: what was counted in all, or how fast it grows.
 */
#ifndef SHRIKE_CLI_COUNTERS_PRINT_H
#define SHRIKE_CLI_COUNTERS_PRINT_H

#include <jansson.h>

#include "counter.h"

void counters_since(const struct counters *before, const struct counters *now,
		    struct counters *growth);
json_t *counters_json(const struct counters *counters);
json_t *counters_json_rates(const struct counters *growth, double seconds);

#endif /* SHRIKE_CLI_COUNTERS_PRINT_H */
