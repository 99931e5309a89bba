/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ports of this host for sockets that peers cause.
 *
 * What the kernel chooses comes from its range (ip_local_port_range).  What is chosen here is never a
 * service's: neither below 1024 nor one that the administrator has set aside
 * (ip_local_reserved_ports).
 */
#ifndef SHRIKE_FORWARD_PORTS_H
#define SHRIKE_FORWARD_PORTS_H

#include "forward/state.h"

#define PORT_ATTEMPTS 16 /* at random, before there are said to be none */

void ports_read(struct worker *w);
int ports_bind(struct worker *w, int fd, uint8_t version, uint16_t port);
int ports_bind_random(struct worker *w, int fd, uint8_t version);

#endif /* SHRIKE_FORWARD_PORTS_H */
