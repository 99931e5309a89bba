/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file that the daemon writes a debug bundle into.  The daemon leaves it lying about, so it is
 * taken: opened, and removed.
 */
#ifndef SHRIKE_FOLLOW_BUNDLE_H
#define SHRIKE_FOLLOW_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define BUNDLE_PATH_MAX 256

bool bundle_clear(uint64_t since_ns, const char *before);
int bundle_take(const char *path, int *fd, struct error *error);

#endif /* SHRIKE_FOLLOW_BUNDLE_H */
