/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pins of an interface in bpffs: what keeps the dataplane alive without a process, and what
 * bpftool shows.  Nothing is ever read back through them, so a stray pin misleads nobody.
 */
#ifndef SHRIKE_KERNEL_PINS_H
#define SHRIKE_KERNEL_PINS_H

#include <stdbool.h>

#include "base/error.h"
#include "kernel/map_set.h"

#define PINS_MAX      (MAP_SET_MAX + 24)
#define PINS_NAME_MAX 32

/*
 * struct pins - one pinning of everything: new pins go over the old ones first, and what is left
 * of the old ones goes last, so that being killed in between never lets go of a link.
 */
struct pins {
	const char *dir;
	char names[PINS_MAX][PINS_NAME_MAX];
	size_t n;
};

void pins_begin(struct pins *pins, const char *dir);
int pins_set(struct pins *pins, const char *name, int fd, struct error *error);
int pins_set_maps(struct pins *pins, const struct map_set *maps, struct error *error);
int pins_end(struct pins *pins, struct error *error);
int pins_clear(const char *dir, bool force, struct error *error);

#endif /* SHRIKE_KERNEL_PINS_H */
