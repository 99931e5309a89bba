/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process that was forked keeps of its parent's: a few descriptors, and its end.
 */
#ifndef SHRIKE_PROCESS_INHERIT_H
#define SHRIKE_PROCESS_INHERIT_H

#include <stddef.h>
#include <sys/types.h>

void inherit_only(pid_t parent, int *const fds[], size_t n, size_t needed);

#endif /* SHRIKE_PROCESS_INHERIT_H */
