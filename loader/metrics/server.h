/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that serves metrics over HTTP: without rights, as it reads what anybody sends.
 *
 * A client has one answer, and a few seconds to ask for it and take it.  There are at most so many at
 * a time; whoever comes when there are displaces the one that has been there longest.
 */
#ifndef SHRIKE_METRICS_SERVER_H
#define SHRIKE_METRICS_SERVER_H

#include <sys/types.h>

#include "process/heartbeat.h"

/* What the server needs. */
struct server_start {
	int listen_fd;
	int control_fd; /* to ask for texts, and to get them */
	struct heartbeat *heartbeat;
};

void server_begin(struct server_start *start, pid_t parent) __attribute__((noreturn));

#endif /* SHRIKE_METRICS_SERVER_H */
