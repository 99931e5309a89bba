/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing sets that were changed while in force back to the file that they come from.
 */
#ifndef SHRIKE_POLICY_SAVE_H
#define SHRIKE_POLICY_SAVE_H

#include <stdbool.h>

#include "base/error.h"
#include "policy/policy.h"

int save_set(const struct policy *in_force, const struct prefix_set *set, bool *is_saved,
	     struct error *error);

#endif /* SHRIKE_POLICY_SAVE_H */
