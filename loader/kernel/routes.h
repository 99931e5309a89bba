/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the routes of the caller's network namespace lead, asked from the kernel by rtnetlink.
 */
#ifndef SHRIKE_KERNEL_ROUTES_H
#define SHRIKE_KERNEL_ROUTES_H

#include <stddef.h>

#include "base/error.h"

int routes_read_devices(int **ifindexes, size_t *count, struct error *error);

#endif /* SHRIKE_KERNEL_ROUTES_H */
