/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policies that are replaced by the earlier one unless somebody confirms them.
 *
 * What is to return, and when, is in the kernel with the policy that waits (undo_v1, undo_text_v1),
 * so whoever looks after the deadline can bring it back: the command that applied the policy,
 * `run`, or the next command.  Changes of undo_v1 are made under the lock of dataplane_apply()
 * only, so that confirming and returning exclude each other.
 */
#ifndef SHRIKE_DATAPLANE_CONFIRM_H
#define SHRIKE_DATAPLANE_CONFIRM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/attached.h"
#include "instance.h"
#include "kernel/map_set.h"

#define CONFIRM_SECONDS_MAX 86400

uint64_t confirm_now_ns(void);
int confirm_read(const struct map_set *maps, struct undo *undo, struct error *error);
int confirm_write(const struct map_set *maps, const struct undo *undo, struct error *error);
int confirm_plan(const struct attached *attached, uint32_t seconds, struct undo *undo, char **text,
		 struct error *error);
int confirm_arm(const struct map_set *maps, uint32_t seconds, struct error *error);
bool confirm_is_pending(const struct map_set *maps);
bool confirm_is_due(const struct map_set *maps);
uint32_t confirm_id(const struct map_set *maps);
int confirm_accept(const char *ifname, int ifindex, struct error *error);

#endif /* SHRIKE_DATAPLANE_CONFIRM_H */
