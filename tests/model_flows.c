/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model_flows.h"

#include <stdlib.h>
#include <string.h>

#include "model_packet.h"

static uint64_t timeout_ns(const struct policy_timeouts *limits, enum flow_state state)
{
	switch (state) {
	case FLOW_STATE_ESTABLISHED:
		return limits->tcp_established;
	case FLOW_STATE_FIN_WAIT_1:
	case FLOW_STATE_FIN_WAIT_2:
	case FLOW_STATE_CLOSING:
		return limits->tcp_fin_wait;
	case FLOW_STATE_TIME_WAIT:
		return limits->tcp_time_wait;
	case FLOW_STATE_CLOSE_WAIT:
		return limits->tcp_close_wait;
	case FLOW_STATE_LAST_ACK:
		return limits->tcp_last_ack;
	case FLOW_STATE_UDP:
		return limits->udp;
	case FLOW_STATE_ICMP:
		return limits->icmp;
	default:
		return limits->tcp_handshake;
	}
}

static bool goes(const union addr *src, const union addr *dst, const struct model_tuple *tuple)
{
	return model_addr_same(&tuple->src, src) && model_addr_same(&tuple->dst, dst);
}

/* A packet of the opener looks like the one that opened the flow. */
static bool same_way(const struct model_tuple *opener, const struct model_tuple *tuple)
{
	return goes(&opener->src, &opener->dst, tuple) && tuple->sport == opener->sport &&
	       tuple->dport == opener->dport && !tuple->echo_reply;
}

/*
 * A packet of the other end; to an echo request, only a reply is one.  Nobody answers himself over
 * an interface.
 */
static bool other_way(const struct model_tuple *opener, const struct model_tuple *tuple)
{
	bool is_icmp = tuple->proto != TCP && tuple->proto != UDP;

	if (!goes(&opener->dst, &opener->src, tuple))
		return false;
	if (is_icmp)
		return tuple->echo_reply && tuple->sport == opener->sport &&
		       !model_addr_same(&tuple->src, &tuple->dst);
	return tuple->sport == opener->dport && tuple->dport == opener->sport;
}

/**
 * model_flow_find() - The live flow that a packet is of
 * @flows: all flows; one that has expired is removed when it is looked for
 * @limits: timeouts in force
 * @tuple: the packet
 * @now_ns: the time
 * @from_opener: set where there is one: the packet goes the way of the one that opened it
 *
 * Return: the flow, valid until the next addition or removal; NULL for none.
 */
struct model_flow *model_flow_find(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener)
{
	for (size_t i = 0; i < flows->n; i++) {
		struct model_flow *flow = &flows->list[i];

		if (flow->opener.version != tuple->version || flow->opener.proto != tuple->proto)
			continue;
		if (same_way(&flow->opener, tuple))
			*from_opener = true;
		else if (other_way(&flow->opener, tuple))
			*from_opener = false;
		else
			continue;
		if (now_ns - flow->seen_ns <= timeout_ns(limits, flow->state))
			return flow;
		model_flow_remove(flows, flow);
		return NULL;
	}
	return NULL;
}

/**
 * model_flow_add() - Add a flow; the process ends where memory is out
 */
struct model_flow *model_flow_add(struct model_flows *flows, const struct model_flow *flow)
{
	struct model_flow *list = realloc(flows->list, (flows->n + 1) * sizeof(*list));

	if (!list)
		abort();
	flows->list = list;
	list[flows->n] = *flow;
	return &list[flows->n++];
}

/**
 * model_flow_remove() - Remove a flow of the list
 */
void model_flow_remove(struct model_flows *flows, struct model_flow *flow)
{
	*flow = flows->list[--flows->n];
}

/**
 * model_tcp_is_legal() - No more than one of SYN, FIN and RST
 */
bool model_tcp_is_legal(uint8_t flags)
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
 * model_tcp_is_answer() - Whether a segment of the other end is believed to be of the connection
 * @state: of the connection
 * @flags: of the segment
 */
bool model_tcp_is_answer(enum flow_state state, uint8_t flags)
{
	if (!model_tcp_is_legal(flags))
		return false;
	if (state == FLOW_STATE_SYN_SENT)
		return flags & ACK && flags & (SYN | RST);
	if (flags & FIN && !(flags & ACK))
		return state == FLOW_STATE_FIN_WAIT_1 || state == FLOW_STATE_FIN_WAIT_2 ||
		       state == FLOW_STATE_CLOSE_WAIT;
	return flags & (ACK | RST);
}

/* A row for each transition: the state, who sends, flags that are set, flags that are not. */
static const struct transition {
	enum flow_state from;
	bool opener;
	uint8_t set;
	uint8_t clear;
	enum flow_state to;
} transitions[] = {
	{FLOW_STATE_SYN_SENT, false, SYN | ACK, 0, FLOW_STATE_ESTABLISHED},
	{FLOW_STATE_SYN_SENT, true, SYN | ACK, 0, FLOW_STATE_SYN_RECEIVED},
	{FLOW_STATE_SYN_RECEIVED, true, ACK, SYN, FLOW_STATE_ESTABLISHED},
	{FLOW_STATE_ESTABLISHED, true, FIN, 0, FLOW_STATE_FIN_WAIT_1},
	{FLOW_STATE_ESTABLISHED, false, FIN, 0, FLOW_STATE_CLOSE_WAIT},
	{FLOW_STATE_FIN_WAIT_1, false, FIN | ACK, 0, FLOW_STATE_TIME_WAIT},
	{FLOW_STATE_FIN_WAIT_1, false, FIN, ACK, FLOW_STATE_CLOSING},
	{FLOW_STATE_FIN_WAIT_1, false, ACK, FIN, FLOW_STATE_FIN_WAIT_2},
	{FLOW_STATE_FIN_WAIT_2, false, FIN, 0, FLOW_STATE_TIME_WAIT},
	{FLOW_STATE_CLOSING, false, ACK, 0, FLOW_STATE_TIME_WAIT},
	{FLOW_STATE_CLOSE_WAIT, true, FIN, 0, FLOW_STATE_LAST_ACK},
	{FLOW_STATE_LAST_ACK, false, ACK, 0, FLOW_STATE_CLOSED},
};

/**
 * model_tcp_next() - Where a legal segment takes a connection
 * @state: of the connection
 * @flags: of the segment
 * @from_opener: who sent it
 */
enum flow_state model_tcp_next(enum flow_state state, uint8_t flags, bool from_opener)
{
	if (flags & RST) {
		bool ignored = state == FLOW_STATE_TIME_WAIT ||
			       (state == FLOW_STATE_SYN_SENT && from_opener);

		return ignored ? state : FLOW_STATE_CLOSED;
	}
	for (size_t i = 0; i < sizeof(transitions) / sizeof(*transitions); i++) {
		const struct transition *t = &transitions[i];

		if (t->from == state && t->opener == from_opener && (flags & t->set) == t->set &&
		    !(flags & t->clear))
			return t->to;
	}
	return state;
}
