/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Following the packets of an interface: a clone of the generation in force that tells of each
 * packet takes its place at the hooks, on all its maps, and gives the place back at the end.
 *
 * Invariant: while the ingress program in force tells of packets, a process holds the lock "trace"
 * of the interface; else the tracer was killed, and trace_live_recover() puts things right.
 */
#ifndef SHRIKE_TRACE_LIVE_H
#define SHRIKE_TRACE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/attached.h"
#include "trace/ring.h"
#include "trace_filter.h"

/*
 * struct trace_live_spec - what to tell of
 * @filter: for the kernel
 * @snap_len: bytes of each frame, at most TRACE_SNAP_MAX
 * @told, @arg: told of each packet, in the order of time as far as one reading has them; a
 *	negative value ends the reading
 */
#define TRACE_SNAP_MAX 16384

struct trace_live_spec {
	const char *ifname;
	int ifindex;
	struct trace_filter filter;
	uint32_t snap_len;
	trace_told told;
	void *arg;
};

struct trace_live;

int trace_live_open(const struct trace_live_spec *spec, struct trace_live **trace,
		    struct error *error);
int trace_live_fd(const struct trace_live *trace);
int trace_live_read(struct trace_live *trace, struct error *error);
int trace_live_follow(struct trace_live *trace, bool *changed, struct error *error);
const struct live *trace_live_live(const struct trace_live *trace);
void trace_live_stats(const struct trace_live *trace, struct trace_stats *stats);
int trace_live_close(struct trace_live *trace, struct error *error);

bool trace_live_is_on(const struct map_set *maps);
int trace_live_recover(const char *ifname, int ifindex, struct error *error);

#endif /* SHRIKE_TRACE_LIVE_H */
