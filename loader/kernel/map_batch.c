/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/map_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#define KERNEL_ENOTSUPP 524 /* what the kernel says of a map type without batches */

/* Make room for more entries in a batch. */
static int resize(struct map_batch *batch, uint32_t capacity, struct error *error)
{
	uint8_t *keys = calloc(capacity, MAP_BATCH_KEY_MAX);
	uint8_t *values = calloc(capacity, MAP_BATCH_VALUE_MAX);

	if (!keys || !values) {
		free(keys);
		free(values);
		return error_set(error, ENOMEM, "reading a map: no memory for %u entries",
				 capacity);
	}
	free(batch->keys);
	free(batch->values);
	batch->keys = keys;
	batch->values = values;
	batch->capacity = capacity;
	return 0;
}

/**
 * map_batch_init() - Prepare walks, of which map_batch_rewind() begins each
 * @batch: to fill; map_batch_free() releases it
 * @capacity: entries to read per call at most, 1 or more; grows where one bucket holds more
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int map_batch_init(struct map_batch *batch, uint32_t capacity, struct error *error)
{
	struct map_batch made = {0};
	int err = resize(&made, capacity, error);

	if (err)
		return err;
	*batch = made;
	map_batch_rewind(batch, -1, 0, 0);
	return 0;
}

/**
 * map_batch_rewind() - Begin at the first entry of a map, the same one or another
 * @batch: an initialised walk
 * @fd: a hash map
 * @key_size: at most MAP_BATCH_KEY_MAX bytes
 * @value_size: at most MAP_BATCH_VALUE_MAX bytes
 */
void map_batch_rewind(struct map_batch *batch, int fd, uint32_t key_size, uint32_t value_size)
{
	batch->fd = fd;
	batch->key_size = key_size;
	batch->value_size = value_size;
	batch->count = 0;
	batch->started = false;
	batch->done = false;
}

/* For kernels without batches: a key that was deleted meanwhile makes the walk begin anew. */
static int next_single(struct map_batch *batch, uint32_t max)
{
	const void *previous = batch->started ? batch->position : NULL;
	uint32_t n;

	for (n = 0; n < max;) {
		uint8_t *key = batch->keys + (size_t)n * batch->key_size;

		if (bpf_map_get_next_key(batch->fd, previous, key)) {
			if (errno != ENOENT)
				return -errno;
			batch->done = true;
			break;
		}
		memcpy(batch->position, key, batch->key_size);
		batch->started = true;
		previous = batch->position;
		if (!bpf_map_lookup_elem(batch->fd, key,
					 batch->values + (size_t)n * batch->value_size))
			n++;
		else if (errno != ENOENT)
			return -errno;
	}
	batch->count = n;
	return 0;
}

/* Read the next entries in one system call. */
static int next_batch(struct map_batch *batch, uint32_t max)
{
	uint8_t position[MAP_BATCH_KEY_MAX] = {0};
	uint32_t count = max;
	int err;

	err = bpf_map_lookup_batch(batch->fd, batch->started ? batch->position : NULL, position,
				   batch->keys, batch->values, &count, NULL);
	if (err && err != -ENOENT)
		return err;
	batch->done = err == -ENOENT;
	batch->count = count;
	batch->started = true;
	memcpy(batch->position, position, sizeof(position));
	return 0;
}

/**
 * map_batch_next() - Read the next entries
 * @batch: a walk that is not done
 * @max: entries to read at most, 1 or more; more only where one bucket holds more
 * @error: set on failure
 *
 * @batch->count may be 0 before the walk is done.
 *
 * Return: 0 or the negative errno of the kernel.
 */
int map_batch_next(struct map_batch *batch, uint32_t max, struct error *error)
{
	int err;

	if (max > batch->capacity)
		max = batch->capacity;
	for (;;) {
		err = batch->single ? next_single(batch, max) : next_batch(batch, max);
		if (err == -ENOSPC && max <= UINT32_MAX / 2) {
			/* The next bucket alone holds more than max entries. */
			max *= 2;
			if (max > batch->capacity && resize(batch, max, error))
				return -ENOMEM;
		} else if (err == -KERNEL_ENOTSUPP && !batch->single) {
			batch->single = true;
		} else {
			break;
		}
	}
	if (err)
		return error_set(error, -err, "reading a map: %s", strerror(-err));
	return 0;
}

/**
 * map_batch_free() - Release what a walk holds
 * @batch: initialised, or all zero
 */
void map_batch_free(struct map_batch *batch)
{
	free(batch->keys);
	free(batch->values);
	memset(batch, 0, sizeof(*batch));
}

/**
 * map_delete_keys() - Delete entries, in as few system calls as possible
 * @fd: a hash map
 * @keys: which
 * @deleted: an answer for each key: false where the entry was gone already
 * @error: set on failure
 *
 * Return: 0 or the negative errno of the kernel.
 */
int map_delete_keys(int fd, const struct map_keys *keys, bool *deleted, struct error *error)
{
	const uint8_t *key = keys->keys;
	uint32_t at = 0;

	while (at < keys->n) {
		uint32_t count = keys->n - at;
		int err = bpf_map_delete_batch(fd, key + (size_t)at * keys->size, &count, NULL);

		if (err == -KERNEL_ENOTSUPP) {
			err = bpf_map_delete_elem(fd, key + (size_t)at * keys->size);
			count = err ? 0 : 1;
		}
		if (err && err != -ENOENT)
			return error_set(error, -err, "deleting from a map: %s", strerror(-err));
		memset(deleted + at, true, count);
		at += count;
		/* A batch stops at the first key that is gone. */
		if (err)
			deleted[at++] = false;
	}
	return 0;
}

/**
 * map_remove_if() - Delete an entry unless it has become wanted
 * @fd: a hash map
 * @key: of the entry
 * @value: room for the value; the value as it was deleted, on return 1
 * @condition: holds for values of entries that shall go
 * @error: set on failure
 *
 * The kernel has no compare-and-delete.  The entry is read again just before it is taken out, and
 * the value that came out is judged once more: if it was refreshed in between it is put back.
 * What remains is a window of a few microseconds in which such an entry is absent; callers keep
 * it empty by asking only for entries that the dataplane itself no longer honours.
 *
 * Return: 1: deleted; 0: kept, or gone already; or the negative errno of the kernel.
 */
int map_remove_if(int fd, const void *key, void *value, const struct map_condition *condition,
		  struct error *error)
{
	int err = bpf_map_lookup_elem(fd, key, value);

	if (!err && !condition->holds(condition->arg, value))
		return 0;
	if (!err)
		err = bpf_map_lookup_and_delete_elem(fd, key, value);
	if (err == -ENOENT)
		return 0;
	if (!err && condition->holds(condition->arg, value))
		return 1;
	if (!err)
		err = bpf_map_update_elem(fd, key, value, BPF_NOEXIST);
	/* Opened anew since it came out: the newer entry stays. */
	if (err && err != -EEXIST)
		return error_set(error, -err, "deleting from a map: %s", strerror(-err));
	return 0;
}
