/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is blocked on an interface: map blocked_v1 of the generation in force.
 */
#ifndef SHRIKE_DATAPLANE_BLOCKING_H
#define SHRIKE_DATAPLANE_BLOCKING_H

#include "base/error.h"
#include "kernel/map_set.h"
#include "policy/block_list.h"

uint64_t blocking_now_ns(void);
int blocking_read(const struct map_set *maps, struct block_list *list, struct error *error);

#endif /* SHRIKE_DATAPLANE_BLOCKING_H */
