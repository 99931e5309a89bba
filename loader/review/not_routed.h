/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Warnings about rules of route_acl for addresses that are this host's: what goes there is not
 * routed, so peer_acl decides, and the rule does not do what it seems to.
 */
#ifndef SHRIKE_REVIEW_NOT_ROUTED_H
#define SHRIKE_REVIEW_NOT_ROUTED_H

#include "kernel/netlink.h"
#include "policy/check.h"
#include "policy/policy.h"

void policy_check_local(const struct policy *policy, const struct interface_address *addresses,
			size_t n, policy_warn_fn warn, void *context);

#endif /* SHRIKE_REVIEW_NOT_ROUTED_H */
