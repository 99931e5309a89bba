/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The layout is that of linux/bpf.h and Documentation/bpf/ringbuf.rst: a page with the consumer's
 * position, a page with the producer's, and the data, mapped twice so that no record has a seam.
 * Positions only grow.
 */
#include "kernel/ring_reader.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT 8

/**
 * ring_reader_open() - Map a ring buffer
 * @reader: is filled; to be closed with ring_reader_close()
 * @map_fd: the BPF map
 * @bytes: its size
 * @error: set on failure
 *
 * Reading begins with the first record that nobody has given up, whoever has read it.
 *
 * Return: 0 or -errno.
 */
int ring_reader_open(struct ring_reader *reader, int map_fd, size_t bytes, struct error *error)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return error_set(error, errno, "cannot map a ring buffer: %s", strerror(errno));
	producer = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, page);
	if (producer == MAP_FAILED) {
		error_set(error, errno, "cannot map a ring buffer: %s", strerror(errno));
		munmap(consumer, page);
		return -error->code;
	}
	reader->consumer = consumer;
	reader->producer = producer;
	reader->data = (const uint8_t *)producer + page;
	reader->bytes = bytes;
	reader->at = ring_reader_begin(reader);
	return 0;
}

/**
 * ring_reader_next() - The next record
 * @len: set to its length
 *
 * It stays where it is until ring_reader_commit().
 *
 * Return: the record; NULL: there is none yet.
 */
const void *ring_reader_next(struct ring_reader *reader, size_t *len)
{
	while (reader->at < __atomic_load_n(reader->producer, __ATOMIC_ACQUIRE)) {
		const uint8_t *record = reader->data + (reader->at & (reader->bytes - 1));
		uint32_t head = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		size_t size = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (head & BPF_RINGBUF_BUSY_BIT)
			return NULL; /* a CPU is writing it */
		reader->at += (size + BPF_RINGBUF_HDR_SZ + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
		if (head & BPF_RINGBUF_DISCARD_BIT)
			continue;
		*len = size;
		return record + BPF_RINGBUF_HDR_SZ;
	}
	return NULL;
}

/**
 * ring_reader_fill() - Bytes in the ring that have not been given up
 */
size_t ring_reader_fill(const struct ring_reader *reader)
{
	return __atomic_load_n(reader->producer, __ATOMIC_ACQUIRE) - ring_reader_begin(reader);
}

/**
 * ring_reader_begin() - The position of the first record that has not been given up
 */
unsigned long ring_reader_begin(const struct ring_reader *reader)
{
	return __atomic_load_n(reader->consumer, __ATOMIC_ACQUIRE);
}

/**
 * ring_reader_commit() - Give up all records that ring_reader_next() has returned
 */
void ring_reader_commit(struct ring_reader *reader)
{
	__atomic_store_n(reader->consumer, reader->at, __ATOMIC_RELEASE);
}

/**
 * ring_reader_close() - Unmap a ring buffer
 * @reader: as ring_reader_open() filled it, or all zero
 */
void ring_reader_close(struct ring_reader *reader)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!reader->consumer)
		return;
	munmap(reader->consumer, page);
	munmap((void *)reader->producer, page + 2 * reader->bytes);
	reader->consumer = NULL;
}
