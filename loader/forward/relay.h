/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moving the data of TCP connections.
 */
#ifndef SHRIKE_FORWARD_RELAY_H
#define SHRIKE_FORWARD_RELAY_H

#include "forward/tcp_flow.h"

void relay_turn(struct worker *w, struct tcp_flow *flow);
void relay_continue(struct worker *w);

#endif /* SHRIKE_FORWARD_RELAY_H */
