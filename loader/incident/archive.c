/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "incident/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "incident/libarchive.h"

#define FILE_MODE 0600
#define SUFFIX	  ".tar.zst"

/*
 * struct incident_archive - a file that is being written
 * @fd: of the file, which is empty so far or has what was added
 */
struct incident_archive {
	const struct libarchive *lib;
	char *path;
	struct archive *writer;
	time_t now;
	int fd;
};

/**
 * archive_has_suffix() - Whether a file is a report, by its name
 */
bool archive_has_suffix(const char *path)
{
	size_t len = strlen(path);

	return len >= strlen(SUFFIX) && !strcmp(path + len - strlen(SUFFIX), SUFFIX);
}

static int failed(struct incident_archive *archive, struct error *error)
{
	int code = archive->lib->archive_errno(archive->writer);

	return error_set(error, code > 0 ? code : EIO, "%.200s: %s", archive->path,
			 archive->lib->archive_error_string(archive->writer)
				 ?: "cannot be written");
}

static void release(struct incident_archive *archive)
{
	archive->lib->archive_write_free(archive->writer);
	if (archive->fd >= 0)
		close(archive->fd);
	free(archive->path);
	free(archive);
}

/**
 * archive_create() - Begin a file that its owner alone can read
 * @path: of the file, which must not exist: what is there may be another report
 * @archive: becomes it, for archive_finish() or archive_discard()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int archive_create(const char *path, struct incident_archive **archive, struct error *error)
{
	const struct libarchive *lib = libarchive_load(error);
	struct incident_archive *made;

	if (!lib)
		return -error->code;
	made = calloc(1, sizeof(*made));
	if (!made)
		return error_no_memory(error);
	made->lib = lib;
	made->path = strdup(path);
	made->writer = lib->archive_write_new();
	made->now = time(NULL);
	made->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (made->fd < 0) {
		error_set(error, errno, "%.200s: %s", path, strerror(errno));
		release(made);
		return -error->code;
	}
	if (!made->path || !made->writer) {
		archive_discard(made);
		return error_no_memory(error);
	}
	if (lib->archive_write_set_format_pax_restricted(made->writer) ||
	    lib->archive_write_add_filter_zstd(made->writer) ||
	    lib->archive_write_open_fd(made->writer, made->fd)) {
		failed(made, error);
		archive_discard(made);
		return -error->code;
	}
	*archive = made;
	return 0;
}

/**
 * archive_add() - Add a file
 * @archive: to which
 * @name: of the file
 * @text, @len: what is in it
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int archive_add(struct incident_archive *archive, const char *name, const char *text, size_t len,
		struct error *error)
{
	const struct libarchive *lib = archive->lib;
	struct archive_entry *entry = lib->archive_entry_new();
	int err = 0;

	if (!entry)
		return error_no_memory(error);
	lib->archive_entry_set_pathname(entry, name);
	lib->archive_entry_set_size(entry, (la_int64_t)len);
	lib->archive_entry_set_filetype(entry, AE_IFREG);
	lib->archive_entry_set_perm(entry, FILE_MODE);
	lib->archive_entry_set_mtime(entry, archive->now, 0);
	if (lib->archive_write_header(archive->writer, entry) ||
	    lib->archive_write_data(archive->writer, text, len) != (la_ssize_t)len)
		err = failed(archive, error);
	lib->archive_entry_free(entry);
	return err;
}

/**
 * archive_finish() - Complete the file
 * @archive: is gone afterwards
 * @error: set on failure, and there is no file then
 *
 * Return: 0 or -errno.
 */
int archive_finish(struct incident_archive *archive, struct error *error)
{
	int err = archive->lib->archive_write_close(archive->writer) ? failed(archive, error) : 0;

	if (!err && fsync(archive->fd))
		err = error_set(error, errno, "%.200s: %s", archive->path, strerror(errno));
	if (err)
		unlink(archive->path);
	release(archive);
	return err;
}

/**
 * archive_discard() - Remove a file that could not be completed
 * @archive: is gone afterwards
 */
void archive_discard(struct incident_archive *archive)
{
	if (archive->path)
		unlink(archive->path);
	release(archive);
}
