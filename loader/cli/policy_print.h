/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_CLI_POLICY_PRINT_H
#define SHRIKE_CLI_POLICY_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "dataplane/generation_rules.h"

int policy_print(const struct policy *policy, const struct instance *instance,
		 const struct undo *undo, const struct rule_view *rules, size_t n_rules, bool json,
		 FILE *file, struct error *error);

#endif /* SHRIKE_CLI_POLICY_PRINT_H */
