/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that makes metrics as `shrike metrics` does, hands them to the server and ends, so that
 * reading large tables keeps `run` from nothing.
 */
#ifndef SHRIKE_METRICS_COLLECTOR_H
#define SHRIKE_METRICS_COLLECTOR_H

#include <sys/types.h>

#include "metrics/report.h"

/* What the collector needs. */
struct collector_start {
	const char *ifname;
	metrics_collect collect;
	int control_fd; /* to the server */
};

uint64_t collector_pause_ns(uint64_t took_ns);
void collector_begin(struct collector_start *start, pid_t parent) __attribute__((noreturn));

#endif /* SHRIKE_METRICS_COLLECTOR_H */
