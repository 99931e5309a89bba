/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What fits on the way to a peer: the interface's MTU, or what a router behind it has said.
 *
 * IPv4 routers divide what is too large for them; those of IPv6 do not, and tell us, as we are the
 * sender that divides (RFC 8201).  TCP is not concerned: the private namespace has a memory of its own.
 */
#ifndef SHRIKE_FORWARD_PATH_H
#define SHRIKE_FORWARD_PATH_H

#include "forward/state.h"

bool path_too_big(struct worker *w, const struct ip_packet *p);
uint32_t path_mtu(const struct worker *w, const struct peer *peer);

#endif /* SHRIKE_FORWARD_PATH_H */
