/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading trace records from the perf buffers of all CPUs, by the hundred thousand a second.
 */
#ifndef SHRIKE_TRACE_RING_H
#define SHRIKE_TRACE_RING_H

#include <stdint.h>

#include "base/error.h"
#include "trace_event.h"

/*
 * struct trace_record - what a trace holds of a packet
 * @frame: its first event.frame_len bytes, from the link header on
 */
struct trace_record {
	struct trace_event event;
	uint8_t frame[];
};

typedef int (*trace_on_record)(void *arg, const struct trace_record *record);

struct trace_ring;

int trace_ring_open(int map_fd, struct trace_ring **ring, struct error *error);
int trace_ring_fd(const struct trace_ring *ring);
int trace_ring_read(struct trace_ring *ring, trace_on_record on_record, void *arg,
		    struct error *error);
void trace_ring_close(struct trace_ring *ring);

#endif /* SHRIKE_TRACE_RING_H */
