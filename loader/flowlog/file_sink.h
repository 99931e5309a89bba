/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flow log in files: an object per line, FILE and what was FILE before as FILE.1, FILE.2 and so on.
 */
#ifndef SHRIKE_FLOWLOG_FILE_SINK_H
#define SHRIKE_FLOWLOG_FILE_SINK_H

#include <stdint.h>

#include "flowlog/sink.h"

#define FILE_KEEP_MAX 1000

/*
 * struct file_settings - which files
 * @path: NULL: standard output
 * @bytes: of each at most, unless one batch has more
 * @keep: so many beside the one that is written
 */
struct file_settings {
	const char *path;
	uint64_t bytes;
	uint32_t keep;
};

struct sink *file_sink_new(const struct file_settings *settings, const char *interface,
			   struct error *error);

#endif /* SHRIKE_FLOWLOG_FILE_SINK_H */
