/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/state_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/pin_path.h"

#define STATE_DIR "/var/lib/shrike"
#define DIR_MODE  0700

/**
 * state_dir_path() - A file or directory of an interface's state, which need not exist
 * @ifname: the interface
 * @name: with a slash in front; empty: the directory of the interface
 * @path: set to it
 * @error: set on failure
 *
 * SHRIKE_STATE in the environment names another directory than /var/lib/shrike.
 *
 * Return: 0 or -errno.
 */
int state_dir_path(const char *ifname, const char *name, char path[PATH_MAX], struct error *error)
{
	const char *state = secure_getenv("SHRIKE_STATE");
	char root[PATH_MAX], pins[PATH_MAX];
	int err = path_pin_root(root, error);

	if (!err)
		err = path_pin_dir(ifname, pins, error);
	if (err)
		return err;
	/* below the pins of shrike there is a directory for each namespace and interface: the same here */
	if (snprintf(path, PATH_MAX, "%s%s%s", state && *state ? state : STATE_DIR,
		     pins + strlen(root), name) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of the state is too long");
	return 0;
}

/**
 * state_dir_make() - Make a directory, and those that it is in, for root alone
 * @dir: absolute; changed meanwhile
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int state_dir_make(char *dir, struct error *error)
{
	for (char *slash = strchr(dir + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(dir, DIR_MODE) && errno != EEXIST)
			return error_set(error, errno, "%.200s: %s", dir, strerror(errno));
		if (!slash)
			return 0;
		*slash = '/';
	}
}
