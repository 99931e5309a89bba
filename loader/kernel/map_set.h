/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A set of open BPF maps, by name.
 */
#ifndef SHRIKE_KERNEL_MAP_SET_H
#define SHRIKE_KERNEL_MAP_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define MAP_SET_MAX 96

struct map_entry {
	char name[16];
	int fd; /* owned by the set */
	uint32_t id;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
};

struct map_set {
	struct map_entry maps[MAP_SET_MAX];
	size_t n;
};

void map_set_init(struct map_set *set);
int map_set_add(struct map_set *set, int fd, struct error *error);
int map_set_add_of_prog(struct map_set *set, int prog_fd, struct error *error);
const struct map_entry *map_set_find(const struct map_set *set, const char *name);
const struct map_entry *map_set_require(const struct map_set *set, const char *name,
					size_t value_size, struct error *error);
int map_set_fd(const struct map_set *set, const char *name);
void map_set_free(struct map_set *set);

#endif /* SHRIKE_KERNEL_MAP_SET_H */
