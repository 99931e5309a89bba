/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that stays: follows the interface and its addresses, expires connections, reloads.
 *
 * It is a convenience, not a guard: programs, tables and policy live in the kernel, and a process
 * that is killed leaves them in force.
 */
#ifndef SHRIKE_DAEMON_RUN_H
#define SHRIKE_DAEMON_RUN_H

#include <stdbool.h>

#include "base/error.h"
#include "policy/environment.h"

/* Hears what happens, one sentence each; @is_error: something could not be done, and goes on. */
typedef void (*run_log)(const char *text, bool is_error);

int run_forever(const char *ifname, const char *policy_path, warn_fn warn, run_log log,
		struct error *error);

#endif /* SHRIKE_DAEMON_RUN_H */
