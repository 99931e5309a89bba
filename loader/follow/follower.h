/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that listens to NetBird's daemon.
 *
 * It has one connection to the daemon and the file of a bundle, no other rights, and ends with its
 * connection.  While nothing happens it sleeps without a limit.
 */
#ifndef SHRIKE_FOLLOW_FOLLOWER_H
#define SHRIKE_FOLLOW_FOLLOWER_H

#include <sys/types.h>

#include "follow/report.h"

void follower_begin(struct follow_start *start, pid_t parent) __attribute__((noreturn));

#endif /* SHRIKE_FOLLOW_FOLLOWER_H */
