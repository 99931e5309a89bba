/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that are cut, padded, flipped, or lie, also about what was sent before them.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

/* Lies about lengths and kinds, each where a header says so. */
static void lie(struct fuzz_traffic *t, uint32_t l4)
{
	struct fuzz_random *random = t->random;
	bool is_v4 = t->bytes[0] >> 4 == 4;
	uint32_t off = is_v4 ? 2 : 4;

	switch (fuzz_random(random, 6)) {
	case 0: /* total or payload length, a little or far beside */
		fuzz_put16(t->bytes + off,
			   model_get16(t->bytes + off) + fuzz_random(random, 5) - 2);
		break;
	case 1:
		fuzz_put16(t->bytes + off, fuzz_random(random, 80));
		break;
	case 2: /* version and header length */
		t->bytes[0] = fuzz_random(random, 256);
		break;
	case 3:
		t->bytes[is_v4 ? 9 : 6] = fuzz_random(random, 256);
		break;
	case 4: /* TCP data offset, or whatever is there */
		t->bytes[l4 + 12] = fuzz_random(random, 256);
		break;
	default: /* UDP length */
		fuzz_put16(t->bytes + l4 + 4,
			   model_get16(t->bytes + l4 + 4) + fuzz_random(random, 5) - 2);
		break;
	}
}

/**
 * fuzz_mutate() - Make a good packet a bad one
 * @traffic: holds the packet
 * @l4: where its transport header is
 */
void fuzz_mutate(struct fuzz_traffic *traffic, uint32_t l4)
{
	struct fuzz_random *random = traffic->random;
	uint32_t head = traffic->len < 80 ? traffic->len : 80;

	switch (fuzz_random(random, 5)) {
	case 0:
		if (head)
			traffic->len = fuzz_random(random, head);
		break;
	case 1: /* padding */
		head = fuzz_random(random, 20);
		if (traffic->len + head <= sizeof(traffic->bytes)) {
			memset(traffic->bytes + traffic->len, 0xee, head);
			traffic->len += head;
		}
		break;
	case 2:
		if (head)
			traffic->bytes[fuzz_random(random, head)] ^= 1 << fuzz_random(random, 8);
		break;
	case 3: /* an extension header that hides the rest, or options that hide nothing */
		if (traffic->bytes[0] >> 4 == 6)
			traffic->bytes[6] =
				(uint8_t[]){0, 43, 44, 51, 60, 135}[fuzz_random(random, 6)];
		break;
	default:
		lie(traffic, l4);
		break;
	}
}

/* Write a number of a TCP header; the checksum goes on to be right or wrong, as it was. */
static void put_number(uint8_t *tcp, unsigned int off, uint32_t value)
{
	uint32_t sum = 0xffff & ~model_get16(tcp + 16);

	for (int i = 0; i < 2; i++) {
		uint32_t half = value >> (i ? 0 : 16) & 0xffff;

		sum += (0xffff & ~model_get16(tcp + off + 2 * i)) + half;
		fuzz_put16(tcp + off + 2 * i, half);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	fuzz_put16(tcp + 16, ~sum);
}

static uint32_t read_number(const uint8_t *at)
{
	return (uint32_t)model_get16(at) << 16 | model_get16(at + 2);
}

/* A number that is a little or far beside the right one, around the edges of windows. */
static uint32_t beside(struct fuzz_random *random, uint32_t number)
{
	static const uint32_t distances[] = {1,	    2,	   40,	     255,     65535,
					     65536, 66000, 1u << 30, 1u << 31};
	uint32_t distance = distances[fuzz_random(random, sizeof(distances) / sizeof(*distances))];

	if (fuzz_chance(random, 10))
		return fuzz_random(random, 65536) << 16 | fuzz_random(random, 65536);
	distance += fuzz_random(random, 3) - 1;
	return fuzz_chance(random, 50) ? number + distance : number - distance;
}

/**
 * fuzz_number() - Number a TCP packet: mostly as its sender would
 * @random: of the case
 * @numbers: as far as the packets before have come; the caller settles the packet
 * @step: the packet
 */
void fuzz_number(struct fuzz_random *random, struct numbers *numbers, struct scenario_step *step)
{
	uint8_t *tcp = step->bytes + step->tcp_off;
	struct error error;

	if (numbers_assign(numbers, step, step->bytes, &error))
		abort();
	if (!step->tcp_off || !fuzz_chance(random, 15))
		return;
	if (fuzz_chance(random, 60)) {
		put_number(tcp, 4, beside(random, read_number(tcp + 4)));
		step->has_seq = true;
	}
	if (fuzz_chance(random, 60)) {
		put_number(tcp, 8, beside(random, read_number(tcp + 8)));
		step->has_ack = true;
	}
	if (numbers_assign(numbers, step, step->bytes, &error))
		abort();
}
