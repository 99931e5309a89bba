/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The clocks that the programs in the kernel read.
 */
#ifndef SHRIKE_CLOCK_H
#define SHRIKE_CLOCK_H

#include <stdint.h>
#include <time.h>

uint64_t clock_kernel_ns(clockid_t id);

#endif /* SHRIKE_CLOCK_H */
