/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/map_set.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/**
 * map_set_init() - Begin with an empty set
 */
void map_set_init(struct map_set *set)
{
	set->n = 0;
}

/**
 * map_set_find() - The map of a name, NULL if the set has none
 */
const struct map_entry *map_set_find(const struct map_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->maps[i].name, name))
			return &set->maps[i];
	return NULL;
}

/**
 * map_set_fd() - The descriptor of the map of a name, -1 if the set has none
 */
int map_set_fd(const struct map_set *set, const char *name)
{
	const struct map_entry *map = map_set_find(set, name);

	return map ? map->fd : -1;
}

/**
 * map_set_require() - The map of a name that has values of the form this version knows
 * @set: of a generation that may be another version's
 * @name: of the map
 * @value_size: of its values, in bytes; 0: any
 * @error: set on failure
 *
 * Return: the map, or NULL.
 */
const struct map_entry *map_set_require(const struct map_set *set, const char *name,
					size_t value_size, struct error *error)
{
	const struct map_entry *map = map_set_find(set, name);

	if (map && (!value_size || map->value_size == value_size))
		return map;
	error_set(error, EPROTO,
		  "BPF map %s belongs to another version of shrike; apply the policy anew or "
		  "detach with: shrike detach --force",
		  name);
	return NULL;
}

/**
 * map_set_add() - Take a map into the set
 * @set: the set
 * @fd: descriptor of the map; owned by the set from now on, and closed on failure
 * @error: set on failure
 *
 * A map of a name that the set already has is closed: the first one stays.
 *
 * Return: 0 or -errno.
 */
int map_set_add(struct map_set *set, int fd, struct error *error)
{
	struct map_entry *map = &set->maps[set->n];
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (set->n == MAP_SET_MAX) {
		close(fd);
		return error_set(error, E2BIG, "more than %d BPF maps", MAP_SET_MAX);
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		error_set(error, errno, "cannot read a BPF map: %s", strerror(errno));
		close(fd);
		return -error->code;
	}
	if (map_set_find(set, info.name)) {
		close(fd);
		return 0;
	}
	memcpy(map->name, info.name, sizeof(map->name));
	map->fd = fd;
	map->id = info.id;
	map->type = info.type;
	map->key_size = info.key_size;
	map->value_size = info.value_size;
	map->max_entries = info.max_entries;
	set->n++;
	return 0;
}

/**
 * map_set_add_of_prog() - Take in every map that a program uses or is bound to
 * @set: the set
 * @prog_fd: the program
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int map_set_add_of_prog(struct map_set *set, int prog_fd, struct error *error)
{
	__u32 ids[MAP_SET_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAP_SET_MAX, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);
	int err;

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return error_set(error, errno, "cannot read a BPF program: %s", strerror(errno));
	for (__u32 i = 0; i < info.nr_map_ids && i < MAP_SET_MAX; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd < 0)
			return error_set(error, errno, "cannot open a BPF map: %s",
					 strerror(errno));
		err = map_set_add(set, fd, error);
		if (err)
			return err;
	}
	return 0;
}

/**
 * map_set_free() - Close every map of the set
 */
void map_set_free(struct map_set *set)
{
	while (set->n)
		close(set->maps[--set->n].fd);
}
