/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network namespaces of a test's own, with two veth ends: wt0 and other0.
 */
#ifndef SHRIKE_TESTS_UNIT_NAMESPACE_H
#define SHRIKE_TESTS_UNIT_NAMESPACE_H

#include "base/error.h"
#include "kernel/netlink.h"

int namespace_setup(void **state);
void need_root(void);
void run(const char *command);
int ifindex_of(const char *name);
union addr addr_of(const char *text);
void assert_prefix(const struct prefix *prefix, const char *addr, int len);

#endif /* SHRIKE_TESTS_UNIT_NAMESPACE_H */
