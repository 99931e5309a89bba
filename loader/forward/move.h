/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder gets the queues of another device: the interface has been created again.
 *
 * The parent, which has the rights, opens them and sends them; the forwarder takes them in the place
 * of those that it had, and all its flows go on.
 */
#ifndef SHRIKE_FORWARD_MOVE_H
#define SHRIKE_FORWARD_MOVE_H

#include "forward/queue.h"
#include "forward/state.h"

int move_send(int control_fd, const struct worker_start *start, struct error *error);
int move_take(struct worker *w, const struct forward_queues *queues, const int *fds, int n,
	      struct error *error);

#endif /* SHRIKE_FORWARD_MOVE_H */
