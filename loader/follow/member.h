/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One member of a zip archive, within bounds whatever the archive says of itself.
 */
#ifndef SHRIKE_FOLLOW_MEMBER_H
#define SHRIKE_FOLLOW_MEMBER_H

#include <stddef.h>

#include "base/error.h"

#define MEMBER_MAX	  ((size_t)64 << 20)  /* bytes of a member */
#define ARCHIVE_MAX	  ((size_t)256 << 20) /* bytes of the archive */
#define ARCHIVE_FILES_MAX 65535

int member_read(int fd, const char *name, char **data, size_t *len, struct error *error);

#endif /* SHRIKE_FOLLOW_MEMBER_H */
