/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy on its way out of the child's pipe.
 */
#ifndef SHRIKE_FOLLOW_INCOMING_H
#define SHRIKE_FOLLOW_INCOMING_H

#include <stddef.h>
#include <stdint.h>

enum incoming_state {
	INCOMING_NOTHING, /* has come for now */
	INCOMING_PART,
	INCOMING_WHOLE, /* text is the policy */
	INCOMING_ENDED, /* nothing comes any more */
};

/*
 * struct incoming - the policy that has been announced, as far as it has come
 * @fd: of the pipe, non-blocking; -1: there is none
 * @want: bytes of the policy; 0: none has been announced
 */
struct incoming {
	int fd;
	uint64_t serial;
	char *text;
	size_t len;
	size_t want;
};

void incoming_init(struct incoming *incoming);
void incoming_open(struct incoming *incoming, int fd);
int incoming_begin(struct incoming *incoming, uint64_t serial, uint64_t len);
enum incoming_state incoming_read(struct incoming *incoming);
void incoming_reset(struct incoming *incoming);
void incoming_close(struct incoming *incoming);

#endif /* SHRIKE_FOLLOW_INCOMING_H */
