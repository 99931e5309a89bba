/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536
#define STDIN_PATH "-"

/* What has been read of a file. */
struct content {
	char *text;
	size_t len;
};

/* Read to the end of a file, but no more than @max bytes. */
static int read_all(int fd, const char *path, size_t max, struct content *content,
		    struct error *error)
{
	size_t size = 0, used = 0;
	char *buffer = NULL, *larger;
	ssize_t got;

	do {
		if (size - used < READ_BYTES) {
			size = size * 2 + READ_BYTES;
			larger = realloc(buffer, size);
			if (!larger) {
				free(buffer);
				return error_no_memory_for(error, path);
			}
			buffer = larger;
		}
		got = read(fd, buffer + used, READ_BYTES);
		if (got < 0 && errno != EINTR) {
			error_set(error, errno, "%.256s: %s", path, strerror(errno));
			free(buffer);
			return -error->code;
		}
		used += got > 0 ? (size_t)got : 0;
		if (used > max) {
			free(buffer);
			return error_input(error, "%.256s: larger than %zu bytes", path, max);
		}
	} while (got != 0);
	buffer[used] = '\0'; /* READ_BYTES were asked for, and none came */
	*content = (struct content){buffer, used};
	return 0;
}

/* Open a file, which must be no directory, or standard input. */
static int open_file(const char *path, const char *what, int *fd, struct error *error)
{
	struct stat status;

	if (strcmp(path, STDIN_PATH) == 0) {
		*fd = STDIN_FILENO;
		return 0;
	}
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return error_set(error, errno, "%.256s: %s", path, strerror(errno));
	if (fstat(*fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		close(*fd);
		return error_set(error, EISDIR, "%.256s: is a directory, not a %s", path, what);
	}
	return 0;
}

/**
 * file_read() - Read a whole file
 * @path: the file, "-" for standard input
 * @kind: what it is to be
 * @text: set to its content, NUL-terminated, which the caller frees
 * @len: set to its bytes
 * @error: "FILE: why"
 *
 * Return: 0, -EINVAL (invalid input) for a file that is too large, -ENOMEM, or what opening and
 * reading it failed with.
 */
int file_read(const char *path, const struct file_kind *kind, char **text, size_t *len,
	      struct error *error)
{
	struct content content = {};
	int err, fd;

	err = open_file(path, kind->what, &fd, error);
	if (err)
		return err;
	err = read_all(fd, path, kind->max, &content, error);
	if (fd != STDIN_FILENO)
		close(fd);
	if (err)
		return err;
	*text = content.text;
	*len = content.len;
	return 0;
}

/* Write all of a text; 0 or -errno. */
static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			text += done;
			len -= done;
		}
	}
	return 0;
}

/* Have a rename in a file's directory survive a power failure, where the file system can do that. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash - path + 1) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

/* A name beside @path for what is to take its place: hidden, and of no suffix that anybody looks for. */
static char *name_beside(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *name;

	return asprintf(&name, "%.*s.%s.XXXXXX", (int)(base - path), path, base) < 0 ? NULL : name;
}

/**
 * file_replace() - Put a file in the place of another one, or where there is none, at once
 * @path: the file
 * @mode: its permissions
 * @text: its content
 * @len: in bytes
 * @error: "FILE: why"; then what was there is still there
 *
 * Whoever opens the file reads the old content or the new one, also after a power failure.
 *
 * Return: 0 or -errno.
 */
int file_replace(const char *path, mode_t mode, const char *text, size_t len, struct error *error)
{
	char *fresh = name_beside(path);
	int fd, err;

	if (!fresh)
		return error_no_memory_for(error, path);
	fd = mkostemp(fresh, O_CLOEXEC);
	err = fd < 0 ? -errno : write_all(fd, text, len);
	if (!err && (fchmod(fd, mode) || fsync(fd)))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err && fd >= 0)
		unlink(fresh);
	free(fresh);
	if (err)
		return error_set(error, -err, "%.256s: %s", path, strerror(-err));
	sync_directory(path);
	return 0;
}
