/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a .tar.zst that may be somebody else's, by libarchive.
 *
 * Nothing is written to files: members are read into memory, one by one, and their names are only
 * compared.  How many there are, and how many bytes, is bounded whatever the input.
 */
#ifndef SHRIKE_INCIDENT_UNPACK_H
#define SHRIKE_INCIDENT_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define UNPACK_MEMBERS_MAX 1000
#define UNPACK_BYTES_MAX   ((int64_t)2 << 30) /* of all members, as they say */

struct unpacker;

int unpack_open(const char *path, struct unpacker **unpacker, struct error *error);
int unpack_next(struct unpacker *unpacker, const char **name, struct error *error);
int unpack_take(struct unpacker *unpacker, size_t max, char **bytes, size_t *len,
		struct error *error);
void unpack_close(struct unpacker *unpacker);

#endif /* SHRIKE_INCIDENT_UNPACK_H */
