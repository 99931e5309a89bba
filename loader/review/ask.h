/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what a user says to the packets that are meant, and from a packet to words.
 */
#ifndef SHRIKE_REVIEW_ASK_H
#define SHRIKE_REVIEW_ASK_H

#include "base/error.h"
#include "review/prove.h"

#define WITNESS_TEXT_MAX 384

int ask_traffic(struct inquiry *inquiry, const struct policy_claim *claim, struct traffic *traffic,
		struct error *error);
int ask_claim(struct inquiry *inquiry, const struct policy_claim *claim, struct witness *witness,
	      struct error *error);
const char *witness_packet(const struct witness *witness, char text[WITNESS_TEXT_MAX]);
const char *witness_format(const struct witness *witness, char text[WITNESS_TEXT_MAX]);

#endif /* SHRIKE_REVIEW_ASK_H */
