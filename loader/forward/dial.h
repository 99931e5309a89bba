/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a dial may take.
 */
#ifndef SHRIKE_FORWARD_DIAL_H
#define SHRIKE_FORWARD_DIAL_H

#include "forward/tcp_flow.h"

void dial_asked(struct worker *w, struct tcp_flow *flow);
void dials_expire(struct worker *w);

#endif /* SHRIKE_FORWARD_DIAL_H */
