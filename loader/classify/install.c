/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables into maps: their sizes before the object is loaded, their content after.
 */
#include "classify/install.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int find_map(struct bpf_object *object, const char *name, struct bpf_map **map,
		    struct error *error)
{
	*map = bpf_object__find_map_by_name(object, name);
	if (!*map)
		return error_set(error, ENOENT, "the BPF object has no map %s", name);
	return 0;
}

/**
 * classifier_configure() - Size the classifier's maps
 * @classifier: whose tables they are to hold
 * @object: opened and not yet loaded; its classify_config is for the caller to set, from
 *	classifier_config()
 * @error: what went wrong
 *
 * Return: 0 or -errno.
 */
int classifier_configure(const struct classifier *classifier, struct bpf_object *object,
			 struct error *error)
{
	for (int i = 0; i < CLASSIFY_TABLES; i++) {
		struct classifier_table table = classifier_table(classifier, i);
		struct bpf_map *map;
		int err = find_map(object, table.map_name, &map, error);

		if (err)
			return err;
		err = bpf_map__set_max_entries(map, table.entries);
		if (err)
			return error_set(error, -err, "cannot size map %s: %s", table.map_name,
					 strerror(-err));
	}
	return 0;
}

/* Maps are as long as whole pages. */
static int fill_map(int fd, const struct classifier_table *table, struct error *error)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t used = (size_t)table->entries * table->value_size;
	size_t len = (used + page - 1) / page * page;
	void *values = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (values == MAP_FAILED)
		return error_set(error, errno, "cannot fill map %s: %s", table->map_name,
				 strerror(errno));
	memcpy(values, table->data, used);
	munmap(values, len);
	return 0;
}

/**
 * classifier_fill() - Write the tables into the maps
 * @classifier: as given to classifier_configure()
 * @object: loaded
 * @error: what went wrong
 *
 * Return: 0 or -errno.
 */
int classifier_fill(const struct classifier *classifier, struct bpf_object *object,
		    struct error *error)
{
	for (int i = 0; i < CLASSIFY_TABLES; i++) {
		struct classifier_table table = classifier_table(classifier, i);
		struct bpf_map *map;
		int err = find_map(object, table.map_name, &map, error);

		if (!err)
			err = fill_map(bpf_map__fd(map), &table, error);
		if (err)
			return err;
	}
	return 0;
}
