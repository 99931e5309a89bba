/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "follow/member.h"

#include <errno.h>
#include <minizip/unzip.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CASE_COUNTS 1
#define ENCRYPTED   1 /* bit of a member's flags */

/* What minizip reads from; it opens nothing by itself. */
struct archive {
	int fd;
	uint64_t size;
	uint64_t at;
	bool failed;
};

static void *archive_open(void *archive, const void *name, int mode)
{
	(void)name;
	(void)mode;
	return archive;
}

static uLong archive_read(void *opaque, void *stream, void *buffer, uLong size)
{
	struct archive *archive = stream;
	ssize_t got = pread(archive->fd, buffer, size, archive->at);

	(void)opaque;
	archive->failed |= got < 0;
	archive->at += got > 0 ? got : 0;
	return got > 0 ? got : 0;
}

static uLong archive_write(void *opaque, void *stream, const void *buffer, uLong size)
{
	(void)opaque;
	(void)stream;
	(void)buffer;
	(void)size;
	return 0;
}

static ZPOS64_T archive_tell(void *opaque, void *stream)
{
	(void)opaque;
	return ((struct archive *)stream)->at;
}

/* To a place within the archive: its numbers may be anything. */
static long archive_seek(void *opaque, void *stream, ZPOS64_T offset, int origin)
{
	struct archive *archive = stream;
	uint64_t base = origin == ZLIB_FILEFUNC_SEEK_END   ? archive->size
			: origin == ZLIB_FILEFUNC_SEEK_CUR ? archive->at
							   : 0;

	(void)opaque;
	if (offset > archive->size - base)
		return -1;
	archive->at = base + offset;
	return 0;
}

static int archive_close(void *opaque, void *stream)
{
	(void)opaque;
	(void)stream;
	return 0;
}

static int archive_error(void *opaque, void *stream)
{
	(void)opaque;
	return ((struct archive *)stream)->failed;
}

/* What a member says of itself, before a byte of it is unpacked. */
static int check(const char *name, const unz_file_info64 *info, struct error *error)
{
	if (info->flag & ENCRYPTED)
		return error_input(error, "its %s is encrypted", name);
	if (info->compression_method != 0 && info->compression_method != Z_DEFLATED)
		return error_input(error, "its %s is packed by method %lu, which is not known",
				   name, info->compression_method);
	if (info->uncompressed_size > MEMBER_MAX)
		return error_input(error, "its %s has %llu bytes, and at most %zu are read", name,
				   (unsigned long long)info->uncompressed_size, MEMBER_MAX);
	return 0;
}

/* Unpack the member that has been opened; all of it, or nothing. */
static int unpack(unzFile zip, const char *name, char *data, size_t len, struct error *error)
{
	size_t done = 0;
	int got;

	do {
		got = unzReadCurrentFile(zip, data + done, len - done + 1);
		done += got > 0 ? got : 0;
	} while (got > 0 && done <= len);
	if (got < 0 || done != len)
		return error_input(error, "its %s is damaged", name);
	data[len] = '\0';
	return 0;
}

/* Read the member that has been found. */
static int read_found(unzFile zip, const char *name, char **data, size_t *len, struct error *error)
{
	unz_file_info64 info;
	char *buffer;
	int err;

	if (unzGetCurrentFileInfo64(zip, &info, NULL, 0, NULL, 0, NULL, 0) != UNZ_OK)
		return error_input(error, "its %s is damaged", name);
	err = check(name, &info, error);
	if (err)
		return err;
	buffer = malloc(info.uncompressed_size + 1);
	if (!buffer)
		return error_no_memory(error);
	if (unzOpenCurrentFile(zip) != UNZ_OK) {
		free(buffer);
		return error_input(error, "its %s is damaged", name);
	}
	err = unpack(zip, name, buffer, info.uncompressed_size, error);
	/* which compares the checksum */
	if (unzCloseCurrentFile(zip) != UNZ_OK && !err)
		err = error_input(error, "its %s is damaged: wrong checksum", name);
	if (err) {
		free(buffer);
		return err;
	}
	*data = buffer;
	*len = info.uncompressed_size;
	return 0;
}

/**
 * member_read() - Read a member of a zip archive
 * @fd: the archive; only read
 * @name: of the member
 * @data: set to its bytes, with a NUL behind them; the caller frees them
 * @len: set to how many there are
 * @error: set on failure; its text goes behind what the archive is called
 *
 * Return: 0; -ENOENT: there is no such member; -EINVAL: it is damaged, or exceeds the bounds; or
 * -ENOMEM.
 */
int member_read(int fd, const char *name, char **data, size_t *len, struct error *error)
{
	struct archive archive = {.fd = fd};
	zlib_filefunc64_def calls = {
		.zopen64_file = archive_open,
		.zread_file = archive_read,
		.zwrite_file = archive_write,
		.ztell64_file = archive_tell,
		.zseek64_file = archive_seek,
		.zclose_file = archive_close,
		.zerror_file = archive_error,
	};
	unz_global_info64 all;
	struct stat status;
	unzFile zip;
	int err;

	if (fstat(fd, &status))
		return error_set(error, errno, "%s", strerror(errno));
	if ((uint64_t)status.st_size > ARCHIVE_MAX)
		return error_input(error, "more than %zu bytes", ARCHIVE_MAX);
	archive.size = status.st_size;
	calls.opaque = &archive;
	zip = unzOpen2_64(&archive, &calls);
	if (!zip)
		return error_input(error, "no zip archive");
	if (unzGetGlobalInfo64(zip, &all) != UNZ_OK || all.number_entry > ARCHIVE_FILES_MAX)
		err = error_input(error, "more than %d members", ARCHIVE_FILES_MAX);
	else if (unzLocateFile(zip, name, CASE_COUNTS) != UNZ_OK)
		err = error_set(error, ENOENT, "no %s is in it", name);
	else
		err = read_found(zip, name, data, len, error);
	unzClose(zip);
	return err;
}
