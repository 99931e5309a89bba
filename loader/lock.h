/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Locks by name: abstract Unix sockets, which live in the network namespace as the interfaces do,
 * need no file system, and end with their holder.
 */
#ifndef SHRIKE_LOCK_H
#define SHRIKE_LOCK_H

#include <stdbool.h>

#include "error.h"

int lock_try(const char *what, const char *ifname, int *fd, struct error *error);
bool lock_is_held(const char *what, const char *ifname);
int lock_wait(const char *what, const char *ifname, int *fd, struct error *error);

#endif /* SHRIKE_LOCK_H */
