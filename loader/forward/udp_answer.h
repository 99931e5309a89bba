/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What destinations answer over UDP, on its way to the peer.
 */
#ifndef SHRIKE_FORWARD_UDP_ANSWER_H
#define SHRIKE_FORWARD_UDP_ANSWER_H

#include "forward/udp_flow.h"

/*
 * struct udp_answer - what a message holds
 * @data: with room for the headers before it
 * @len: bytes of all
 * @segment: 0: it is one datagram; else there are several of that size, the last perhaps smaller
 * @tos, @ttl: as they came
 */
struct udp_answer {
	uint8_t *data;
	size_t len;
	size_t segment;
	uint8_t tos;
	uint8_t ttl;
};

void udp_answer_send(struct worker *w, const struct udp_flow *flow, const struct udp_answer *all);

#endif /* SHRIKE_FORWARD_UDP_ANSWER_H */
