/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Locks by name.  A lock is a BPF map that nothing is ever put into, named after what is locked and
 * the network namespace.  It needs no file system, ends with its holder, and is of a type that
 * takes CAP_BPF to make, so that nobody can take a lock who could not detach the programs just as
 * well.
 */
#ifndef SHRIKE_KERNEL_LOCK_H
#define SHRIKE_KERNEL_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/* What of an interface is locked. */
enum lock {
	LOCK_RUN,    /* staying: `run`, or who attaches without it */
	LOCK_APPLY,  /* changing what is in force */
	LOCK_TRACE,  /* tracing by the programs in force */
	LOCK_UPLINK, /* of all interfaces together (LOCK_ALL): what they share for routing by NAT */
	LOCK_LISTEN, /* and on: one for each listener to the events of connections */
};

/* Instead of an interface. */
#define LOCK_ALL ""

int lock_try(enum lock lock, const char *ifname, int *fd, struct error *error);
bool lock_is_held(enum lock lock, const char *ifname);
int lock_wait(enum lock lock, const char *ifname, int *fd, struct error *error);

#endif /* SHRIKE_KERNEL_LOCK_H */
