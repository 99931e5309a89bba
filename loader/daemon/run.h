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
#include "metrics/publish.h"

/*
 * struct run_request - what to protect, and how
 * @ifname: the interface
 * @policy_path: policy file, read again on SIGHUP; NULL: the default policy
 * @options: about following NetBird's daemon
 * @waits: for an interface that is not there yet
 * @metrics_address: where metrics are served, see listen_open(); NULL: nowhere
 * @collect: makes them
 * @warn: called for each variable that is not understood
 * @log: called with each line for the log
 */
struct run_request {
	const char *ifname;
	const char *policy_path;
	struct following_options options;
	bool waits;
	const char *metrics_address;
	metrics_collect collect;
	warn_fn warn;
	log_fn log;
};

int run_forever(const struct run_request *request, struct error *error);

#endif /* SHRIKE_DAEMON_RUN_H */
