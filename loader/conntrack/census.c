/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/census.h"

#include <netinet/in.h>
#include <string.h>

#include "base/names.h"

static int count_state(void *arg, const struct flow_view *view)
{
	uint64_t *states = arg;

	states[view->state]++;
	return 0;
}

/**
 * census_take() - Count the flows that are alive
 * @maps: of the generation in force
 * @clock: now and the timeouts
 * @census: is filled
 * @error: set on failure
 *
 * Reads each table once.
 *
 * Return: 0 or -errno.
 */
int census_take(const struct map_set *maps, const struct flow_clock *clock, struct census *census,
		struct error *error)
{
	struct conntrack one = {.n = 1};
	int err = conntrack_open(maps, &census->conntrack, error);

	memset(census->flows, 0, sizeof(census->flows));
	for (size_t i = 0; !err && i < census->conntrack.n; i++) {
		one.tables[0] = census->conntrack.tables[i];
		err = conntrack_walk(&one, clock, NULL, count_state, census->flows[i], error);
	}
	return err;
}

/**
 * census_tables() - How many entries each table holds, and how many it may hold
 *
 * Return: a new object, NULL without memory.
 */
json_t *census_tables(const struct census *census)
{
	json_t *object = json_object();

	for (size_t i = 0; i < census->conntrack.n; i++) {
		json_int_t entries = 0, max = census->conntrack.tables[i].max_entries;

		for (int state = 0; state < FLOW_STATE_MAX; state++)
			entries += census->flows[i][state];
		json_object_set_new(object, conntrack_maps[i].name,
				    json_pack("{s:I,s:I}", "entries", entries, "max_entries", max));
	}
	return object;
}

/* The states that flows of a table's protocol may have, whether any has or not. */
static bool is_state_of(uint8_t l4_proto, enum flow_state state)
{
	switch (state) {
	case FLOW_STATE_NONE:
		return false;
	case FLOW_STATE_UDP:
	case FLOW_STATE_UDP_STREAM:
		return l4_proto == IPPROTO_UDP;
	case FLOW_STATE_ICMP:
		return l4_proto == IPPROTO_ICMP || l4_proto == IPPROTO_ICMPV6;
	case FLOW_STATE_OTHER:
		return l4_proto == CONNTRACK_OTHER;
	default:
		return l4_proto == IPPROTO_TCP;
	}
}

/* The object under a key, which is made where there is none. */
static json_t *member(json_t *object, const char *key)
{
	json_t *found = json_object_get(object, key);

	if (found)
		return found;
	json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

/**
 * census_states() - How many flows there are, by protocol, IP version and state
 *
 * States that a protocol's flows may have are there with 0, too.
 *
 * Return: a new object, NULL without memory.
 */
json_t *census_states(const struct census *census)
{
	json_t *all = json_object();

	for (size_t i = 0; i < census->conntrack.n; i++) {
		const struct conntrack_table *table = &census->conntrack.tables[i];
		bool is_other = table->l4_proto == CONNTRACK_OTHER;
		char number[FLOW_PROTOCOL_NUMBER];
		json_t *states = member(
			member(all, is_other ? flow_state_name(FLOW_STATE_OTHER)
					     : flow_protocol_name(table->l4_proto,
								  table->ip_version, number)),
			table->ip_version == IP_VERSION_4 ? "4" : "6");

		for (int state = 0; state < FLOW_STATE_MAX; state++) {
			const char *name = flow_state_name(state);
			json_int_t sum = json_integer_value(json_object_get(states, name)) +
					 census->flows[i][state];

			if (sum || is_state_of(table->l4_proto, state))
				json_object_set_new(states, name, json_integer(sum));
		}
	}
	return all;
}
