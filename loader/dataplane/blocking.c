/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/blocking.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "maps.h"

/**
 * blocking_now_ns() - The clock of blocks, which is that of the programs
 */
uint64_t blocking_now_ns(void)
{
	return clock_kernel_ns(CLOCK_MONOTONIC);
}

/**
 * blocking_read() - Who is blocked now
 * @maps: of a generation
 * @list: is filled; empty where another version has built the generation
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int blocking_read(const struct map_set *maps, struct block_list *list, struct error *error)
{
	const struct map_entry *map = map_set_find(maps, MAP_BLOCKED);

	list->n = 0;
	if (!map || map->value_size != sizeof(list->peers[0]))
		return 0;
	for (uint32_t key = 0; key < BLOCKED_MAX && key < map->max_entries; key++) {
		if (bpf_map_lookup_elem(map->fd, &key, &list->peers[key]))
			return error_set(error, errno, "cannot read BPF map %s: %s", MAP_BLOCKED,
					 strerror(errno));
		if (!list->peers[key].ip_version)
			break;
		list->n++;
	}
	block_list_expire(list, blocking_now_ns());
	return 0;
}
