/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define DIRECTORY "/tmp"
#define BEGINNING "netbird.debug."
#define ENDING	  ".zip"

static bool begins_with(const char *text, const char *beginning)
{
	return !strncmp(text, beginning, strlen(beginning));
}

static bool ends_with(const char *text, const char *ending)
{
	size_t len = strlen(text), ending_len = strlen(ending);

	return len >= ending_len && !strcmp(text + len - ending_len, ending);
}

static bool is_name(const char *name)
{
	return begins_with(name, BEGINNING) && ends_with(name, ENDING);
}

/* The name of a file directly in DIRECTORY that can be a bundle, or NULL. */
static const char *name_of(const char *path)
{
	const char *name = path + strlen(DIRECTORY "/");

	if (!begins_with(path, DIRECTORY "/") || strchr(name, '/') || !is_name(name))
		return NULL;
	return name;
}

/* Whether it is a file that only root can have written, and that is called nothing else. */
static const char *fault_of(const struct stat *file)
{
	if (!S_ISREG(file->st_mode))
		return "it is no regular file";
	if (file->st_uid)
		return "it is not root's";
	if (file->st_mode & (S_IWGRP | S_IWOTH))
		return "others may write to it";
	if (file->st_nlink != 1)
		return "it has other names";
	return NULL;
}

/* Remove the name, if it is that of the file. */
static void remove_name(int directory, const char *name, const struct stat *file)
{
	struct stat now;

	if (!fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) && now.st_ino == file->st_ino &&
	    now.st_dev == file->st_dev)
		unlinkat(directory, name, 0);
}

static int take_in(int directory, const char *name, int *fd, struct error *error)
{
	struct stat file;
	const char *fault;
	int opened = openat(directory, name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (opened < 0)
		return error_set(error, errno, "the bundle's file: %s",
				 errno == ELOOP ? "it is a symbolic link" : strerror(errno));
	fault = fstat(opened, &file) ? strerror(errno) : fault_of(&file);
	if (fault) {
		close(opened);
		return error_input(error, "the bundle's file: %s", fault);
	}
	remove_name(directory, name, &file);
	*fd = opened;
	return 0;
}

/**
 * bundle_take() - Open the file that a debug bundle is in, and remove it
 * @path: as the daemon has said it: any text
 * @fd: set to the file, only to be read
 * @error: set on failure, and then nothing is removed
 *
 * Only a regular file of root's directly in /tmp that is called like a bundle is taken.
 *
 * Return: 0 or -errno.
 */
int bundle_take(const char *path, int *fd, struct error *error)
{
	const char *name = name_of(path);
	int directory, err;

	if (!name)
		return error_input(error, "the bundle's file: '%.64s' is not %s/%s*%s", path,
				   DIRECTORY, BEGINNING, ENDING);
	directory = open(DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return error_set(error, errno, "%s: %s", DIRECTORY, strerror(errno));
	err = take_in(directory, name, fd, error);
	close(directory);
	return err;
}

/* When a file was made, CLOCK_REALTIME; 0: the file system does not say it. */
static uint64_t made_ns(int directory, const char *name)
{
	struct statx file;

	if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &file) ||
	    !(file.stx_mask & STATX_BTIME))
		return 0;
	return file.stx_btime.tv_sec * NS_PER_S + file.stx_btime.tv_nsec;
}

/* When a file was made that is like a bundle; 0: it is none, or nobody knows. */
static uint64_t bundle_ns(int directory, const char *name, struct stat *file)
{
	if (!is_name(name) || fstatat(directory, name, file, AT_SYMLINK_NOFOLLOW) || fault_of(file))
		return 0;
	return made_ns(directory, name);
}

/* Find the oldest bundle that was made since then; false: there is none. */
static bool find_oldest(DIR *directory, uint64_t since_ns, char name[NAME_MAX + 1],
			struct stat *file)
{
	uint64_t oldest_ns = UINT64_MAX;
	const struct dirent *entry;

	while ((entry = readdir(directory))) {
		struct stat found;
		uint64_t ns = bundle_ns(dirfd(directory), entry->d_name, &found);

		if (ns < since_ns || ns >= oldest_ns)
			continue;
		oldest_ns = ns;
		*file = found;
		snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
	}
	return oldest_ns != UINT64_MAX;
}

/**
 * bundle_clear() - Remove a bundle that was asked for, and that nobody has taken
 * @since_ns: when it was asked for, CLOCK_REALTIME, not 0
 * @before: a bundle that was asked for later, as the daemon has said it; NULL: there is none
 *
 * The daemon makes one bundle after the other, so that of those made since then it is the oldest.
 *
 * Return: whether there was one.
 */
bool bundle_clear(uint64_t since_ns, const char *before)
{
	const char *later = before ? name_of(before) : NULL;
	DIR *directory = opendir(DIRECTORY);
	char name[NAME_MAX + 1];
	struct stat file;
	bool is_there;

	if (!directory)
		return false;
	is_there = find_oldest(directory, since_ns, name, &file) && (!later || strcmp(name, later));
	if (is_there)
		remove_name(dirfd(directory), name, &file);
	closedir(directory);
	return is_there;
}
