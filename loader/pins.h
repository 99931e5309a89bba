/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pins of an interface in bpffs: what keeps the dataplane alive without a process, and what
 * bpftool shows.  Nothing is ever read back through them, so a stray pin misleads nobody.
 */
#ifndef SHRIKE_PINS_H
#define SHRIKE_PINS_H

#include "error.h"
#include "map_set.h"

int pins_set(const char *dir, const char *name, int fd, struct error *error);
int pins_set_maps(const char *dir, const struct map_set *maps, struct error *error);
int pins_clear(const char *dir, struct error *error);

#endif /* SHRIKE_PINS_H */
