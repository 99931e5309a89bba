/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clocks: as this process reads them, and as the programs in the kernel do.
 */
#ifndef SHRIKE_BASE_CLOCK_H
#define SHRIKE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "abi.h"

uint64_t clock_ns(clockid_t id);
uint64_t clock_kernel_ns(clockid_t id);
void clock_arm(int timer_fd, uint64_t ns);

#endif /* SHRIKE_BASE_CLOCK_H */
