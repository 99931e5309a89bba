/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is valid in a policy, but surely not what its author meant.
 */
#ifndef SHRIKE_POLICY_CHECK_H
#define SHRIKE_POLICY_CHECK_H

#include "base/error.h"
#include "policy/policy.h"

/*
 * policy_warn_fn - called for each warning
 * @context: the caller's own
 * @position: where in the policy file
 * @text: one sentence, no newline; valid during the call
 */
typedef void (*policy_warn_fn)(void *context, struct position position, const char *text);

int policy_check(const struct policy *policy, policy_warn_fn warn, void *context, bool *dead,
		 struct error *error);

#endif /* SHRIKE_POLICY_CHECK_H */
