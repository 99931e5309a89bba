/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The userspace forwarder as `run` sees it: a child process that is started, updated, and ended.
 *
 * docs/forwarder.md says how it is built.  While none runs, allowed packets drop (no_forwarder).
 */
#ifndef SHRIKE_FORWARD_H
#define SHRIKE_FORWARD_H

#include "dataplane/attached.h"
#include "kernel/netlink.h"

struct forward;

/* Is called with a line for each thing that happens to the forwarder. */
typedef void (*forward_log)(void *arg, bool is_error, const char *text);

int forward_new(forward_log log, void *arg, struct forward **forward, struct error *error);
int forward_fd(const struct forward *forward);
void forward_ready(struct forward *forward);
void forward_check(struct forward *forward);
void forward_follow(struct forward *forward, const struct attached *attached,
		    const struct link_info *link);
void forward_pause(struct forward *forward);
void forward_inherit(struct forward *forward, int handover_fd);
int forward_hand_over(struct forward *forward);
void forward_stop(struct forward *forward);
void forward_free(struct forward *forward);

#endif /* SHRIKE_FORWARD_H */
