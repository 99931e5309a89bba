/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs between two policies: rules by id, sets by name, settings.
 */
#ifndef SHRIKE_REVIEW_DIFF_H
#define SHRIKE_REVIEW_DIFF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "config.h"
#include "policy/policy.h"

/*
 * struct policy_side - one of the two
 * @policy: after environment_apply()
 * @config: of the generation that is in force or would be; NULL: only what the policies say counts
 */
struct policy_side {
	const struct policy *policy;
	const struct config *config;
};

int policy_diff(const struct policy_side *before, const struct policy_side *after, json_t **diff,
		struct error *error);
bool policy_diff_is_empty(const json_t *diff);
size_t policy_diff_print(const json_t *diff, FILE *file);

#endif /* SHRIKE_REVIEW_DIFF_H */
