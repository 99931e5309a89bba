/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "yaml/yaml_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "yaml/yaml.h"

#define READ_BYTES 65536

/* Reads to the end of a file, but no more than YAML_TEXT_MAX bytes. */
static int read_all(int fd, const char *path, char **text, size_t *len, struct error *error)
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
		if (used > YAML_TEXT_MAX) {
			free(buffer);
			return error_input(error, "%.256s: larger than %zu bytes", path,
					   YAML_TEXT_MAX);
		}
	} while (got != 0);
	*text = buffer;
	*len = used;
	return 0;
}

/* Open a file, which must be no directory, or standard input. */
static int open_file(const char *path, int *fd, struct error *error)
{
	struct stat status;

	if (strcmp(path, YAML_STDIN) == 0) {
		*fd = STDIN_FILENO;
		return 0;
	}
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return error_set(error, errno, "%.256s: %s", path, strerror(errno));
	if (fstat(*fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		close(*fd);
		return error_set(error, EISDIR, "%.256s: is a directory, not a file", path);
	}
	return 0;
}

/**
 * yaml_read_file() - Read the whole text of a file
 * @path: the file, "-" for standard input
 * @text: becomes the text, to be freed
 * @len: becomes its length in bytes
 * @error: "FILE: why"
 *
 * Return: 0, -EINVAL for a file larger than 64 MiB, -ENOMEM, or what opening and reading failed with.
 */
int yaml_read_file(const char *path, char **text, size_t *len, struct error *error)
{
	int fd, err = open_file(path, &fd, error);

	if (err)
		return err;
	err = read_all(fd, path, text, len, error);
	if (fd != STDIN_FILENO)
		close(fd);
	return err;
}
