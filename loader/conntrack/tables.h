/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The connection tracking tables (flow.h) as commands see them: one list of flows (flow_view.h).
 *
 * Flows past their timeout are dead to the dataplane, so they are never shown or counted, even
 * while the sweeper (sweep.h) has not removed them yet.
 */
#ifndef SHRIKE_CONNTRACK_TABLES_H
#define SHRIKE_CONNTRACK_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/flow_view.h"
#include "flow.h"
#include "kernel/map_set.h"

/* Protocols with ports, ICMP and all others; families; tiers. */
#define CONNTRACK_TABLES ((PORT_PROTOCOL_MAX + 2) * 2 * 3)

/* What is fixed about one of the tables, see FLOW_TABLES. */
struct conntrack_map {
	const char *name; /* of the BPF map, and of its pin */
	uint8_t l4_proto; /* 6, 17, 1, 58 or CONNTRACK_OTHER */
	uint8_t ip_version;
	bool confirmed;
	bool own; /* unconfirmed: openings of this host, else of peers */
};

extern const struct conntrack_map conntrack_maps[CONNTRACK_TABLES];

struct conntrack_table {
	int fd;
	uint8_t l4_proto; /* 6, 17, 1, 58 or CONNTRACK_OTHER */
	uint8_t ip_version;
	bool confirmed;
	uint32_t max_entries;
};

/* The tables that exist, opened by the caller; in the order of conntrack_maps. */
struct conntrack {
	struct conntrack_table tables[CONNTRACK_TABLES];
	size_t n;
};

struct filter;

typedef int (*flow_visit)(void *arg, const struct flow_view *view);

void conntrack_table_init(struct conntrack_table *table, const struct conntrack_map *map, int fd,
			  uint32_t max_entries);
int conntrack_open(const struct map_set *maps, struct conntrack *conntrack, struct error *error);
uint32_t conntrack_key_size(const struct conntrack_table *table);
void conntrack_opener(const struct conntrack_table *table, const void *key, const struct flow *flow,
		      union addr *addr);
size_t conntrack_confirmed(const struct conntrack *conntrack, uint8_t l4_proto, uint8_t ip_version);
void conntrack_view(struct flow_view *view, const struct conntrack_table *table, const void *key,
		    const struct flow *flow, const struct flow_clock *clock);
int conntrack_walk(const struct conntrack *conntrack, const struct flow_clock *clock,
		   const struct filter *filter, flow_visit visit, void *arg, struct error *error);
int conntrack_count(const struct conntrack *conntrack, const struct flow_clock *clock,
		    const struct filter *filter, uint64_t *count, struct error *error);
int conntrack_flush(const struct conntrack *conntrack, const struct flow_clock *clock,
		    const struct filter *filter, uint64_t *flushed, struct error *error);

#endif /* SHRIKE_CONNTRACK_TABLES_H */
