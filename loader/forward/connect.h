/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's socket of a TCP flow, and the port that it dials from.
 */
#ifndef SHRIKE_FORWARD_CONNECT_H
#define SHRIKE_FORWARD_CONNECT_H

#include "forward/tcp_flow.h"

int connect_host(struct worker *w, struct tcp_flow *flow, const union addr *to, uint8_t tos);

#endif /* SHRIKE_FORWARD_CONNECT_H */
