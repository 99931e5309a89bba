/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's tables in nftables in the place of its map, as `run` follows them: for daemons that give
 * no rules.  Whatever becomes of the tables, the policy in force stays.
 */
#ifndef SHRIKE_FOLLOW_MIRROR_H
#define SHRIKE_FOLLOW_MIRROR_H

#include "base/error.h"
#include "follow/follow.h"

#define MIRROR_SOCKET "nftables" /* what status has instead of the daemon's socket */

struct mirror_follow;

int mirror_new(const struct follow_user *user, struct mirror_follow **mirror, struct error *error);
int mirror_fd(const struct mirror_follow *mirror);
void mirror_ready(struct mirror_follow *mirror);
void mirror_forget(struct mirror_follow *mirror);
void mirror_free(struct mirror_follow *mirror);

#endif /* SHRIKE_FOLLOW_MIRROR_H */
