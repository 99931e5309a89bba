/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TCP state machine of a tracked connection: pure functions of state, flags and side.
 *
 * No sequence numbers are looked at, so any segment of the right addresses and ports counts.
 */
#ifndef SHRIKE_TCP_H
#define SHRIKE_TCP_H

#include "packet.h"

/**
 * tcp_is_legal() - Whether a combination of flags may advance or refresh a connection at all
 */
static __always_inline bool tcp_is_legal(__u8 flags)
{
	if (flags & TCP_SYN)
		return !(flags & (TCP_FIN | TCP_RST));
	return (flags & (TCP_RST | TCP_FIN)) != (TCP_RST | TCP_FIN);
}

/**
 * tcp_is_opening() - Whether the segment may open a connection: SYN without ACK, FIN, RST
 */
static __always_inline bool tcp_is_opening(__u8 flags)
{
	return (flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == TCP_SYN;
}

/**
 * tcp_accepts_reply() - Whether a reply is believed without asking the ACLs
 * @state: of the connection before the segment
 * @flags: of the segment, from the end that did not open the connection
 */
static __always_inline bool tcp_accepts_reply(enum flow_state state, __u8 flags)
{
	if (!tcp_is_legal(flags))
		return false;
	if (state == FLOW_STATE_SYN_SENT)
		return (flags & TCP_ACK) && (flags & (TCP_SYN | TCP_RST));
	if (flags & (TCP_ACK | TCP_RST))
		return true;
	return (flags & TCP_FIN) &&
	       (state == FLOW_STATE_FIN_WAIT_1 || state == FLOW_STATE_FIN_WAIT_2 ||
		state == FLOW_STATE_CLOSE_WAIT);
}

static __always_inline enum flow_state tcp_next_from_opener(enum flow_state state, __u8 flags)
{
	bool fin = flags & TCP_FIN, syn = flags & TCP_SYN, ack = flags & TCP_ACK;

	switch (state) {
	case FLOW_STATE_SYN_SENT:
		return syn && ack ? FLOW_STATE_SYN_RECEIVED : state;
	case FLOW_STATE_SYN_RECEIVED:
		return ack && !syn ? FLOW_STATE_ESTABLISHED : state;
	case FLOW_STATE_ESTABLISHED:
		return fin ? FLOW_STATE_FIN_WAIT_1 : state;
	case FLOW_STATE_CLOSE_WAIT:
		return fin ? FLOW_STATE_LAST_ACK : state;
	default:
		return state;
	}
}

static __always_inline enum flow_state tcp_next_from_other(enum flow_state state, __u8 flags)
{
	bool fin = flags & TCP_FIN, syn = flags & TCP_SYN, ack = flags & TCP_ACK;

	switch (state) {
	case FLOW_STATE_SYN_SENT:
		return syn && ack ? FLOW_STATE_ESTABLISHED : state;
	case FLOW_STATE_ESTABLISHED:
		return fin ? FLOW_STATE_CLOSE_WAIT : state;
	case FLOW_STATE_FIN_WAIT_1:
		if (fin)
			return ack ? FLOW_STATE_TIME_WAIT : FLOW_STATE_CLOSING;
		return ack ? FLOW_STATE_FIN_WAIT_2 : state;
	case FLOW_STATE_FIN_WAIT_2:
		return fin ? FLOW_STATE_TIME_WAIT : state;
	case FLOW_STATE_CLOSING:
		return ack ? FLOW_STATE_TIME_WAIT : state;
	case FLOW_STATE_LAST_ACK:
		return ack ? FLOW_STATE_CLOSED : state;
	default:
		return state;
	}
}

/**
 * tcp_next_state() - Where a legal segment takes a connection (RFC 9293, section 3.3.2)
 * @state: before the segment
 * @flags: of the segment
 * @from_opener: sent by the end that opened the connection
 *
 * Return: the new state; FLOW_STATE_CLOSED means that the connection is over.
 */
static __always_inline enum flow_state tcp_next_state(enum flow_state state, __u8 flags,
						      bool from_opener)
{
	if (flags & TCP_RST) {
		if (state == FLOW_STATE_TIME_WAIT || (state == FLOW_STATE_SYN_SENT && from_opener))
			return state;
		return FLOW_STATE_CLOSED;
	}
	return from_opener ? tcp_next_from_opener(state, flags) : tcp_next_from_other(state, flags);
}

#endif /* SHRIKE_TCP_H */
