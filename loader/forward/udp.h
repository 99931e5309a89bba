/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: datagrams of peers, and what answers them.
 */
#ifndef SHRIKE_FORWARD_UDP_H
#define SHRIKE_FORWARD_UDP_H

#include "forward/state.h"

void udp_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac);
void udp_flush(struct worker *w);

#endif /* SHRIKE_FORWARD_UDP_H */
