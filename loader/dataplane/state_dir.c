/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/state_dir.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "kernel/netns.h"
#include "kernel/pin_path.h"

#define STATE_DIR     "/var/lib/shrike"
#define DIR_MODE      0700
#define FILE_MODE     0600
#define IDENTITY_FILE "/.namespace" /* no interface is called so: its dot is written %2e */
#define IDENTITY_MAX  96

/* Below the pins of shrike there is a directory for each namespace and interface: the same here. */
static int path_beside(const char *pins, const char *name, char path[PATH_MAX], struct error *error)
{
	const char *state = secure_getenv("SHRIKE_STATE");
	char root[PATH_MAX];
	int err = path_pin_root(root, error);

	if (err)
		return err;
	if (snprintf(path, PATH_MAX, "%s%s%s", state && *state ? state : STATE_DIR,
		     pins + strlen(root), name) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of the state is too long");
	return 0;
}

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
	char pins[PATH_MAX];
	int err = path_pin_dir(ifname, pins, error);

	return err ? err : path_beside(pins, name, path, error);
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

/* What tells this network namespace from one that had its inode number before. */
static int identify(char text[IDENTITY_MAX], struct error *error)
{
	static const struct file_kind kind = {"id", IDENTITY_MAX / 2};
	uint64_t cookie;
	char *boot;
	size_t len;
	int err = netns_cookie(&cookie);

	if (err)
		return error_set(error, -err, "network namespace: %s", strerror(-err));
	err = file_read("/proc/sys/kernel/random/boot_id", &kind, &boot, &len, error);
	if (err)
		return err;
	snprintf(text, IDENTITY_MAX, "%.*s %" PRIu64 "\n", (int)strcspn(boot, "\n"), boot, cookie);
	free(boot);
	return 0;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *place)
{
	(void)stat;
	(void)type;
	(void)place;
	return remove(path) && errno != ENOENT ? -errno : 0;
}

/* Whether a file holds something else than a text; one that is not there does not. */
static bool holds_other(const char *path, const char *text)
{
	static const struct file_kind kind = {"note", 4096};
	struct error ignored;
	bool is_other = false;
	char *found;
	size_t len;

	if (!file_read(path, &kind, &found, &len, &ignored)) {
		is_other = strcmp(found, text);
		free(found);
	}
	return is_other;
}

/**
 * state_dir_claim() - Have state of this network namespace alone where its state is kept
 * @error: set on failure
 *
 * The kernel gives the inode number of a namespace that has gone to another one, and what is noted under
 * it, policies to roll back to among others, is not the other one's: it is removed.  The initial
 * namespace keeps its state for good.  To be called before state is noted.
 *
 * Return: 0 or -errno.
 */
int state_dir_claim(struct error *error)
{
	char root[PATH_MAX], parent[PATH_MAX], dir[PATH_MAX], path[PATH_MAX];
	char text[IDENTITY_MAX];
	int err = path_pin_root(root, error);

	if (!err)
		err = path_pin_parent(parent, error);
	if (err || !strcmp(root, parent))
		return err;
	err = identify(text, error);
	if (!err)
		err = path_beside(parent, "", dir, error);
	if (!err)
		err = path_beside(parent, IDENTITY_FILE, path, error);
	if (err)
		return err;
	if (holds_other(path, text) && nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS))
		return error_set(error, errno, "%.200s: %s", dir, strerror(errno));
	err = state_dir_make(dir, error);
	if (err || !access(path, F_OK))
		return err;
	return file_replace(path, FILE_MODE, text, strlen(text), error);
}
