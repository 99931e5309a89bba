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
	static const struct file_kind kind = {"note", IDENTITY_MAX};
	struct error ignored;
	bool is_other;
	char *found;
	size_t len;
	int err = file_read(path, &kind, &found, &len, &ignored);

	if (err)
		return err == -EINVAL; /* it is larger than a note of ours */
	is_other = strcmp(found, text);
	free(found);
	return is_other;
}

/*
 * struct claim - whose the state in the directory of a network namespace is
 * @dir: the directory
 * @path: the note of whose it is
 * @text: what that says if it is this namespace's
 */
struct claim {
	char dir[PATH_MAX];
	char path[PATH_MAX];
	char text[IDENTITY_MAX];
};

/* Return: 1; 0 in the initial namespace, which keeps its state for good; or -errno. */
static int claim_of(struct claim *claim, struct error *error)
{
	char root[PATH_MAX], parent[PATH_MAX];
	int err = path_pin_root(root, error);

	if (!err)
		err = path_pin_parent(parent, error);
	if (err || !strcmp(root, parent))
		return err;
	err = identify(claim->text, error);
	if (!err)
		err = path_beside(parent, "", claim->dir, error);
	if (!err)
		err = path_beside(parent, IDENTITY_FILE, claim->path, error);
	return err ? err : 1;
}

/**
 * state_dir_find() - A file or directory of an interface's state, to be read
 * @ifname, @name, @path, @error: as state_dir_path(); @path is empty, and so no file's, where the state that
 *	is there is of another network namespace, which had the inode number of this one before
 *
 * Return: 0 or -errno.
 */
int state_dir_find(const char *ifname, const char *name, char path[PATH_MAX], struct error *error)
{
	struct claim claim;
	int err = claim_of(&claim, error);

	if (err < 0)
		return err;
	path[0] = '\0';
	return err && holds_other(claim.path, claim.text)
		       ? 0
		       : state_dir_path(ifname, name, path, error);
}

/**
 * state_dir_claim() - Have state of this network namespace alone where its state is kept
 * @error: set on failure
 *
 * What another namespace has left there, which had the inode number of this one before, is removed.  To be
 * called before state is noted.
 *
 * Return: 0 or -errno.
 */
int state_dir_claim(struct error *error)
{
	struct claim claim;
	int err = claim_of(&claim, error);

	if (err <= 0)
		return err;
	if (holds_other(claim.path, claim.text) &&
	    nftw(claim.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS))
		return error_set(error, errno, "%.200s: %s", claim.dir, strerror(errno));
	err = state_dir_make(claim.dir, error);
	if (err || !access(claim.path, F_OK))
		return err;
	return file_replace(claim.path, FILE_MODE, claim.text, strlen(claim.text), error);
}
