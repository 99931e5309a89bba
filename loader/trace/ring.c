/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each CPU has a buffer.  A reading copies what is in all of them, and so gives the room back at
 * once; then it sorts by time, as the packets of one connection come by on several CPUs.
 */
#include "trace/ring.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (8u << 20)	  /* of each CPU: 20,000 records of 400 bytes */
#define WAKEUP_BYTES (512u << 10) /* a reader that waits is woken when there is so much */
#define PAGE_BYTES   4096u
#define RECORD_ALIGN 8u

struct trace_ring {
	struct perf_buffer *buffer;
	uint8_t *arena; /* records of one reading, one behind the other */
	size_t arena_len;
	size_t arena_size;
	size_t *offsets; /* of the records in it */
	size_t n;
	size_t n_max;
	bool no_memory;
};

/* struct perf_event_header, then this: PERF_SAMPLE_RAW of perf_event_open(2). */
struct raw_sample {
	struct perf_event_header header;
	uint32_t size;
	uint8_t data[];
};

/* Make room for one more record of @len bytes. */
static bool grow(struct trace_ring *ring, size_t len)
{
	void *arena, *offsets;

	if (ring->arena_len + len > ring->arena_size) {
		arena = realloc(ring->arena, 2 * (ring->arena_len + len));
		if (!arena)
			return false;
		ring->arena = arena;
		ring->arena_size = 2 * (ring->arena_len + len);
	}
	if (ring->n == ring->n_max) {
		offsets = realloc(ring->offsets, 2 * (ring->n + 64) * sizeof(*ring->offsets));
		if (!offsets)
			return false;
		ring->offsets = offsets;
		ring->n_max = 2 * (ring->n + 64);
	}
	return true;
}

/* Append a sample of the perf buffer to the arena. */
static enum bpf_perf_event_ret take(void *arg, int cpu, struct perf_event_header *header)
{
	const struct raw_sample *sample = (const struct raw_sample *)header;
	struct trace_ring *ring = arg;
	struct trace_event event;
	size_t len;

	(void)cpu;
	if (header->type != PERF_RECORD_SAMPLE || sample->size < sizeof(event))
		return LIBBPF_PERF_EVENT_CONT;
	memcpy(&event, sample->data, sizeof(event));
	if (event.frame_len > sample->size - sizeof(event))
		return LIBBPF_PERF_EVENT_CONT;
	len = (sizeof(event) + event.frame_len + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
	if (!grow(ring, len)) {
		ring->no_memory = true;
		return LIBBPF_PERF_EVENT_CONT;
	}
	memcpy(ring->arena + ring->arena_len, sample->data, sizeof(event) + event.frame_len);
	ring->offsets[ring->n++] = ring->arena_len;
	ring->arena_len += len;
	return LIBBPF_PERF_EVENT_CONT;
}

/**
 * trace_ring_open() - Open the buffers of all CPUs
 * @map_fd: trace_v1 of the generation
 * @ring: set, for trace_ring_close()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int trace_ring_open(int map_fd, struct trace_ring **ring, struct error *error)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = WAKEUP_BYTES,
	};
	struct trace_ring *opened = calloc(1, sizeof(*opened));

	if (!opened)
		return error_no_memory(error);
	opened->buffer = perf_buffer__new_raw(map_fd, BUFFER_BYTES / PAGE_BYTES, &attr, take,
					      opened, NULL);
	if (!opened->buffer) {
		error_set(error, errno, "cannot open buffers for trace records: %s",
			  strerror(errno));
		free(opened);
		return -error->code;
	}
	*ring = opened;
	return 0;
}

/**
 * trace_ring_fd() - What to wait on; not every record wakes, so wait for a moment only
 */
int trace_ring_fd(const struct trace_ring *ring)
{
	return perf_buffer__epoll_fd(ring->buffer);
}

static int by_time(const void *a, const void *b, void *arena)
{
	const struct trace_event *x = arena + *(const size_t *)a;
	const struct trace_event *y = arena + *(const size_t *)b;

	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

/**
 * trace_ring_read() - Read the records that have come
 * @ring: the reader
 * @on_record: called for each record; a negative value ends the reading and drops the rest
 * @arg: for @on_record
 * @error: set on failure, unless @on_record failed
 *
 * Return: 0 or -errno; also what @on_record returned.
 */
int trace_ring_read(struct trace_ring *ring, trace_on_record on_record, void *arg,
		    struct error *error)
{
	int err;

	ring->n = ring->arena_len = 0;
	err = perf_buffer__consume(ring->buffer);
	if (err < 0)
		return error_set(error, -err, "cannot read trace records: %s", strerror(-err));
	if (ring->no_memory)
		return error_no_memory(error);
	if (ring->n)
		qsort_r(ring->offsets, ring->n, sizeof(*ring->offsets), by_time, ring->arena);
	for (size_t i = 0; i < ring->n; i++) {
		err = on_record(arg, (const struct trace_record *)(ring->arena + ring->offsets[i]));
		if (err)
			return err;
	}
	return 0;
}

/**
 * trace_ring_close() - Close the buffers
 * @ring: the reader, or NULL
 */
void trace_ring_close(struct trace_ring *ring)
{
	if (!ring)
		return;
	perf_buffer__free(ring->buffer);
	free(ring->arena);
	free(ring->offsets);
	free(ring);
}
