/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_KERNEL_NETNS_H
#define SHRIKE_KERNEL_NETNS_H

#include <stdint.h>

int netns_cookie_of(int sock, uint64_t *cookie);
int netns_cookie(uint64_t *cookie);

#endif /* SHRIKE_KERNEL_NETNS_H */
