/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AF_XDP sockets: the way in.
 */
#ifndef SHRIKE_FORWARD_SOCKET_H
#define SHRIKE_FORWARD_SOCKET_H

#include "forward/queue.h"
#include "forward/state.h"

uint32_t sockets_max(uint32_t queues);
int sockets_open(struct worker *w, struct error *error);
int sockets_take(struct worker *w, const struct queue_fds *fds, uint32_t n,
		 const struct queue_device *device, struct error *error);
void sockets_count(struct worker *w);

#endif /* SHRIKE_FORWARD_SOCKET_H */
