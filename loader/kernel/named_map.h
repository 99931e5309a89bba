/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF maps that processes of one interface find by name, without a file system.  They end with who
 * holds them, and are of a type that takes CAP_BPF to make, so that what one says can be trusted.
 */
#ifndef SHRIKE_KERNEL_NAMED_MAP_H
#define SHRIKE_KERNEL_NAMED_MAP_H

#include <linux/bpf.h>
#include <stdint.h>

int named_map_name(const char *kind, const char *what, const char *ifname,
		   char name[BPF_OBJ_NAME_LEN]);
int named_map_make(const char *name, uint32_t value_size);
int named_map_find(const char *name, uint32_t end);

#endif /* SHRIKE_KERNEL_NAMED_MAP_H */
