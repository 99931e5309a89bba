/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/flow_id.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>

#include "conntrack/tables.h"

/* What the id is made of: the opener comes first, for ICMP the identifier and no second port. */
struct identity {
	union addr addr[2];
	__be16 port[2];
	uint8_t l4_proto;
	uint64_t born_ns;
};

static uint64_t hash(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ byte[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return sum;
}

static uint64_t id_of(const struct identity *flow)
{
	uint64_t sum = hash(UINT64_C(0xcbf29ce484222325), flow->addr, sizeof(flow->addr));

	sum = hash(sum, flow->port, sizeof(flow->port));
	sum = hash(sum, &flow->l4_proto, sizeof(flow->l4_proto));
	return hash(sum, &flow->born_ns, sizeof(flow->born_ns));
}

/**
 * flow_event_id() - A number that start and end of a flow share, and others hardly
 */
uint64_t flow_event_id(const struct flow_event *event)
{
	const struct identity flow = {
		.addr = {event->addr[0], event->addr[1]},
		.port = {event->port[0], event->port[1]},
		.l4_proto = event->l4_proto,
		.born_ns = event->type == FLOW_EVENT_DROP ? event->time_ns : event->created_ns,
	};

	return id_of(&flow);
}

/**
 * flow_view_id() - The same number for a flow of the tables
 */
uint64_t flow_view_id(const struct flow_view *view)
{
	bool is_icmp = view->state == FLOW_STATE_ICMP;
	const struct identity flow = {
		.addr = {view->addr[0], view->addr[1]},
		.port = {htons(is_icmp ? view->icmp_id : view->port[0]), htons(view->port[1])},
		.l4_proto = view->l4_proto,
		.born_ns = view->flow->created_ns,
	};

	return id_of(&flow);
}

/**
 * flow_id_text() - An id as it is printed
 * @id: the id
 * @text: is filled
 *
 * Return: @text.
 */
const char *flow_id_text(uint64_t id, char text[FLOW_ID_LEN])
{
	for (int i = FLOW_ID_LEN - 2; i >= 0; i--, id >>= 4)
		text[i] = "0123456789abcdef"[id & 0xf];
	text[FLOW_ID_LEN - 1] = '\0';
	return text;
}

/* Likewise, and set the key that it was found by. */
static bool find(const struct map_set *maps, const struct tuple *tuple, uint64_t created_ns,
		 struct flow_key *key, struct flow *flow)
{
	uint8_t l4_proto = flow_table_protocol(tuple->l4_proto, tuple->ip_version);

	flow_key_of(key, tuple);
	for (int i = 0; i < CONNTRACK_TABLES; i++) {
		const struct conntrack_map *map = &conntrack_maps[i];
		struct flow found;

		if (map->ip_version != tuple->ip_version || map->l4_proto != l4_proto ||
		    bpf_map_lookup_elem(map_set_fd(maps, map->name), key, &found) ||
		    (created_ns && found.created_ns != created_ns))
			continue;
		*flow = found;
		return true;
	}
	return false;
}

/**
 * flow_find() - The entry of a flow
 * @maps: of the generation in force
 * @tuple: of either end's packets
 * @created_ns: of the flow; 0: any that has the tuple
 * @flow: set to the entry
 *
 * Openings first: one that is confirmed meanwhile is in both tables for a moment.
 *
 * Return: whether there is one.
 */
bool flow_find(const struct map_set *maps, const struct tuple *tuple, uint64_t created_ns,
	       struct flow *flow)
{
	struct flow_key key;

	return find(maps, tuple, created_ns, &key, flow);
}

/**
 * flow_find_id() - The id of the flow that a packet belongs to
 * @maps: of the generation in force
 * @tuple: of the packet, as the tables have it
 * @time_ns: of the packet, CLOCK_MONOTONIC: the flow is not younger
 * @id: set to the id
 *
 * Return: whether there is one.
 */
bool flow_find_id(const struct map_set *maps, const struct tuple *tuple, uint64_t time_ns,
		  uint64_t *id)
{
	bool is_icmp = l4_is_icmp(tuple->l4_proto, tuple->ip_version);
	bool has_ports = l4_has_ports(tuple->l4_proto), by_opener;
	struct identity identity = {.l4_proto = tuple->l4_proto};
	struct flow_key key;
	struct flow flow;

	if (!find(maps, tuple, 0, &key, &flow) || flow.created_ns > time_ns)
		return false;
	by_opener = key.source == flow.opener;
	identity.addr[!by_opener] = tuple->saddr;
	identity.addr[by_opener] = tuple->daddr;
	if (is_icmp)
		identity.port[0] = tuple->sport;
	if (has_ports) {
		identity.port[!by_opener] = tuple->sport;
		identity.port[by_opener] = tuple->dport;
	}
	identity.born_ns = flow.created_ns;
	*id = id_of(&identity);
	return true;
}
