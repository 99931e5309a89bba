/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parent sends the forwarder, read from the generation in force and its interface.
 */
#ifndef SHRIKE_FORWARD_SETTINGS_H
#define SHRIKE_FORWARD_SETTINGS_H

#include "dataplane/attached.h"
#include "forward/order.h"
#include "kernel/netlink.h"

int settings_read(struct worker_start *start, const struct attached *attached,
		  const struct link_info *link);

#endif /* SHRIKE_FORWARD_SETTINGS_H */
