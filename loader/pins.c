/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * pins_set() - Pin an object under a name, in the place of what was there
 * @dir: the interface's directory
 * @name: of the pin
 * @fd: map, program or link
 * @error: why not
 *
 * The new pin is made beside the old one and moved over it, so that the name always leads
 * somewhere.
 *
 * Return: 0 or -errno.
 */
int pins_set(const char *dir, const char *name, int fd, struct error *error)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
	    snprintf(fresh, sizeof(fresh), "%s/%s__new", dir, name) >= (int)sizeof(fresh))
		return error_set(error, ENAMETOOLONG, "%s: path too long", dir);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	chmod(fresh, 0600);
	if (rename(fresh, path)) {
		error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
		unlink(fresh);
		return -error->code;
	}
	return 0;
}

/**
 * pins_set_maps() - Pin every map of a generation by its name
 *
 * The read-only data and other sections of the programs are left out: their names have dots, which
 * bpffs refuses, and they live as long as the programs.
 *
 * Return: 0 or -errno.
 */
int pins_set_maps(const char *dir, const struct map_set *maps, struct error *error)
{
	for (size_t i = 0; i < maps->n; i++) {
		int err;

		if (strchr(maps->maps[i].name, '.'))
			continue;
		err = pins_set(dir, maps->maps[i].name, maps->maps[i].fd, error);
		if (err)
			return err;
	}
	return 0;
}

/**
 * pins_clear() - Remove every pin of an interface; the directory stays
 * @dir: the interface's directory
 * @error: why not
 *
 * Return: 0, also where there is no such directory, or -errno.
 */
int pins_clear(const char *dir, struct error *error)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	int err = 0;

	if (!stream && errno == ENOENT)
		return 0;
	if (!stream)
		return error_set(error, errno, "%s: %s", dir, strerror(errno));
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(stream), entry->d_name, 0) && errno != ENOENT)
			err = error_set(error, errno, "%s/%s: %s", dir, entry->d_name,
					strerror(errno));
	}
	closedir(stream);
	return err;
}
