/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * pins_begin() - Begin to pin
 * @pins: the pinning
 * @dir: the interface's directory; must outlive @pins
 */
void pins_begin(struct pins *pins, const char *dir)
{
	pins->dir = dir;
	pins->n = 0;
}

/**
 * pins_set() - Pin an object under a name, in the place of what was there
 * @pins: the pinning
 * @name: of the pin
 * @fd: map, program or link
 * @error: set on failure
 *
 * The new pin is made beside the old one and moved over it, so that the name always leads
 * somewhere.
 *
 * Return: 0 or -errno.
 */
int pins_set(struct pins *pins, const char *name, int fd, struct error *error)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	if (pins->n == PINS_MAX ||
	    snprintf(path, sizeof(path), "%s/%s", pins->dir, name) >= (int)sizeof(path) ||
	    snprintf(fresh, sizeof(fresh), "%s/%s__new", pins->dir, name) >= (int)sizeof(fresh))
		return error_set(error, ENAMETOOLONG, "%s: path too long", pins->dir);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
	chmod(fresh, 0600);
	if (rename(fresh, path)) {
		error_set(error, errno, "cannot pin %s: %s", path, strerror(errno));
		unlink(fresh);
		return -error->code;
	}
	snprintf(pins->names[pins->n++], PINS_NAME_MAX, "%s", name);
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
int pins_set_maps(struct pins *pins, const struct map_set *maps, struct error *error)
{
	for (size_t i = 0; i < maps->n; i++) {
		int err;

		if (strchr(maps->maps[i].name, '.'))
			continue;
		err = pins_set(pins, maps->maps[i].name, maps->maps[i].fd, error);
		if (err)
			return err;
	}
	return 0;
}

static bool is_wanted(const struct pins *pins, const char *name)
{
	for (size_t i = 0; i < pins->n; i++)
		if (!strcmp(pins->names[i], name))
			return true;
	return false;
}

/**
 * pins_end() - Remove the pins of the directory that were not set since pins_begin()
 *
 * Return: 0, also where there is no such directory, or -errno.
 */
int pins_end(struct pins *pins, struct error *error)
{
	DIR *stream = opendir(pins->dir);
	struct dirent *entry;
	int err = 0;

	if (!stream && errno == ENOENT)
		return 0;
	if (!stream)
		return error_set(error, errno, "%s: %s", pins->dir, strerror(errno));
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] == '.' || is_wanted(pins, entry->d_name))
			continue;
		if (unlinkat(dirfd(stream), entry->d_name, 0) && errno != ENOENT)
			err = error_set(error, errno, "%s/%s: %s", pins->dir, entry->d_name,
					strerror(errno));
	}
	closedir(stream);
	return err;
}

/* Remove the directories in @dir with all that they hold.  Nothing of ours is ever in one. */
static int clear_directories(const char *dir, struct error *error)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX];
	int err = 0;

	if (!stream)
		return errno == ENOENT ? 0
				       : error_set(error, errno, "%s: %s", dir, strerror(errno));
	while (!err && (entry = readdir(stream))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
			err = error_set(error, ENAMETOOLONG, "%s: path too long", dir);
		if (!err)
			err = pins_clear(path, true, error);
		if (!err && rmdir(path))
			err = error_set(error, errno, "%s: %s", path, strerror(errno));
	}
	closedir(stream);
	return err;
}

/**
 * pins_clear() - Remove every pin of an interface; the directory stays
 * @dir: the interface's directory
 * @force: also remove what no version of shrike has put there, such as directories
 * @error: set on failure
 *
 * Return: 0, also where there is no such directory, or -errno.
 */
int pins_clear(const char *dir, bool force, struct error *error)
{
	struct pins none;
	int err = force ? clear_directories(dir, error) : 0;

	pins_begin(&none, dir);
	return err ? err : pins_end(&none, error);
}
