/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that stays: signals, events and the clock, for its guard (guard.h).
 *
 * It is a convenience, not a guard: programs, tables and policy live in the kernel, and a process
 * that is killed leaves them in force.
 */
#ifndef SHRIKE_DAEMON_RUN_H
#define SHRIKE_DAEMON_RUN_H

#include "daemon/guard.h"

int run_forever(const char *ifname, const char *policy_path, warn_fn warn, guard_log log,
		struct error *error);

#endif /* SHRIKE_DAEMON_RUN_H */
