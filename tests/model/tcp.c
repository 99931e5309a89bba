/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/tcp.h"

#include "model/packet.h"

#define SEGMENT_MAX   65535
#define ACK_AGE_MAX   66000 /* as nf_conntrack: an ACK may be so old whatever the window */
#define SHIFT_MAX     14    /* RFC 7323, section 2.3 */
#define REPLY_UNACKED 66000 /* a first number up to which an answer may leave its ACK unset */

/* Sequence numbers have no beginning and no end: RFC 9293, section 3.4. */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static bool between(uint32_t first, uint32_t number, uint32_t last)
{
	return !before(number, first) && !before(last, number);
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return before(a, b) ? b : a;
}

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a < b ? b : a;
}

/* No more than one of SYN, FIN and RST. */
static bool model_tcp_is_legal(uint8_t flags)
{
	return !!(flags & SYN) + !!(flags & FIN) + !!(flags & RST) <= 1;
}

/**
 * model_tcp_is_opening() - A pure SYN
 */
bool model_tcp_is_opening(uint8_t flags)
{
	return flags & SYN && !(flags & (ACK | FIN | RST));
}

/**
 * model_tcp_is_answer() - Whether the flags of a segment of the other end belong to a connection
 * @tcp: the connection
 * @flags: of the segment
 */
bool model_tcp_is_answer(const struct model_tcp *tcp, uint8_t flags)
{
	enum flow_state state = tcp->state;

	if (!model_tcp_is_legal(flags))
		return false;
	if (state == FLOW_STATE_SYN_SENT)
		return model_tcp_is_opening(flags) || (flags & ACK && !(flags & FIN));
	if (state == FLOW_STATE_SYN_RECEIVED && !tcp->by_peer && flags & SYN)
		return true; /* both ends have opened: RFC 9293, figure 7 */
	if (flags & FIN && !(flags & ACK))
		return state == FLOW_STATE_FIN_WAIT_1 || state == FLOW_STATE_FIN_WAIT_2 ||
		       state == FLOW_STATE_CLOSE_WAIT;
	return flags & (ACK | RST);
}

/* The window that a segment offers; scaled once both ends have agreed on that. */
static uint32_t offered(const struct model_tcp *tcp, const struct model_segment *segment,
			unsigned int side)
{
	bool agreed = tcp->side[0].scales && tcp->side[1].scales;
	uint8_t shift = tcp->side[side].scale;

	if (segment->flags & SYN || !agreed)
		return segment->window;
	return (uint32_t)segment->window << (shift > SHIFT_MAX ? SHIFT_MAX : shift);
}

/* An end as its SYN shows it. */
static struct model_side side_of_syn(const struct model_segment *segment)
{
	return (struct model_side){
		.seen = true,
		.has_opened = true,
		.has_acked = segment->flags & ACK,
		.scales = segment->scales,
		.scale = segment->scale,
		.syn_end = segment->seq + 1,
		.end = segment->seq + segment->len,
		.acked = segment->flags & ACK ? segment->ack : 0,
		.window = segment->window,
	};
}

/**
 * model_tcp_open() - Begin a connection
 * @tcp: set to the connection
 * @segment: the SYN of its opener
 * @by_peer: who is a peer, else this host
 */
void model_tcp_open(struct model_tcp *tcp, const struct model_segment *segment, bool by_peer)
{
	*tcp = (struct model_tcp){
		.state = by_peer ? FLOW_STATE_SYN_RECEIVED : FLOW_STATE_SYN_SENT,
		.side = {side_of_syn(segment)},
		.by_peer = by_peer,
	};
}

static bool is_closing(enum flow_state state)
{
	switch (state) {
	case FLOW_STATE_FIN_WAIT_1:
	case FLOW_STATE_FIN_WAIT_2:
	case FLOW_STATE_CLOSING:
	case FLOW_STATE_TIME_WAIT:
	case FLOW_STATE_CLOSE_WAIT:
	case FLOW_STATE_LAST_ACK:
	case FLOW_STATE_CLOSED:
		return true;
	default:
		return false;
	}
}

/**
 * model_tcp_is_superseded() - Whether a segment opens a connection in the place of one that ends
 */
bool model_tcp_is_superseded(const struct model_tcp *tcp, const struct model_segment *segment)
{
	return is_closing(tcp->state) && model_tcp_is_opening(segment->flags);
}

/* Whether an end acknowledges the other one's SYN, and nothing that was not sent. */
static bool proves(const struct model_side *sender, const struct model_segment *segment)
{
	return segment->flags & ACK && sender->has_opened &&
	       between(sender->syn_end, segment->ack, sender->end);
}

static bool fits(const struct model_tcp *tcp, const struct model_segment *segment,
		 unsigned int side)
{
	const struct model_side *own = &tcp->side[side], *other = &tcp->side[!side];
	uint32_t end = segment->seq + segment->len;
	uint32_t age = greater(own->window, ACK_AGE_MAX);

	if (!(segment->flags & ACK) || !other->seen)
		return false;
	if (other->has_acked && before(other->acked + greater(other->window, 1), segment->seq))
		return false;
	if (own->seen && before(end, own->end - other->window - 1))
		return false;
	return between(other->end - age, segment->ack,
		       other->end + (tcp->fragmented ? SEGMENT_MAX : 0));
}

/* A segment that fits moves the numbers of its end. */
static void move(struct model_tcp *tcp, const struct model_segment *segment, unsigned int side)
{
	struct model_side *own = &tcp->side[side];
	uint32_t end = segment->seq + segment->len;

	tcp->fragmented = tcp->fragmented || segment->partial;
	tcp->side[!side].end = later(tcp->side[!side].end, segment->ack);
	own->end = own->seen ? later(own->end, end) : end;
	own->seen = true;
	own->window = greater(own->window, offered(tcp, segment, side));
	own->acked = own->has_acked ? later(own->acked, segment->ack) : segment->ack;
	own->has_acked = true;
}

/* Whether a reset answers a SYN of an end that has acknowledged nothing. */
static bool refuses(const struct model_tcp *tcp, const struct model_segment *segment,
		    unsigned int side)
{
	const struct model_side *other = &tcp->side[!side];

	if (!(segment->flags & ACK) || !other->seen)
		return false;
	return segment->ack == other->end || (!tcp->reopening && proves(other, segment));
}

/*
 * A reset counts where its receiver expects the next segment, as far as that has said so, or behind
 * all that its sender has sent; a reset that refuses a SYN has to acknowledge it.  Elsewhere in the
 * window it is answered by a challenge ACK.
 */
static enum model_effect take_reset(struct model_tcp *tcp, const struct model_segment *segment,
				    unsigned int side)
{
	const struct model_side *own = &tcp->side[side], *other = &tcp->side[!side];
	bool is_exact = own->seen && segment->seq == own->end, is_inside = false;

	if (tcp->state == FLOW_STATE_SYN_SENT && side == 0)
		return EFFECT_NONE;
	if (tcp->reopening && side == 1 && segment->flags & ACK)
		is_exact = is_exact || segment->ack == tcp->reopen.seq + 1;
	if (other->has_acked) {
		is_exact = is_exact || segment->seq == other->acked;
		is_inside = segment->seq - other->acked <= greater(other->window, 1);
	} else {
		is_exact = is_exact || refuses(tcp, segment, side);
	}
	if (!is_exact)
		return is_inside ? EFFECT_NONE : EFFECT_REFUSED;
	if (tcp->state == FLOW_STATE_TIME_WAIT) /* RFC 1337 */
		return EFFECT_NONE;
	tcp->state = FLOW_STATE_CLOSED;
	return EFFECT_MOVES;
}

/* Whether an end has sent this SYN before, be it with less or more data. */
static bool is_repeated(const struct model_side *own, const struct model_segment *segment)
{
	return own->seen && between(own->end - ACK_AGE_MAX, segment->seq + 1, own->end);
}

/* The opener's SYN, again or anew. */
static enum model_effect take_opening(struct model_tcp *tcp, const struct model_segment *segment)
{
	switch (tcp->state) {
	case FLOW_STATE_SYN_SENT:
	case FLOW_STATE_SYN_RECEIVED:
		if (is_repeated(&tcp->side[0], segment)) {
			if (!tcp->by_peer) /* what a peer has to acknowledge is this host's newest */
				tcp->side[0].syn_end = segment->seq + 1;
			return EFFECT_MOVES;
		}
		tcp->side[1] = (struct model_side){};
		tcp->side[0] = side_of_syn(segment);
		tcp->fragmented = false;
		return EFFECT_MOVES;
	case FLOW_STATE_ESTABLISHED:
		tcp->reopening = true;
		tcp->reopen = *segment;
		return EFFECT_NONE;
	default:
		return EFFECT_NONE;
	}
}

static enum model_effect establish(struct model_tcp *tcp)
{
	tcp->state = FLOW_STATE_ESTABLISHED;
	tcp->confirmed = true;
	return EFFECT_MOVES;
}

/* What the other end says to the SYN of this host. */
static enum model_effect take_answer(struct model_tcp *tcp, const struct model_segment *segment)
{
	const struct model_side *own = &tcp->side[0];
	bool unset = segment->flags & ACK && !segment->ack && own->end <= REPLY_UNACKED;

	if ((segment->flags & (SYN | ACK)) == (SYN | ACK)) {
		if (!proves(own, segment) && !unset)
			return EFFECT_OUTSIDE;
		tcp->side[1] = side_of_syn(segment);
		return establish(tcp);
	}
	if (segment->seq + 1 == own->syn_end || segment->flags & FIN)
		return EFFECT_FOREIGN;
	if (!(segment->flags & SYN))
		return segment->flags & ACK ? EFFECT_NONE : EFFECT_FOREIGN;
	tcp->side[1] = side_of_syn(segment);
	tcp->state = FLOW_STATE_SYN_RECEIVED;
	return EFFECT_MOVES;
}

/* A SYN, with or without ACK, of an end whose SYN need not be its first: SYN cookies. */
static void move_syn(struct model_tcp *tcp, const struct model_segment *segment, unsigned int side)
{
	struct model_side *own = &tcp->side[side];

	if (!is_repeated(own, segment) || (segment->flags & ACK && !own->has_acked))
		*own = side_of_syn(segment);
	own->syn_end = segment->seq + 1;
}

/*
 * The end that opened to this host, or to which this host opened, has to prove that it receives
 * what the other one sends, by an ACK of the other's SYN.
 */
static enum model_effect take_half_open(struct model_tcp *tcp, const struct model_segment *segment,
					unsigned int side)
{
	const struct model_side *own = &tcp->side[side], *other = &tcp->side[!side];
	bool has_to_prove = side == (tcp->by_peer ? 0 : 1), acknowledges = proves(other, segment);

	if (model_tcp_is_opening(segment->flags)) {
		move_syn(tcp, segment, side);
		return EFFECT_MOVES;
	}
	if ((has_to_prove && !acknowledges) || (!own->has_opened && !(segment->flags & SYN)))
		return EFFECT_OUTSIDE;
	if (segment->flags & SYN) {
		/* where the other's SYN ended is not known any more once this end has sent its own */
		if (own->seen && !has_to_prove)
			acknowledges = own->has_acked && segment->ack == own->acked;
		if ((!other->seen || segment->ack != other->end) && !acknowledges)
			return EFFECT_OUTSIDE;
		move_syn(tcp, segment, side);
	} else {
		if (!fits(tcp, segment, side))
			return EFFECT_OUTSIDE;
		move(tcp, segment, side);
	}
	return has_to_prove ? establish(tcp) : EFFECT_MOVES;
}

/* Where a segment that fits takes an open connection; its numbers have moved already. */
static enum flow_state next_state(const struct model_tcp *tcp, const struct model_segment *segment,
				  unsigned int side)
{
	bool is_fin = segment->flags & FIN;
	bool covers = segment->flags & ACK && !before(segment->ack, tcp->side[!side].end);
	bool has_covered = tcp->side[side].has_acked &&
			   !before(tcp->side[side].acked, tcp->side[!side].end);

	switch (tcp->state) {
	case FLOW_STATE_ESTABLISHED:
		if (is_fin)
			return side == 0 ? FLOW_STATE_FIN_WAIT_1 : FLOW_STATE_CLOSE_WAIT;
		break;
	case FLOW_STATE_FIN_WAIT_1:
		if (side == 1 && is_fin)
			return covers ? FLOW_STATE_TIME_WAIT : FLOW_STATE_CLOSING;
		if (side == 1 && covers)
			return FLOW_STATE_FIN_WAIT_2;
		break;
	case FLOW_STATE_FIN_WAIT_2:
		if (side == 1 && is_fin)
			return FLOW_STATE_TIME_WAIT;
		break;
	case FLOW_STATE_CLOSING:
		if (side == 1 && covers)
			return FLOW_STATE_TIME_WAIT;
		break;
	case FLOW_STATE_CLOSE_WAIT:
		if (side == 0 && is_fin)
			return has_covered ? FLOW_STATE_LAST_ACK : FLOW_STATE_CLOSING;
		break;
	case FLOW_STATE_LAST_ACK:
		if (side == 1 && covers)
			return FLOW_STATE_CLOSED;
		break;
	default:
		break;
	}
	return tcp->state;
}

/* The other end answers the SYN that the opener has sent in an open connection. */
static enum model_effect reopen(struct model_tcp *tcp, const struct model_segment *segment)
{
	tcp->side[0] = side_of_syn(&tcp->reopen);
	tcp->side[0].window = 0;
	tcp->side[0].end = tcp->side[0].syn_end;
	tcp->side[1] = side_of_syn(segment);
	tcp->fragmented = false;
	tcp->reopening = false;
	tcp->state = tcp->by_peer ? FLOW_STATE_SYN_RECEIVED : FLOW_STATE_ESTABLISHED;
	return EFFECT_MOVES;
}

/**
 * model_tcp_take() - Have a connection take a segment
 * @tcp: the connection, which moves if it has to
 * @segment: no SYN that supersedes it
 * @side: who sent it: the opener (0) or the other end (1)
 */
enum model_effect model_tcp_take(struct model_tcp *tcp, const struct model_segment *segment,
				 unsigned int side)
{
	enum model_effect effect;

	if (!model_tcp_is_legal(segment->flags))
		return EFFECT_NONE;
	if (segment->flags & RST)
		return take_reset(tcp, segment, side);
	if (model_tcp_is_opening(segment->flags) && side == 0)
		return take_opening(tcp, segment);
	if (tcp->state == FLOW_STATE_SYN_SENT)
		return side == 0 ? EFFECT_OUTSIDE : take_answer(tcp, segment);
	if (tcp->state == FLOW_STATE_SYN_RECEIVED) {
		effect = take_half_open(tcp, segment, side);
	} else if (model_tcp_is_opening(segment->flags)) {
		return EFFECT_NONE;
	} else if (tcp->reopening && side == 1 && segment->flags & SYN &&
		   segment->ack == tcp->reopen.seq + 1) {
		return reopen(tcp, segment);
	} else if (fits(tcp, segment, side)) {
		move(tcp, segment, side);
		effect = EFFECT_MOVES;
	} else {
		return EFFECT_OUTSIDE;
	}
	if (effect == EFFECT_MOVES)
		tcp->state = next_state(tcp, segment, side);
	return effect;
}
