/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a BPF ring buffer by batches: records are looked at first, and given up when what was made
 * of them is safe.  libbpf's ring_buffer gives up each record as it is read.
 */
#ifndef SHRIKE_KERNEL_RING_READER_H
#define SHRIKE_KERNEL_RING_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ring_reader {
	unsigned long *consumer;       /* mapped: what is before has been given up */
	const unsigned long *producer; /* mapped: what is behind has not been written yet */
	const uint8_t *data;	       /* mapped twice in a row */
	size_t bytes;		       /* of the ring: a power of two */
	unsigned long at;	       /* the next record to be looked at */
};

int ring_reader_open(struct ring_reader *reader, int map_fd, size_t bytes, struct error *error);
const void *ring_reader_next(struct ring_reader *reader, size_t *len);
size_t ring_reader_fill(const struct ring_reader *reader);
unsigned long ring_reader_begin(const struct ring_reader *reader);
void ring_reader_commit(struct ring_reader *reader);
void ring_reader_close(struct ring_reader *reader);

#endif /* SHRIKE_KERNEL_RING_READER_H */
