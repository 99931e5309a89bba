/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the forwarder gives up before it reads its first packet.
 */
#ifndef SHRIKE_FORWARD_PRIVILEGES_H
#define SHRIKE_FORWARD_PRIVILEGES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

int privileges_become_nobody(void);
void privileges_kill(pid_t pid);
int privileges_drop(struct error *error);
uint32_t privileges_raise_files(void);

#endif /* SHRIKE_FORWARD_PRIVILEGES_H */
