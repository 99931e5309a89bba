/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/flows.h"

#include <stdlib.h>
#include <string.h>

#include "model/packet.h"

static uint64_t timeout_ns(const struct policy_timeouts *limits, enum flow_state state)
{
	switch (state) {
	case FLOW_STATE_SYN_SENT:
	case FLOW_STATE_SYN_RECEIVED:
		return limits->tcp_handshake;
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
	case FLOW_STATE_UDP_STREAM:
		return limits->udp_stream;
	case FLOW_STATE_ICMP:
		return limits->icmp;
	case FLOW_STATE_OTHER:
		return limits->other;
	case FLOW_STATE_CLOSED:
		return FLOW_CLOSED_NS;
	case FLOW_STATE_NONE:
	case FLOW_STATE_MAX:
		break;
	}
	abort(); /* no flow has that state */
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
	bool is_icmp = tuple->proto == (tuple->version == 4 ? ICMP4 : ICMP6);

	if (!goes(&opener->dst, &opener->src, tuple))
		return false;
	if (is_icmp)
		return tuple->echo_reply && tuple->sport == opener->sport &&
		       !model_addr_same(&tuple->src, &tuple->dst);
	return tuple->sport == opener->dport && tuple->dport == opener->sport;
}

static struct model_flow *find(struct model_flows *flows, const struct model_tuple *tuple,
			       bool *from_opener)
{
	for (size_t i = 0; i < flows->n; i++) {
		struct model_flow *flow = &flows->list[i];

		if (flow->opener.version != tuple->version || flow->opener.proto != tuple->proto)
			continue;
		*from_opener = same_way(&flow->opener, tuple);
		if (*from_opener || other_way(&flow->opener, tuple))
			return flow;
	}
	return NULL;
}

/**
 * model_flow_peek() - As model_flow_find(), but one that has expired stays
 */
struct model_flow *model_flow_peek(struct model_flows *flows, const struct policy_timeouts *limits,
				   const struct model_tuple *tuple, uint64_t now_ns,
				   bool *from_opener)
{
	struct model_flow *flow = find(flows, tuple, from_opener);

	return flow && now_ns - flow->seen_ns <= timeout_ns(limits, flow->state) ? flow : NULL;
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
	struct model_flow *flow = find(flows, tuple, from_opener);

	if (!flow || now_ns - flow->seen_ns <= timeout_ns(limits, flow->state))
		return flow;
	model_flow_remove(flows, flow);
	return NULL;
}

/**
 * model_flow_of() - The flow that packets like this one have opened, expired or not; NULL for none
 */
struct model_flow *model_flow_of(struct model_flows *flows, const struct model_tuple *tuple)
{
	bool from_opener = false;
	struct model_flow *flow = find(flows, tuple, &from_opener);

	return from_opener ? flow : NULL;
}

/**
 * model_snat_find() - Who has a port of the uplink for a remote end; NULL: nobody
 * @flows: where that is
 * @opener: a packet to the remote end
 * @port: of the uplink
 */
struct model_snat *model_snat_find(struct model_flows *flows, const struct model_tuple *opener,
				   uint16_t port)
{
	for (size_t i = 0; i < flows->n_snat; i++) {
		struct model_snat *snat = &flows->snat[i];

		if (snat->version == opener->version && snat->proto == opener->proto &&
		    snat->port == port && snat->remote_port == opener->dport &&
		    model_addr_same(&snat->remote, &opener->dst))
			return snat;
	}
	return NULL;
}

/**
 * model_snat_add() - A peer gets a port of the uplink; the process ends where memory is out
 */
void model_snat_add(struct model_flows *flows, const struct model_snat *snat)
{
	struct model_snat *list = realloc(flows->snat, (flows->n_snat + 1) * sizeof(*list));

	if (!list)
		abort();
	flows->snat = list;
	list[flows->n_snat++] = *snat;
}

/* A flow that ends gives up its port. */
static void snat_remove(struct model_flows *flows, const struct model_flow *flow)
{
	struct model_snat *snat = NULL;

	if (flow->translated)
		snat = model_snat_find(flows, &flow->opener, flow->snat_port);
	if (snat && snat->peer_port == flow->opener.sport &&
	    model_addr_same(&snat->peer, &flow->opener.src))
		*snat = flows->snat[--flows->n_snat];
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
	snat_remove(flows, flow);
	*flow = flows->list[--flows->n];
}

/**
 * model_served_find() - What is noted of a peer's datagrams to a port
 * @flows: where the notes are
 * @peer: such a datagram
 *
 * Return: the note, valid until the next one; NULL for none.
 */
struct model_served *model_served_find(struct model_flows *flows, const struct model_tuple *peer)
{
	for (size_t i = 0; i < flows->n_served; i++) {
		struct model_served *served = &flows->served[i];

		if (served->peer.version == peer->version && served->peer.proto == peer->proto &&
		    served->peer.dport == peer->dport &&
		    goes(&served->peer.src, &served->peer.dst, peer))
			return served;
	}
	return NULL;
}

/**
 * model_served_note() - Note that a rule has let a peer's datagram to a port
 * @flows: where the notes are
 * @served: replaces what is noted of it
 */
void model_served_note(struct model_flows *flows, const struct model_served *served)
{
	struct model_served *known = model_served_find(flows, &served->peer);
	struct model_served *list;

	if (known) {
		*known = *served;
		return;
	}
	list = realloc(flows->served, (flows->n_served + 1) * sizeof(*list));
	if (!list)
		abort();
	flows->served = list;
	list[flows->n_served++] = *served;
}
