/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes datagrams apart that the kernel, or the peer's, has put together (UDP GSO): each becomes a
 * packet of its own, with headers that say so, in a buffer where it stays until splitter_reset().
 */
#ifndef SHRIKE_FORWARD_SPLIT_H
#define SHRIKE_FORWARD_SPLIT_H

#include "forward/ip.h"

struct splitter {
	uint8_t *buffer;
	size_t size;
	size_t used;
};

int splitter_init(struct splitter *s);
void splitter_reset(struct splitter *s);
bool split_has_room(const struct splitter *s, const struct ip_packet *packet);
bool split_next(struct splitter *s, const struct ip_packet *packet, uint32_t *at,
		struct ip_packet *datagram);

#endif /* SHRIKE_FORWARD_SPLIT_H */
