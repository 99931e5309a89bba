/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether all packets of a question are let in, or none of them, or the same ones by two policies; or
 * else a packet that shows it.
 */
#ifndef SHRIKE_REVIEW_PROVE_H
#define SHRIKE_REVIEW_PROVE_H

#include "review/share.h"

#define PROVE_NOBODY 2 /* no peer can send any packet of the question */

/*
 * struct witness - a packet, as rules see it
 * @rule: that decides about it; NULL: none does
 * @reason: of its verdict
 */
struct witness {
	union addr source;
	union addr destination;
	uint16_t sport;
	uint16_t dport;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t icmp_type;
	uint8_t icmp_code;
	bool allowed;
	enum reason reason;
	const struct policy_rule *rule;
};

int prove_none(struct inquiry *inquiry, const struct traffic *traffic, struct witness *witness);
int prove_all(struct inquiry *inquiry, const struct traffic *traffic, struct witness *witness);
int prove_equal(struct inquiry *a, struct inquiry *b, struct witness witness[2]);

#endif /* SHRIKE_REVIEW_PROVE_H */
