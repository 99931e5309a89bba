/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets for datagrams whose receive buffers are larger than an unprivileged process may have.
 *
 * The forwarder has given up its rights before it knows which sockets it needs, and must not wait for
 * its parent when a peer's datagram is there.  So the parent keeps some in store: it puts open sockets
 * into a pair until that is full, and again when most of them were taken.
 */
#ifndef SHRIKE_FORWARD_UDP_SUPPLY_H
#define SHRIKE_FORWARD_UDP_SUPPLY_H

#include <stdint.h>

#define UDP_SUPPLIES 2 /* of IPv4 and of IPv6 */

struct udp_supply;

struct udp_supply *udp_supply_open(int theirs[UDP_SUPPLIES]);
int udp_supply_fd(const struct udp_supply *supply);
void udp_supply_fill(struct udp_supply *supply);
void udp_supply_close(struct udp_supply *supply);
int udp_supply_take(const int theirs[UDP_SUPPLIES], uint8_t version);

#endif /* SHRIKE_FORWARD_UDP_SUPPLY_H */
