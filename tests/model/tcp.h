/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reference model's TCP: what both ends of a connection have said, and which segments move it
 * (RFC 9293, RFC 5961).  Part of model.h's model, of no use elsewhere.
 */
#ifndef SHRIKE_TESTS_MODEL_TCP_H
#define SHRIKE_TESTS_MODEL_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"

/*
 * struct model_segment - a TCP segment; numbers in host byte order
 * @len: in sequence numbers: its data, SYN and FIN
 * @partial: only the first fragment of it was seen
 * @scales, @scale: its window scale option
 */
struct model_segment {
	uint32_t seq;
	uint32_t ack;
	uint32_t len;
	uint16_t window;
	uint8_t flags;
	bool partial;
	bool scales;
	uint8_t scale;
};

/*
 * struct model_side - an end of a connection, as far as its segments have shown it
 * @seen: it has sent a segment that counted: @end holds
 * @has_acked: that one, or another, had an ACK: @acked holds
 * @has_opened: it has sent a SYN, which ends before @syn_end and says @scales and @scale
 * @end: the sequence number after the last one that it has sent
 */
struct model_side {
	bool seen;
	bool has_acked;
	bool has_opened;
	bool scales;
	uint8_t scale;
	uint32_t syn_end;
	uint32_t end;
	uint32_t acked;
	uint32_t window;
};

/*
 * struct model_tcp - a connection
 * @side: of the opener, and of the other end
 * @by_peer: a peer has opened it
 * @confirmed: it has been established
 * @fragmented: a segment of it was partial
 * @reopening: the opener has sent a SYN, @reopen, while the connection was open
 */
struct model_tcp {
	enum flow_state state;
	struct model_side side[2];
	bool by_peer;
	bool confirmed;
	bool fragmented;
	bool reopening;
	struct model_segment reopen;
};

/* What becomes of a segment. */
enum model_effect {
	EFFECT_MOVES,	/* it counts: numbers, state and timer */
	EFFECT_NONE,	/* it is of the connection, and moves nothing */
	EFFECT_OUTSIDE, /* so it is, but it fits no window */
	EFFECT_REFUSED, /* a reset that is not believed */
	EFFECT_FOREIGN, /* it is not of the connection at all */
};

bool model_tcp_is_opening(uint8_t flags);
bool model_tcp_is_answer(const struct model_tcp *tcp, uint8_t flags);

void model_tcp_open(struct model_tcp *tcp, const struct model_segment *segment, bool by_peer);
bool model_tcp_is_superseded(const struct model_tcp *tcp, const struct model_segment *segment);
enum model_effect model_tcp_take(struct model_tcp *tcp, const struct model_segment *segment,
				 unsigned int side);

#endif /* SHRIKE_TESTS_MODEL_TCP_H */
