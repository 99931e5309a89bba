/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/history_maps.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "dataplane/state_dir.h"

#define MAPS_FILE "/maps"
#define MAPS_MAX  100
#define MAPS_SIZE ((size_t)64 << 10)
#define FILE_MODE 0600

/* Read the file of maps; an empty array where there is none, or none that can be read. */
static json_t *read_maps(const char *path)
{
	static const struct file_kind kind = {"history", MAPS_SIZE};
	struct error ignored;
	json_t *list = NULL;
	char *text;
	size_t len;

	if (!file_read(path, &kind, &text, &len, &ignored)) {
		list = json_loadb(text, len, 0, NULL);
		free(text);
	}
	if (json_is_array(list))
		return list;
	json_decref(list);
	return json_array();
}

/* Take a map of the file apart. */
static int parse_map(json_t *object, struct history_map *map)
{
	json_int_t time, serial, digest, generation, added, removed, cut;

	if (json_unpack(object, "{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "time_ns", &time, "serial",
			&serial, "digest", &digest, "generation", &generation, "added", &added,
			"removed", &removed, "cut", &cut))
		return -EINVAL;
	*map = (struct history_map){
		.time_ns = (uint64_t)time,
		.serial = (uint64_t)serial,
		.digest = (uint64_t)digest,
		.generation = (uint32_t)generation,
		.rules_added = (uint32_t)added,
		.rules_removed = (uint32_t)removed,
		.cut = (uint32_t)cut,
	};
	return 0;
}

/* Whether the newest one is the same, which came into force once more, as after a restart. */
static bool is_same_map(const json_t *list, const struct history_map *map)
{
	struct history_map newest;
	size_t n = json_array_size(list);

	return n && !parse_map(json_array_get(list, n - 1), &newest) &&
	       newest.serial == map->serial && newest.digest == map->digest;
}

static json_t *noted_map_json(const struct history_map *map)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "time_ns", (json_int_t)map->time_ns,
			 "serial", (json_int_t)map->serial, "digest", (json_int_t)map->digest,
			 "generation", (json_int_t)map->generation, "added",
			 (json_int_t)map->rules_added, "removed", (json_int_t)map->rules_removed,
			 "cut", (json_int_t)map->cut);
}

/**
 * history_note_map() - Note a map of NetBird's that has come into force
 * @ifname: the interface
 * @map: the map
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int history_note_map(const char *ifname, const struct history_map *map, struct error *error)
{
	char path[PATH_MAX], dir[PATH_MAX], *text = NULL;
	int err = state_dir_claim(error);
	json_t *list;

	if (!err)
		err = state_dir_path(ifname, "", dir, error);
	if (!err)
		err = state_dir_make(dir, error);
	if (!err)
		err = state_dir_path(ifname, MAPS_FILE, path, error);
	if (err)
		return err;
	list = read_maps(path);
	if (!is_same_map(list, map)) {
		json_array_append_new(list, noted_map_json(map));
		while (json_array_size(list) > MAPS_MAX)
			json_array_remove(list, 0);
		text = json_dumps(list, JSON_COMPACT);
		err = text ? file_replace(path, FILE_MODE, text, strlen(text), error)
			   : error_no_memory(error);
		free(text);
	}
	json_decref(list);
	return err;
}

/**
 * history_list_maps() - The last maps of NetBird's that came into force
 * @ifname: the interface
 * @maps: set to them, the oldest first; the caller frees it
 * @n: set to how many
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int history_list_maps(const char *ifname, struct history_map **maps, size_t *n, struct error *error)
{
	char path[PATH_MAX];
	int err = state_dir_find(ifname, MAPS_FILE, path, error);
	json_t *list, *object;
	size_t i;

	if (err)
		return err;
	list = read_maps(path);
	*n = 0;
	*maps = calloc(json_array_size(list) + 1, sizeof(**maps));
	if (*maps)
		json_array_foreach (list, i, object)
			if (!parse_map(object, &(*maps)[*n]))
				++*n;
	json_decref(list);
	return *maps ? 0 : error_no_memory(error);
}
