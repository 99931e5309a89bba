/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A .tar.zst file, by libarchive.
 */
#ifndef SHRIKE_INCIDENT_ARCHIVE_H
#define SHRIKE_INCIDENT_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct incident_archive;

bool archive_has_suffix(const char *path);
int archive_create(const char *path, struct incident_archive **archive, struct error *error);
int archive_add(struct incident_archive *archive, const char *name, const char *text, size_t len,
		struct error *error);
int archive_finish(struct incident_archive *archive, struct error *error);
void archive_discard(struct incident_archive *archive);

#endif /* SHRIKE_INCIDENT_ARCHIVE_H */
