/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One interface under protection: what is in force on it, and what has to follow as the interface,
 * its addresses or the policy change.
 */
#ifndef SHRIKE_DAEMON_GUARD_H
#define SHRIKE_DAEMON_GUARD_H

#include <stdbool.h>

#include "daemon/guard_state.h"

int guard_init(struct guard *guard, struct error *error);
void guard_reload(struct guard *guard, const char *cause, uint32_t uid);
void guard_note(struct guard *guard, const struct netlink_event *event);
void guard_follow(struct guard *guard);
void guard_check(struct guard *guard);
void guard_keep_up(struct guard *guard);
void guard_look(struct guard *guard);
bool guard_state(const struct guard *guard, const struct attached **attached);
int guard_netbird_fd(const struct guard *guard);
void guard_netbird_ready(struct guard *guard);
void guard_leave(struct guard *guard);
void guard_free(struct guard *guard);

#endif /* SHRIKE_DAEMON_GUARD_H */
