/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AF_XDP sockets: the way in.
 */
#ifndef SHRIKE_FORWARD_SOCKET_H
#define SHRIKE_FORWARD_SOCKET_H

#include "forward/state.h"

int sockets_open(struct worker *w, struct error *error);
void sockets_count(struct worker *w);

#endif /* SHRIKE_FORWARD_SOCKET_H */
