/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that are read as a whole.
 */
#ifndef SHRIKE_BASE_FILE_H
#define SHRIKE_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* What a file is to be: a word for messages, and how many bytes it may have. */
struct file_kind {
	const char *what;
	size_t max;
};

int file_read(const char *path, const struct file_kind *kind, char **text, size_t *len,
	      struct error *error);
int file_replace(const char *path, mode_t mode, const char *text, size_t len, struct error *error);

#endif /* SHRIKE_BASE_FILE_H */
