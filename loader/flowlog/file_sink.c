/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A batch goes into one file, with one write where the kernel takes it whole.  What was written of a
 * batch that failed is cut off at once, so that a line in a file is always a whole one.
 */
#include "flowlog/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowlog/record.h"

/* without O_NONBLOCK, opening a pipe would wait for its reader, whatever signal comes */
#define FILE_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
#define FILE_MODE  0640

struct file_sink {
	struct sink sink;
	struct file_settings settings;
	struct text batch;
	struct stat stat;
	size_t written; /* of the batch, to standard output */
	int fd;		/* -1: to be opened */
};

static int add(struct sink *sink, const struct flow_event *event,
	       const struct flow_event_names *names)
{
	return text_append_json(&((struct file_sink *)sink)->batch, record_of_event(event, names));
}

static int add_losses(struct sink *sink, const struct flow_log_losses *losses, uint64_t time_ns)
{
	return text_append_json(&((struct file_sink *)sink)->batch,
				record_of_losses(losses, sink->interface, time_ns));
}

static int fail(const struct file_sink *file, struct error *error)
{
	return error_set(error, errno, "%s: %s", file->settings.path ?: "standard output",
			 strerror(errno));
}

/* Move FILE to FILE.1, what was FILE.1 to FILE.2, and so on; the last one goes. */
static int rotate(struct file_sink *file, struct error *error)
{
	const char *path = file->settings.path;
	char from[PATH_MAX], to[PATH_MAX];

	for (uint32_t n = file->settings.keep; n; n--) {
		snprintf(to, sizeof(to), "%s.%u", path, n);
		if (n > 1)
			snprintf(from, sizeof(from), "%s.%u", path, n - 1);
		else
			snprintf(from, sizeof(from), "%s", path);
		if (rename(from, to) && errno != ENOENT)
			return error_set(error, errno, "%s: cannot be moved to %s: %s", from, to,
					 strerror(errno));
	}
	if (!file->settings.keep && unlink(path) && errno != ENOENT)
		return fail(file, error);
	return 0;
}

static void close_file(struct file_sink *file)
{
	if (file->fd >= 0 && file->settings.path)
		close(file->fd);
	file->fd = -1;
}

/* Open the file, and know its size. */
static int open_file(struct file_sink *file, struct error *error)
{
	const char *path = file->settings.path;

	if (file->fd < 0)
		file->fd = path ? open(path, FILE_FLAGS, FILE_MODE) : STDOUT_FILENO;
	if ((file->fd < 0 && errno != ENXIO) || (file->fd >= 0 && fstat(file->fd, &file->stat)))
		return fail(file, error);
	/* ENXIO is of a pipe that nobody reads, or of a socket */
	if (path && (file->fd < 0 || !S_ISREG(file->stat.st_mode))) {
		close_file(file);
		return error_set(error, EINVAL, "%s: not a regular file", path);
	}
	return 0;
}

/* Have a file with room for the batch. */
static int open_for_batch(struct sink *sink, struct error *error)
{
	struct file_sink *file = (struct file_sink *)sink;
	int err = open_file(file, error);

	if (err || !file->settings.path || !file->stat.st_size ||
	    file->stat.st_size + file->batch.len <= file->settings.bytes)
		return err;
	err = rotate(file, error);
	if (err)
		return err;
	close_file(file);
	return open_file(file, error);
}

static const struct stat *regular_file(struct sink *sink)
{
	const struct file_sink *file = (struct file_sink *)sink;

	return file->settings.path ? &file->stat : NULL;
}

static int cut(struct sink *sink, off_t bytes, struct error *error)
{
	struct file_sink *file = (struct file_sink *)sink;

	if (ftruncate(file->fd, bytes))
		return fail(file, error);
	file->stat.st_size = bytes;
	return 0;
}

/* Write the batch, or cut off what was written of it. */
static int flush(struct sink *sink, struct error *error)
{
	struct file_sink *file = (struct file_sink *)sink;
	const struct text *batch = &file->batch;
	struct error ignored;

	while (file->written < batch->len) {
		ssize_t n = write(file->fd, batch->data + file->written,
				  batch->len - file->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail(file, error);
			if (file->settings.path) {
				cut(sink, file->stat.st_size, &ignored);
				file->written = 0;
				close_file(file);
			}
			return -error->code;
		}
		file->written += n;
	}
	file->batch.len = file->written = 0;
	return 0;
}

static void reopen(struct sink *sink)
{
	close_file((struct file_sink *)sink);
}

static void free_sink(struct sink *sink)
{
	struct file_sink *file = (struct file_sink *)sink;

	close_file(file);
	free(file->batch.data);
	free(file);
}

/**
 * file_sink_new() - Write a flow log to files, or to standard output
 * @settings: which; the path stays where it is
 * @interface: whose log
 * @error: set on failure
 *
 * Return: the sink; NULL on failure.
 */
struct sink *file_sink_new(const struct file_settings *settings, const char *interface,
			   struct error *error)
{
	static const struct sink_ops ops = {
		.add = add,
		.add_losses = add_losses,
		.open = open_for_batch,
		.flush = flush,
		.file = regular_file,
		.cut = cut,
		.reopen = reopen,
		.free = free_sink,
	};
	struct file_sink *file = sink_new(sizeof(*file), &ops, interface, error);

	if (!file)
		return NULL;
	file->settings = *settings;
	file->fd = -1;
	if (open_file(file, error)) {
		free_sink(&file->sink);
		return NULL;
	}
	return &file->sink;
}
