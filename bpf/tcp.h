/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flags of a TCP segment say to a connection; sequence numbers are for tcp_track.h.
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
 * tcp_is_closing() - Whether an end has closed or reset, so that an opening SYN begins anew
 */
static __always_inline bool tcp_is_closing(__u32 state)
{
	return state >= FLOW_STATE_FIN_WAIT_1 && state <= FLOW_STATE_CLOSED;
}

/**
 * tcp_accepts_reply() - Whether the flags of a reply are believed without asking the ACLs
 * @p: the segment, from the end that did not open the connection
 * @flow: the connection before it
 *
 * In syn_sent a challenge ACK (RFC 5961, section 4) and the SYN of a simultaneous open are, too,
 * unless they repeat the number of our SYN: then they reflect it.
 */
static __always_inline bool tcp_accepts_reply(const struct packet *p, const struct flow *flow)
{
	__u8 flags = p->tcp_flags;

	if (!tcp_is_legal(flags))
		return false;
	if (flow->state == FLOW_STATE_SYN_SENT) {
		if (flags & (TCP_RST | TCP_FIN))
			return flags & TCP_RST && flags & TCP_ACK;
		return (flags & TCP_SYN && flags & TCP_ACK) ||
		       (flags & (TCP_SYN | TCP_ACK) && p->seq + 1 != flow->proof);
	}
	if (flags & (TCP_ACK | TCP_RST))
		return true;
	if (flags & TCP_SYN)
		return flow->state == FLOW_STATE_SYN_RECEIVED && !(flow->flags & FLOW_BY_PEER);
	return (flags & TCP_FIN) &&
	       (flow->state == FLOW_STATE_FIN_WAIT_1 || flow->state == FLOW_STATE_FIN_WAIT_2 ||
		flow->state == FLOW_STATE_CLOSE_WAIT);
}

#endif /* SHRIKE_TCP_H */
