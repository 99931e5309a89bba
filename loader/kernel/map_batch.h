/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading hash maps in batches, resumably, and taking entries out of them.
 *
 * A walk visits every entry that stays in the map while it lasts exactly once.  It costs one
 * system call per batch and a bounded amount of memory.  Entries that come and go meanwhile may
 * or may not be seen.
 */
#ifndef SHRIKE_KERNEL_MAP_BATCH_H
#define SHRIKE_KERNEL_MAP_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define MAP_BATCH_KEY_MAX   40
#define MAP_BATCH_VALUE_MAX 96

/*
 * struct map_batch - a walk over one hash map, and the entries it has read last
 * @keys: @count keys of @key_size bytes, one after the other
 * @values: likewise
 * @count: entries read by the last map_batch_next()
 * @done: the walk is complete; the entries read last are still to be looked at
 */
struct map_batch {
	uint8_t *keys;
	uint8_t *values;
	uint32_t count;
	bool done;

	/* private to map_batch.c */
	int fd;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t capacity; /* entries that fit into keys and values */
	bool started;
	bool single;			     /* read by key, where the kernel has no batches */
	uint8_t position[MAP_BATCH_KEY_MAX]; /* bucket, or the key read last */
};

/* @n keys of @size bytes, one after the other. */
struct map_keys {
	const void *keys;
	uint32_t size;
	uint32_t n;
};

/* Whether an entry with a value shall go; @arg is for the function. */
struct map_condition {
	bool (*holds)(const void *arg, const void *value);
	const void *arg;
};

int map_batch_init(struct map_batch *batch, uint32_t capacity, struct error *error);
void map_batch_rewind(struct map_batch *batch, int fd, uint32_t key_size, uint32_t value_size);
int map_batch_next(struct map_batch *batch, uint32_t max, struct error *error);
void map_batch_free(struct map_batch *batch);

int map_delete_keys(int fd, const struct map_keys *keys, bool *deleted, struct error *error);
int map_remove_if(int fd, const void *key, void *value, const struct map_condition *condition,
		  struct error *error);

#endif /* SHRIKE_KERNEL_MAP_BATCH_H */
