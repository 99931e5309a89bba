/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that are cut, padded, flipped, or lie.
 */
#include <string.h>

#include "fuzz.h"

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
