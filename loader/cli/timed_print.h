/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_CLI_TIMED_PRINT_H
#define SHRIKE_CLI_TIMED_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "policy/policy.h"

json_t *timed_json(const struct policy *policy);
int timed_print(const json_t *timed, bool has_run, FILE *file, struct error *error);

#endif /* SHRIKE_CLI_TIMED_PRINT_H */
