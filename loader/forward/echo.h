/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP echo, by one raw socket for each family.
 */
#ifndef SHRIKE_FORWARD_ECHO_H
#define SHRIKE_FORWARD_ECHO_H

#include "forward/state.h"

int echo_open(struct worker *w, struct error *error);
void echo_count(struct worker *w);
void echo_input(struct worker *w, const struct ip_packet *p, const uint8_t *mac);

#endif /* SHRIKE_FORWARD_ECHO_H */
