/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The private network namespace.
 */
#ifndef SHRIKE_FORWARD_PRIVATE_H
#define SHRIKE_FORWARD_PRIVATE_H

#include "forward/state.h"

#define PRIVATE_FDS 5

int private_open(struct worker *w, struct error *error);
int private_fds(const struct worker *w, int fds[PRIVATE_FDS]);
bool private_take(struct worker *w, const int *fds, int n);
int private_follow(int netlink_fd, const struct forward_order *order, struct error *error);

#endif /* SHRIKE_FORWARD_PRIVATE_H */
