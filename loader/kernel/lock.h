/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Locks by name.  A lock is a BPF map that nothing is ever put into, named after what is locked and
 * the network namespace.  It needs no file system, ends with its holder, and is of a type that takes
 * CAP_BPF to make, so that nobody can take a lock who could not detach the programs just as well.
 */
#ifndef SHRIKE_KERNEL_LOCK_H
#define SHRIKE_KERNEL_LOCK_H

#include <stdbool.h>

#include "base/error.h"

int lock_try(const char *what, const char *ifname, int *fd, struct error *error);
bool lock_is_held(const char *what, const char *ifname);
int lock_wait(const char *what, const char *ifname, int *fd, struct error *error);

#endif /* SHRIKE_KERNEL_LOCK_H */
