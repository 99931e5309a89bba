/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The environment variables that NetBird users know (the list is in shrike(8)).
 *
 * They win over the policy file, so that they keep meaning what they mean to NetBird.  As there,
 * an empty variable is an unset one, and a switch that is set to false is not set: it does not
 * overrule the policy file.
 */
#ifndef SHRIKE_POLICY_ENVIRONMENT_H
#define SHRIKE_POLICY_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

/* Takes a warning: one sentence without a newline. */
typedef void (*warn_fn)(const char *text, void *arg);

struct environment {
	bool disable_userspace_routing;
	bool force_native_router;
	bool force_userspace_router;
	bool disable_conntrack;
	bool disable_mss_clamping;
	bool enable_local_forwarding;
	bool enable_netstack_local_forwarding;
	struct policy_limits limits;	 /* 0: not set */
	struct policy_timeouts timeouts; /* 0: not set */
};

void environment_read(struct environment *environment,
		      const char *(*get)(const char *name, void *arg), void *get_arg, warn_fn warn,
		      void *warn_arg);
void environment_apply(const struct environment *environment, struct policy *policy);

#endif /* SHRIKE_POLICY_ENVIRONMENT_H */
