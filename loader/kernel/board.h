/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the process in charge of an interface has to say of itself to other commands: a record in a
 * BPF map that ends with it.
 */
#ifndef SHRIKE_KERNEL_BOARD_H
#define SHRIKE_KERNEL_BOARD_H

#include <stddef.h>

#include "base/error.h"

int board_open(const char *what, const char *ifname, size_t size, int *fd, struct error *error);
int board_write(int fd, const void *record);
int board_read(const char *what, const char *ifname, void *record, size_t size);

#endif /* SHRIKE_KERNEL_BOARD_H */
