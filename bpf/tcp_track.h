/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP as connection tracking sees it: whether a segment fits what both ends have said so far, what
 * it proves, and where it takes the connection (RFC 9293, sections 3.3.2 and 3.10; RFC 5961).
 *
 * Nothing is believed that a blind sender could have made up.  A connection is established when the
 * peer acknowledges our SYN, a FIN counts as received when an ACK covers it, and a RST counts if
 * its receiver would take it.  The window test is that of nf_conntrack_proto_tcp.c (after G. van
 * Rooij, "Real Stateful TCP Packet Filtering in IP Filter"), which needs neither all segments nor
 * their order.  What does not fit moves nothing; whether it passes is not decided here.
 */
#ifndef SHRIKE_TCP_TRACK_H
#define SHRIKE_TCP_TRACK_H

#include "tcp.h"

#define TCP_SEGMENT_MAX 65535
#define TCP_ACK_WINDOW	66000 /* how old an ACK may be at least; nf_conntrack's MAXACKWINCONST */

/* What a segment is to its connection. */
enum tcp_fit {
	TCP_FITS, /* it counts */
	TCP_IGNORED, /* expected and harmless, but moves nothing: challenge ACKs, RSTs to be challenged */
	TCP_OUTSIDE, /* it fits no window, or acknowledges what was not sent */
};

static __always_inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline bool seq_within(__u32 seq, __u32 first, __u32 last)
{
	return !seq_before(seq, first) && !seq_before(last, seq);
}

/* The window that a segment offers, in bytes. */
static __always_inline __u32 window_of(const struct packet *p, const struct flow *flow, bool side)
{
	__u8 both = FLOW_SIDE_SCALES(0) | FLOW_SIDE_SCALES(1);

	if (p->tcp_flags & TCP_SYN || (flow->sides & both) != both)
		return p->window;
	return (__u32)p->window << (side ? flow->scale >> 4 : flow->scale & 15);
}

/* Whether it is this end that has to prove that it receives what the other sends: the peer's. */
static __always_inline bool has_to_prove(const struct flow *flow, bool side)
{
	return side == !(flow->flags & FLOW_BY_PEER);
}

/* Whether an ACK covers all that the other end has sent. */
static __always_inline bool covers(const struct packet *p, const struct flow_side *receiver)
{
	return p->tcp_flags & TCP_ACK && !seq_before(p->ack, receiver->end);
}

/* Whether the segment acknowledges the SYN whose receipt has to be proved, and nothing unsent. */
static __always_inline bool proves(const struct packet *p, const struct flow *flow,
				   const struct flow_side *receiver)
{
	return p->tcp_flags & TCP_ACK && seq_within(p->ack, flow->proof, receiver->end);
}

/*
 * Whether flow.proof is of the SYN of the other end: it becomes that of the end that need not prove
 * anything when this sends its own, and that of another SYN where the opener sends one.
 */
static __always_inline bool has_proof(const struct flow *flow, bool side)
{
	return !(flow->sides & FLOW_REOPENING) &&
	       (has_to_prove(flow, side) || !(flow->sides & FLOW_SIDE_SEEN(side)));
}

/*
 * Whether an answer is one to the SYN that the opener, which has forgotten the connection, has sent
 * in its midst.
 */
static __always_inline bool answers_syn(const struct packet *p, const struct flow *flow, bool side)
{
	return flow->sides & FLOW_REOPENING && side && p->tcp_flags & TCP_ACK &&
	       p->ack == flow->proof;
}

/* Whether a RST acknowledges the SYN of its receiver, which has acknowledged nothing. */
static __always_inline bool refuses(const struct packet *p, const struct flow *flow, bool side)
{
	const struct flow_side *receiver = &flow->side[!side];

	if (!(flow->sides & FLOW_SIDE_SEEN(!side)) || !(p->tcp_flags & TCP_ACK))
		return false;
	return p->ack == receiver->end || (has_proof(flow, side) && proves(p, flow, receiver));
}

/*
 * How far an ACK may be ahead of what was seen: of a segment in fragments only the first is, which
 * does not say how long the segment is.
 */
static __always_inline __u32 unseen_max(const struct flow *flow)
{
	return flow->sides & FLOW_FRAGMENTED ? TCP_SEGMENT_MAX : 0;
}

/*
 * Without ACK a segment is no part of a connection, whatever its number: its receiver drops it (RFC
 * 9293, section 3.10.7.4).  A blind sender would have to guess one number less.
 */
static __always_inline bool in_window(const struct packet *p, const struct flow *flow, bool side)
{
	const struct flow_side *sender = &flow->side[side], *receiver = &flow->side[!side];
	bool receiver_seen = flow->sides & FLOW_SIDE_SEEN(!side);
	__u32 window = receiver->window, oldest = sender->window;

	if (!receiver_seen || !(p->tcp_flags & TCP_ACK))
		return false;
	if (flow->sides & FLOW_SIDE_ACKED(!side) &&
	    seq_before(receiver->acked + (window ? window : 1), p->seq))
		return false;
	if (flow->sides & FLOW_SIDE_SEEN(side) && seq_before(p->seq_end, sender->end - window - 1))
		return false;
	if (oldest < TCP_ACK_WINDOW)
		oldest = TCP_ACK_WINDOW;
	return seq_within(p->ack, receiver->end - oldest, receiver->end + unseen_max(flow));
}

/*
 * A RST counts if it is exactly what its receiver expects next (RFC 5961, section 3.2), as far as
 * its ACKs show, or if it stands right behind all that its sender has sent: the receiver's ACK of
 * that may be on its way (nf_conntrack, "RST is part of train").  Elsewhere in the window it is
 * answered by a challenge ACK, and passes for that.  A RST to a SYN, also to one in the midst of a
 * connection that its sender has forgotten, has to acknowledge it.  In time_wait no RST counts
 * (RFC 1337).
 */
static __always_inline enum tcp_fit rst_fit(const struct packet *p, const struct flow *flow,
					    bool side)
{
	const struct flow_side *sender = &flow->side[side], *receiver = &flow->side[!side];
	__u32 window = receiver->window ? receiver->window : 1;

	if (flow->state == FLOW_STATE_SYN_SENT) {
		if (!side)
			return TCP_IGNORED;
		return proves(p, flow, receiver) ? TCP_FITS : TCP_OUTSIDE;
	}
	if (answers_syn(p, flow, side) ||
	    (flow->sides & FLOW_SIDE_SEEN(side) && p->seq == sender->end))
		return TCP_FITS;
	if (!(flow->sides & FLOW_SIDE_ACKED(!side)))
		return refuses(p, flow, side) ? TCP_FITS : TCP_OUTSIDE;
	if (p->seq == receiver->acked)
		return TCP_FITS;
	return seq_within(p->seq, receiver->acked, receiver->acked + window) ? TCP_IGNORED
									     : TCP_OUTSIDE;
}

/* The SYN+ACK to it: the other end has forgotten the connection, too, and takes it anew. */
static __always_inline bool reopens(const struct packet *p, const struct flow *flow, bool side)
{
	return p->tcp_flags & TCP_SYN && answers_syn(p, flow, side);
}

/*
 * A SYN+ACK that acknowledges zero.  nf_conntrack takes any of the last 66,000 numbers; of these
 * only this one is no guess, but what is left unset.  The host resets it.
 */
static __always_inline bool is_unset(const struct packet *p, const struct flow_side *receiver)
{
	return p->tcp_flags & TCP_ACK && !p->ack && receiver->end <= TCP_ACK_WINDOW;
}

/*
 * Whether a SYN+ACK acknowledges all that the other end has sent, or no more than the SYN of an
 * opener that has sent data with it; once that is not to be known any more, whether it says the
 * same as the one before.
 */
static __always_inline bool acks_syn(const struct packet *p, const struct flow *flow, bool side)
{
	if (flow->sides & FLOW_SIDE_SEEN(!side) && p->ack == flow->side[!side].end)
		return true;
	if (has_proof(flow, side))
		return proves(p, flow, &flow->side[!side]);
	return flow->sides & FLOW_SIDE_ACKED(side) && p->ack == flow->side[side].acked;
}

/* A segment of a connection that no proof has confirmed yet, and no RST. */
static __always_inline enum tcp_fit handshake_fit(const struct packet *p, const struct flow *flow,
						  bool side)
{
	const struct flow_side *receiver = &flow->side[!side];

	if (tcp_is_opening(p->tcp_flags))
		return TCP_FITS;
	if (flow->state == FLOW_STATE_SYN_SENT) {
		if (!side)
			return TCP_OUTSIDE;
		if (!(p->tcp_flags & TCP_SYN))
			return TCP_IGNORED;
		return proves(p, flow, receiver) || is_unset(p, receiver) ? TCP_FITS : TCP_OUTSIDE;
	}
	if (has_to_prove(flow, side) &&
	    (!(flow->sides & FLOW_SIDE_SEEN(!side)) || !proves(p, flow, receiver)))
		return TCP_OUTSIDE;
	/* a SYN+ACK may be of another try, as SYN cookies are; else it is like any segment */
	if (p->tcp_flags & TCP_SYN)
		return acks_syn(p, flow, side) ? TCP_FITS : TCP_OUTSIDE;
	if (!(flow->sides & FLOW_SIDE_SEEN(side)))
		return TCP_OUTSIDE; /* without its SYN there is nothing that the peer could prove */
	return in_window(p, flow, side) ? TCP_FITS : TCP_OUTSIDE;
}

/**
 * tcp_fit() - What a legal segment is to its connection
 * @p: the segment
 * @flow: the connection
 * @side: the end that sent it, 0: the opener
 */
static __always_inline enum tcp_fit tcp_fit(const struct packet *p, const struct flow *flow,
					    bool side)
{
	if (p->tcp_flags & TCP_RST) {
		enum tcp_fit fit = rst_fit(p, flow, side);

		return fit == TCP_FITS && flow->state == FLOW_STATE_TIME_WAIT ? TCP_IGNORED : fit;
	}
	if (flow->state == FLOW_STATE_SYN_SENT || flow->state == FLOW_STATE_SYN_RECEIVED)
		return handshake_fit(p, flow, side);
	if (tcp_is_opening(p->tcp_flags))
		return TCP_IGNORED;
	if (reopens(p, flow, side))
		return TCP_FITS;
	return in_window(p, flow, side) ? TCP_FITS : TCP_OUTSIDE;
}

static __always_inline enum flow_state next_from_opener(const struct packet *p,
							const struct flow *flow, __u32 state)
{
	if (!(p->tcp_flags & TCP_FIN))
		return state;
	if (state == FLOW_STATE_ESTABLISHED)
		return FLOW_STATE_FIN_WAIT_1;
	if (state != FLOW_STATE_CLOSE_WAIT)
		return state;
	/* has it had the other end's FIN, or have the two crossed? */
	if (covers(p, &flow->side[1]) || (flow->sides & FLOW_SIDE_ACKED(0) &&
					  !seq_before(flow->side[0].acked, flow->side[1].end)))
		return FLOW_STATE_LAST_ACK;
	return FLOW_STATE_CLOSING;
}

static __always_inline enum flow_state next_from_other(const struct packet *p,
						       const struct flow *flow, __u32 state)
{
	bool fin = p->tcp_flags & TCP_FIN, covered = covers(p, &flow->side[0]);

	switch (state) {
	case FLOW_STATE_ESTABLISHED:
		return fin ? FLOW_STATE_CLOSE_WAIT : state;
	case FLOW_STATE_FIN_WAIT_1:
		if (fin)
			return covered ? FLOW_STATE_TIME_WAIT : FLOW_STATE_CLOSING;
		return covered ? FLOW_STATE_FIN_WAIT_2 : state;
	case FLOW_STATE_FIN_WAIT_2:
		return fin ? FLOW_STATE_TIME_WAIT : state;
	case FLOW_STATE_CLOSING:
		return covered ? FLOW_STATE_TIME_WAIT : state;
	case FLOW_STATE_LAST_ACK:
		return covered ? FLOW_STATE_CLOSED : state;
	default:
		return state;
	}
}

/* The state behind a segment that fits an opening connection. */
static __always_inline enum flow_state next_in_handshake(const struct packet *p,
							 const struct flow *flow, bool side)
{
	bool opening = tcp_is_opening(p->tcp_flags);

	if (flow->state == FLOW_STATE_SYN_SENT) {
		if (!side)
			return flow->state;
		return opening ? FLOW_STATE_SYN_RECEIVED : FLOW_STATE_ESTABLISHED;
	}
	return opening || !has_to_prove(flow, side) ? flow->state : FLOW_STATE_ESTABLISHED;
}

/* Where a segment that fits takes a connection (RFC 9293, section 3.3.2). */
static __always_inline enum flow_state next_state(const struct packet *p, const struct flow *flow,
						  bool side)
{
	enum flow_state state = flow->state;

	if (p->tcp_flags & TCP_RST)
		return FLOW_STATE_CLOSED;
	if (state == FLOW_STATE_SYN_SENT || state == FLOW_STATE_SYN_RECEIVED)
		state = next_in_handshake(p, flow, side);
	else if (reopens(p, flow, side))
		return flow->flags & FLOW_BY_PEER ? FLOW_STATE_SYN_RECEIVED
						  : FLOW_STATE_ESTABLISHED;
	return side ? next_from_other(p, flow, state) : next_from_opener(p, flow, state);
}

/* @scale: as in packet.scale */
static __always_inline void note_scale(struct flow *flow, bool side, __u8 scale)
{
	if (scale > FLOW_SCALE_MAX)
		return;
	flow->sides |= FLOW_SIDE_SCALES(side);
	flow->scale = side ? (flow->scale & 15) | scale << 4 : (flow->scale & 0xf0) | scale;
}

/* Begin with what a SYN, or a SYN+ACK, says of its sender. */
static __always_inline void side_open(const struct packet *p, struct flow *flow, bool side)
{
	struct flow_side *sender = &flow->side[side];
	__u8 sides = flow->sides | FLOW_SIDE_SEEN(side);

	sides &= ~(FLOW_SIDE_ACKED(side) | FLOW_SIDE_SCALES(side));
	if (p->tcp_flags & TCP_ACK)
		sides |= FLOW_SIDE_ACKED(side);
	sender->end = p->seq_end;
	sender->acked = p->ack;
	sender->window = p->window;
	flow->sides = sides;
	note_scale(flow, side, p->scale);
}

/**
 * tcp_open() - Begin a connection with its opening SYN
 * @p: the SYN
 * @flow: the connection; its state is the caller's to set
 */
static __always_inline void tcp_open(const struct packet *p, struct flow *flow)
{
	flow->sides = 0;
	side_open(p, flow, 0);
	flow->proof = p->seq + 1;
}

/* A SYN while the connection opens: the first of its end, the same again, or another attempt. */
static __always_inline void follow_syn(const struct packet *p, struct flow *flow, bool side)
{
	bool again = flow->sides & FLOW_SIDE_SEEN(side) &&
		     seq_within(p->seq + 1, flow->side[side].end - TCP_ACK_WINDOW,
				flow->side[side].end);

	if (!again && !side && tcp_is_opening(p->tcp_flags)) {
		tcp_open(p, flow);
		return;
	}
	if (!again || (p->tcp_flags & TCP_ACK && !(flow->sides & FLOW_SIDE_ACKED(side))))
		side_open(p, flow, side);
	if (!has_to_prove(flow, side))
		flow->proof = p->seq + 1;
}

/*
 * A SYN of the opener in the midst of a connection: the other end answers it by a SYN+ACK only if
 * it has forgotten the connection, too.
 */
static __always_inline void note_syn(const struct packet *p, struct flow *flow)
{
	flow->proof = p->seq + 1;
	flow->reopen_scale = p->scale;
	flow->sides |= FLOW_REOPENING;
}

static __always_inline void reopen(const struct packet *p, struct flow *flow)
{
	flow->side[0].end = flow->proof;
	flow->side[0].window = 0;
	flow->sides = FLOW_SIDE_SEEN(0);
	note_scale(flow, 0, flow->reopen_scale);
	side_open(p, flow, 1);
	if (flow->flags & FLOW_BY_PEER)
		flow->proof = p->seq + 1;
}

/* What any segment that fits, and so has an ACK, says of its sender. */
static __always_inline void count(const struct packet *p, struct flow *flow, bool side)
{
	struct flow_side *sender = &flow->side[side], *receiver = &flow->side[!side];
	__u32 window;

	if (p->frag == FRAGMENT_FIRST && !(flow->sides & FLOW_FRAGMENTED))
		flow->sides |= FLOW_FRAGMENTED;
	if (seq_before(receiver->end, p->ack))
		receiver->end = p->ack;
	if (!(flow->sides & FLOW_SIDE_SEEN(side)) || seq_before(sender->end, p->seq_end))
		sender->end = p->seq_end;
	window = window_of(p, flow, side);
	if (!(flow->sides & FLOW_SIDE_ACKED(side)) || seq_before(sender->acked, p->ack))
		sender->acked = p->ack;
	if (sender->window < window)
		sender->window = window;
	if (!(flow->sides & FLOW_SIDE_ACKED(side)))
		flow->sides |= FLOW_SIDE_SEEN(side) | FLOW_SIDE_ACKED(side);
}

/* Note what a segment that fits says of its sender; the state is still that before it. */
static __always_inline void follow(const struct packet *p, struct flow *flow, bool side)
{
	__u32 state = flow->state;

	if (p->tcp_flags & TCP_SYN &&
	    (state == FLOW_STATE_SYN_SENT || state == FLOW_STATE_SYN_RECEIVED)) {
		follow_syn(p, flow, side);
		return;
	}
	if (reopens(p, flow, side)) {
		reopen(p, flow);
		return;
	}
	count(p, flow, side);
}

/* Data or an ACK in an open connection: most segments are that, and change nothing but numbers. */
static __always_inline bool is_plain(const struct packet *p, const struct flow *flow)
{
	return flow->state == FLOW_STATE_ESTABLISHED &&
	       (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/*
 * The rest is rare, so it stands in functions of its own, which leave the way of plain segments as
 * few registers and as little stack to save as that needs.
 */

/**
 * tcp_is_stray_rst() - Whether a RST is one that its receiver would not even look at
 * @p: the RST
 * @flow: its connection
 * @side: the end that sent it, 0: the opener
 */
__noinline int tcp_is_stray_rst(const struct packet *p, const struct flow *flow, int side)
{
	return p && flow && tcp_is_legal(p->tcp_flags) && tcp_fit(p, flow, side) == TCP_OUTSIDE;
}

/**
 * tcp_advance_rare() - tcp_advance() for segments that may change the state of a connection
 * @p: the segment; its flow_state is set to the state after it
 * @flow: the connection, whose state the caller sets
 * @sender: the end that sent it, 0: the opener
 *
 * Return: whether the segment counts.
 */
__noinline int tcp_advance_rare(struct packet *p, struct flow *flow, int sender)
{
	bool side = sender; /* the verifier has to see that it is one of two */
	enum tcp_fit fit;

	if (!p || !flow)
		return false;
	p->flow_state = flow->state;
	fit = tcp_fit(p, flow, side);
	if (fit == TCP_FITS) {
		p->flow_state = next_state(p, flow, side);
		if (!config.dry_run && !(p->tcp_flags & TCP_RST))
			follow(p, flow, side);
		return true;
	}
	if (fit == TCP_OUTSIDE)
		p->out_of_window = true;
	else if (!config.dry_run && !side && tcp_is_opening(p->tcp_flags))
		note_syn(p, flow);
	return false;
}

/**
 * tcp_advance() - Take a connection to where a legal segment leads it
 * @p: the segment; its flow_state is set to the state after it, out_of_window to whether it does
 *	not fit
 * @flow: the connection; what it knows of the sender is set, but nothing in a dry run
 * @side: the end that sent it, 0: the opener
 *
 * Return: whether the segment counts.
 */
static __always_inline bool tcp_advance(struct packet *p, struct flow *flow, bool side)
{
	if (!is_plain(p, flow))
		return tcp_advance_rare(p, flow, side);
	p->flow_state = FLOW_STATE_ESTABLISHED;
	if (!in_window(p, flow, side)) {
		p->out_of_window = true;
		return false;
	}
	if (!config.dry_run)
		count(p, flow, side);
	return true;
}

#endif /* SHRIKE_TCP_TRACK_H */
