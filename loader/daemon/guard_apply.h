/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting a policy into force on an interface under protection, and looking at what is.
 */
#ifndef SHRIKE_DAEMON_GUARD_APPLY_H
#define SHRIKE_DAEMON_GUARD_APPLY_H

#include "daemon/guard_state.h"

/* Where the policy to apply comes from. */
enum apply_source {
	POLICY_FROM_FILE,
	POLICY_IN_FORCE,       /* its text, built anew */
	POLICY_WITH_MAP,       /* that, as NetBird's part is another one */
	POLICY_BEFORE_CONFIRM, /* the earlier one returns: nobody confirmed */
	POLICY_WITHOUT_ENDED,  /* that in force, without elements of sets whose time is over */
};

int guard_refresh(struct guard *guard, struct error *error);
int guard_apply(struct guard *guard, enum apply_source source, struct error *error);

#endif /* SHRIKE_DAEMON_GUARD_APPLY_H */
