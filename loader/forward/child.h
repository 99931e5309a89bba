/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a process that was forked becomes the forwarder.
 */
#ifndef SHRIKE_FORWARD_CHILD_H
#define SHRIKE_FORWARD_CHILD_H

#include <sys/types.h>

#include "forward/order.h"

void child_begin(struct worker_start *start, pid_t parent) __attribute__((noreturn));

#endif /* SHRIKE_FORWARD_CHILD_H */
