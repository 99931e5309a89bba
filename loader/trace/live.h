/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tracing the packets of an interface: a clone of the generation in force, on all its maps, writes
 * a record of each packet.  The clone's programs replace the attached ones until the trace ends.
 *
 * Invariant: while the ingress program at the hook writes records, a process holds the lock "trace"
 * of the interface; else the tracer was killed, and trace_live_recover() replaces the clone.
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
 * struct trace_live_spec - which packets to trace
 * @filter: for the kernel
 * @snap_len: bytes of each frame, at most TRACE_SNAP_MAX
 * @on_record, @arg: called for each record, in the order of time within one reading; a negative
 *	value ends the reading
 */
#define TRACE_SNAP_MAX 16384

struct trace_live_spec {
	const char *ifname;
	int ifindex;
	struct trace_filter filter;
	uint32_t snap_len;
	trace_on_record on_record;
	void *arg;
};

struct trace_live;

int trace_live_open(const struct trace_live_spec *spec, struct trace_live **trace,
		    struct error *error);
int trace_live_fd(const struct trace_live *trace);
int trace_live_read(struct trace_live *trace, struct error *error);
int trace_live_follow(struct trace_live *trace, bool *changed, struct error *error);
const struct attached *trace_live_generation(const struct trace_live *trace);
void trace_live_stats(const struct trace_live *trace, struct trace_stats *stats);
int trace_live_close(struct trace_live *trace, struct error *error);

bool trace_live_is_on(const struct map_set *maps);
int trace_live_recover(const char *ifname, int ifindex, struct error *error);

#endif /* SHRIKE_TRACE_LIVE_H */
