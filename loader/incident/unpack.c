/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "incident/libarchive.h"

#define BLOCK_BYTES 65536

/*
 * struct unpacker - an archive that is being read
 * @entry: the member that unpack_next() has returned
 * @bytes: of all members so far, as their headers say
 */
struct unpacker {
	const struct libarchive *lib;
	struct archive *reader;
	struct archive_entry *entry;
	int64_t bytes;
	unsigned int members;
	int fd;
};

/* What libarchive says is wrong with the file. */
static int broken(struct unpacker *unpacker, struct error *error)
{
	const char *why = unpacker->lib->archive_error_string(unpacker->reader);

	return error_input(error, "not a report: %.200s", why ?: "it cannot be read");
}

/* Have the file read as what reports are, and as nothing else that libarchive knows. */
static int begin(struct unpacker *unpacker, struct error *error)
{
	const struct libarchive *lib = unpacker->lib;
	struct stat status;

	if (unpacker->fd < 0 || fstat(unpacker->fd, &status))
		return error_set(error, errno, "%s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_input(error, "not a report: not a file");
	/* a warning: libarchive would run a program, zstd, in the place of the library */
	if (lib->archive_read_support_filter_zstd(unpacker->reader) != ARCHIVE_OK ||
	    lib->archive_read_support_format_tar(unpacker->reader) != ARCHIVE_OK)
		return error_set(error, ENOTSUP, "libarchive was built without zstd");
	if (lib->archive_read_open_fd(unpacker->reader, unpacker->fd, BLOCK_BYTES) != ARCHIVE_OK)
		return broken(unpacker, error);
	return 0;
}

/**
 * unpack_open() - Begin to read an archive
 * @path: of the file
 * @unpacker: becomes it, for unpack_close()
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input): it is none, or another -errno.
 */
int unpack_open(const char *path, struct unpacker **unpacker, struct error *error)
{
	const struct libarchive *lib = libarchive_load(error);
	struct unpacker *made;
	int err;

	if (!lib)
		return -error->code;
	made = calloc(1, sizeof(*made));
	if (!made)
		return error_no_memory(error);
	made->lib = lib;
	made->reader = lib->archive_read_new();
	made->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	err = made->reader ? begin(made, error) : error_no_memory(error);
	if (!err) {
		*unpacker = made;
		return 0;
	}
	unpack_close(made);
	return error_prefix(error, "%.200s", path);
}

/**
 * unpack_next() - Go on to the next member
 * @unpacker: the archive
 * @name: set to its name, valid until the next call
 * @error: set on failure
 *
 * Return: 1: there is one; 0: that was the last; -EINVAL (invalid input) for a broken archive or one
 * that is too large.
 */
int unpack_next(struct unpacker *unpacker, const char **name, struct error *error)
{
	const struct libarchive *lib = unpacker->lib;
	int64_t size;
	int found = lib->archive_read_next_header(unpacker->reader, &unpacker->entry);

	if (found == ARCHIVE_EOF)
		return 0;
	if (found != ARCHIVE_OK && found != ARCHIVE_WARN)
		return broken(unpacker, error);
	size = lib->archive_entry_size(unpacker->entry);
	if (size < 0 || size > UNPACK_BYTES_MAX - unpacker->bytes)
		return error_input(error, "not a report: it has more than %lld MB",
				   (long long)(UNPACK_BYTES_MAX >> 20));
	if (++unpacker->members > UNPACK_MEMBERS_MAX)
		return error_input(error, "not a report: it has more than %d files",
				   UNPACK_MEMBERS_MAX);
	unpacker->bytes += size;
	*name = lib->archive_entry_pathname(unpacker->entry) ?: "";
	return 1;
}

/**
 * unpack_take() - Read a member
 * @unpacker: unpack_next() has gone on to it
 * @max: bytes that it may have
 * @bytes: set to what is in it with a NUL behind, to be freed by the caller
 * @len: set to how much that is
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input): it is larger, broken or not a file, or -ENOMEM.
 */
int unpack_take(struct unpacker *unpacker, size_t max, char **bytes, size_t *len,
		struct error *error)
{
	const struct libarchive *lib = unpacker->lib;
	int64_t size = lib->archive_entry_size(unpacker->entry);
	size_t got = 0;
	char *made;

	if (lib->archive_entry_filetype(unpacker->entry) != AE_IFREG || size < 0 ||
	    (uint64_t)size > max)
		return error_input(error, "not a report: not a file of up to %zu bytes: %.100s",
				   max, lib->archive_entry_pathname(unpacker->entry));
	made = malloc((size_t)size + 1);
	if (!made)
		return error_no_memory(error);
	while (got < (size_t)size) {
		la_ssize_t n = lib->archive_read_data(unpacker->reader, made + got,
						      (size_t)size - got);

		if (n <= 0) {
			free(made);
			return broken(unpacker, error);
		}
		got += (size_t)n;
	}
	made[got] = '\0';
	*bytes = made;
	*len = got;
	return 0;
}

/**
 * unpack_close() - End reading
 * @unpacker: is gone afterwards
 */
void unpack_close(struct unpacker *unpacker)
{
	if (unpacker->reader)
		unpacker->lib->archive_read_free(unpacker->reader);
	if (unpacker->fd >= 0)
		close(unpacker->fd);
	free(unpacker);
}
