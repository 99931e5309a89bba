/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/split.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (256 << 10)

/**
 * splitter_init() - Get the buffer
 *
 * Return: 0 or -ENOMEM.
 */
int splitter_init(struct splitter *s)
{
	*s = (struct splitter){.buffer = malloc(BUFFER_BYTES), .size = BUFFER_BYTES};
	return s->buffer ? 0 : -ENOMEM;
}

/**
 * splitter_reset() - The buffer is free again: nobody needs what is there
 */
void splitter_reset(struct splitter *s)
{
	s->used = 0;
}

/**
 * split_has_room() - Whether the buffer takes one more datagram
 * @packet: of which
 */
bool split_has_room(const struct splitter *s, const struct ip_packet *packet)
{
	return packet->l4_off + UDP_HEADER_LEN + packet->segment_len <= s->size - s->used;
}

/*
 * The sum of a datagram alone cannot be had from that of all; as with what a local sender hands over,
 * it has that of its pseudo header, which says that the kernel vouches for the bytes.
 */
static void finish(struct ip_packet *p)
{
	uint32_t len = p->len - p->l4_off;
	struct udphdr udp;

	memcpy(&udp, p->data + p->l4_off, sizeof(udp));
	udp.uh_ulen = htons(len);
	udp.uh_sum = ip_fold(ip_pseudo_sum(&p->ends, IPPROTO_UDP, len));
	memcpy(p->data + p->l4_off, &udp, sizeof(udp));
	ip_length_set(p->data, p->ends.version, p->l4_off, p->len);
}

/**
 * split_next() - Take out the next datagram
 * @packet: UDP, with segment_len
 * @at: offset of its data behind the UDP header, at first 0; is moved on
 * @datagram: becomes it
 *
 * The caller sees to it that there is room.
 *
 * Return: whether there was one more.
 */
bool split_next(struct splitter *s, const struct ip_packet *packet, uint32_t *at,
		struct ip_packet *datagram)
{
	uint32_t header_len = packet->l4_off + UDP_HEADER_LEN, from = header_len + *at;
	uint32_t size = packet->segment_len;

	if (from >= packet->len)
		return false;
	if (size > packet->len - from)
		size = packet->len - from;
	*datagram = *packet;
	datagram->data = s->buffer + s->used;
	datagram->len = header_len + size;
	datagram->segment_len = 0;
	memcpy(datagram->data, packet->data, header_len);
	memcpy(datagram->data + header_len, packet->data + from, size);
	finish(datagram);
	s->used += datagram->len;
	*at += size;
	return true;
}
