/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Routing by NAT: which port of the uplink a flow gets, and who gives one up.
 */
#include <arpa/inet.h>
#include <string.h>

#include "model/way.h"

#define TRIES 32 /* ports that are looked at for a flow, beside its own */

/* Ports that flows may have: one range that the policy names, or what the kernel leaves alone. */
static size_t port_ranges(const struct model *model, uint16_t ranges[2][2])
{
	const struct port_range *wanted = &model->policy->uplinks.ports;
	static const uint16_t usual[2][2] = {{1024, 32767}, {61000, 65535}};

	memcpy(ranges, usual, sizeof(usual));
	if (!wanted->first)
		return 2;
	ranges[0][0] = wanted->first;
	ranges[0][1] = wanted->last;
	return 1;
}

/**
 * model_is_port() - Whether flows may have a port of the uplink
 */
bool model_is_port(const struct model *model, uint16_t port)
{
	uint16_t ranges[2][2];
	size_t n = port_ranges(model, ranges);

	for (size_t i = 0; i < n; i++)
		if (port >= ranges[i][0] && port <= ranges[i][1])
			return true;
	return false;
}

/* The order in which a peer's ports are tried: see bpf/masquerade.bpf.c, which spreads them so. */
static uint16_t port_tried(const struct model *model, const struct model_packet *p,
			   uint16_t peer_port, uint32_t try)
{
	uint32_t hash = ((uint32_t)htons(peer_port) << 16 | p->proto) + try * 0x9e3779b9, all = 0;
	uint16_t ranges[2][2];
	size_t n = port_ranges(model, ranges);

	for (int i = 0; i < 4; i++) {
		hash ^= p->src.word[i];
		hash ^= hash >> 16;
		hash *= 0x85ebca6b;
		hash ^= hash >> 13;
		hash *= 0xc2b2ae35;
		hash ^= hash >> 16;
	}
	for (size_t i = 0; i < n; i++)
		all += ranges[i][1] - ranges[i][0] + 1;
	hash %= all;
	for (size_t i = 0; i + 1 < n; i++) {
		uint32_t in_range = ranges[i][1] - ranges[i][0] + 1;

		if (hash >= in_range) {
			hash -= in_range;
			continue;
		}
		return ranges[i][0] + hash;
	}
	return ranges[n - 1][0] + hash;
}

/**
 * model_is_free() - Whether a port is free for a flow, or has led to it all the time
 * @held: who has it, NULL: nobody
 * @opener: the packet that opened the flow
 */
bool model_is_free(const struct model_snat *held, const struct model_tuple *opener)
{
	return !held ||
	       (held->peer_port == opener->sport && model_addr_same(&held->peer, &opener->src));
}

/* Whether the flow that has a port is over, or need not be, so that it gives it up; it ends if so. */
static bool gives_way(struct model_way *way, const struct model_snat *held, bool in_use)
{
	struct model_flows *flows = &way->model->flows;
	struct model_tuple holder = {
		.src = held->peer,
		.dst = held->remote,
		.sport = held->peer_port,
		.dport = held->remote_port,
		.version = held->version,
		.proto = held->proto,
	};
	bool from_opener;
	struct model_flow *flow = model_flow_find(flows, &way->model->policy->timeouts, &holder,
						  way->now_ns, &from_opener);

	if (!flow)
		return true;
	if (!in_use && flow->state != FLOW_STATE_TIME_WAIT && flow->state != FLOW_STATE_CLOSED)
		return false;
	model_flow_remove(flows, flow);
	return true;
}

/* A port for a flow, 0 where the protocol has none; -1: there is none. */
static int find_port(struct model_way *way, const struct model_tuple *opener)
{
	struct model *model = way->model;

	if (model_is_by_address(opener->proto))
		return model_is_free(model_snat_find(&model->flows, opener, 0), opener) ? 0 : -1;
	if (model_is_port(model, opener->sport) &&
	    model_is_free(model_snat_find(&model->flows, opener, opener->sport), opener))
		return opener->sport;
	for (uint32_t try = 0; try < TRIES; try++) {
		uint16_t port = port_tried(model, way->p, opener->sport, try);

		if (model_is_free(model_snat_find(&model->flows, opener, port), opener))
			return port;
	}
	return -1;
}

/* Who has a port that is tried for a flow; NULL: nobody, or there is no such try. */
static const struct model_snat *holder_of(struct model_way *way, const struct model_tuple *opener,
					  uint32_t try)
{
	bool by_address = model_is_by_address(opener->proto);
	uint16_t port = by_address ? 0 : port_tried(way->model, way->p, opener->sport, try);

	if (by_address && try)
		return NULL;
	return model_snat_find(&way->model->flows, opener, port);
}

/* At how many tries a peer is met. */
static uint32_t count_held(struct model_way *way, const struct model_tuple *opener,
			   const union addr *peer)
{
	uint32_t n = 0;

	for (uint32_t try = 0; try < TRIES; try++) {
		const struct model_snat *held = holder_of(way, opener, try);

		n += held && model_addr_same(&held->peer, peer);
	}
	return n;
}

/* A peer that has more than half of what is tried, and twice what the asking one has, loses a flow. */
static bool take_share(struct model_way *way, const struct model_tuple *opener)
{
	uint32_t own = count_held(way, opener, &opener->src);

	for (uint32_t try = TRIES; try-- > 0;) {
		const struct model_snat *held = holder_of(way, opener, try);
		uint32_t n = held ? count_held(way, opener, &held->peer) : 0;

		if (n > TRIES / 2)
			return n > 2 * own && gives_way(way, held, true);
	}
	return false;
}

/**
 * model_make_port() - A port of the uplink for a flow, which another one may have to give up
 * @way: the packet that opened the flow
 * @opener: the same, as it arrived
 *
 * Return: the port, 0 where the protocol has none; -1: there is none.
 */
int model_make_port(struct model_way *way, const struct model_tuple *opener)
{
	int port = find_port(way, opener);

	for (uint32_t try = 0; try < TRIES && port < 0; try++) {
		const struct model_snat *held = holder_of(way, opener, try);

		if (held && gives_way(way, held, false))
			port = find_port(way, opener);
	}
	if (port < 0 && take_share(way, opener))
		port = find_port(way, opener);
	return port;
}
