/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves over the connection tables: which table, which key, find, insert, move, delete.
 *
 * Included by conntrack.bpf.c alone, which owns the maps.
 */
#ifndef SHRIKE_FLOW_TABLE_H
#define SHRIKE_FLOW_TABLE_H

#include "packet.h"

#include "flow_event.h"
#include "table_scan.h"

#define MAP_TYPE_NEW	   BPF_MAP_TYPE_LRU_HASH
#define MAP_TYPE_OWN	   BPF_MAP_TYPE_LRU_HASH
#define MAP_TYPE_CONFIRMED BPF_MAP_TYPE_HASH
#define TABLE(name, l4_proto, ip_version, tier)                                                    \
	struct {                                                                                   \
		__uint(type, MAP_TYPE_##tier);                                                     \
		__uint(max_entries, 1);                                                            \
		__type(key, struct flow_key##ip_version);                                          \
		__type(value, struct flow);                                                        \
	} name SEC(".maps");
FLOW_TABLES(TABLE)
#undef TABLE

/*
 * Room beside the stack, of which a chain of calls has 512 bytes.  Programs on one CPU do not
 * interrupt each other: those of hooks run with softirqs off, and test runs have maps of their own.
 */
struct flow_scratch {
	struct flow_key6 key;
	struct flow flow;
	union addr asker;	 /* see flow_room.h */
	struct flow_key judged;	 /* see conntrack_judged() */
	struct flow_event event; /* see flow_report.h */
	struct table_scan scan;	 /* also of other tables */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_scratch);
} ct_scratch_v2 SEC(".maps");

static __always_inline struct flow_scratch *flow_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ct_scratch_v2, &zero);
}

static __always_inline void key_of_packet(struct flow_key *key, const struct packet *p)
{
	struct tuple tuple = {
		.saddr = p->saddr,
		.daddr = p->daddr,
		.sport = p->sport,
		.dport = p->dport,
		.ip_version = p->ip_version,
		.l4_proto = p->l4_proto,
		.is_echo_reply = is_icmp(p) && !icmp_is_request(p),
	};

	flow_key_of(key, &tuple);
}

/* TABLE(number, map): the tables of a tier; that of other protocols has a name of its own. */
#define TABLES_OF_TIER(TABLE, tier, other)                                                         \
	TABLE(0, ct_tcp4##tier##_v2)                                                               \
	TABLE(1, ct_udp4##tier##_v2)                                                               \
	TABLE(2, ct_icmp4##tier##_v2)                                                              \
	TABLE(3, ct_##other##4##tier##_v1)                                                         \
	TABLE(4, ct_tcp6##tier##_v2)                                                               \
	TABLE(5, ct_udp6##tier##_v2)                                                               \
	TABLE(6, ct_icmp6##tier##_v2)                                                              \
	TABLE(7, ct_##other##6##tier##_v1)

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports has a table in TABLES_OF_TIER");

static __always_inline __u32 flow_table_number(const struct flow_key *key)
{
	__u32 number = key->ip_version == IP_VERSION_4 ? 0 : 4;

	if (key->l4_proto == IPPROTO_TCP)
		return number;
	if (key->l4_proto == IPPROTO_UDP)
		return number + 1;
	return number + (l4_is_icmp(key->l4_proto, key->ip_version) ? 2 : 3);
}

/*
 * Lookups and insertions have a call site for each map: where the verifier knows the map, Linux
 * calls its operation without an indirect branch.  Clang would merge the calls, unless each is
 * followed by assembly that differs; by an instruction, as line information without one does not
 * load.
 */
#define FLOW_CALL_SITE(result, map) asm volatile("%0 = %0 // " #map : "+r"(result))

#define FLOW_LOOKUP(number, map)                                                                   \
	case number:                                                                               \
		flow = bpf_map_lookup_elem(&map, &key->v6);                                        \
		FLOW_CALL_SITE(flow, map);                                                         \
		break;

#define FLOW_INSERT(number, map)                                                                   \
	case number:                                                                               \
		err = bpf_map_update_elem(&map, &key->v6, flow, BPF_ANY);                          \
		FLOW_CALL_SITE(err, map);                                                          \
		break;

#define FLOW_MAP(number, map)                                                                      \
	case number:                                                                               \
		return &map;

/* The tier that a flow is in. */
enum flow_tier {
	FLOW_TIER_CONFIRMED,
	FLOW_TIER_NEW, /* openings of peers */
	FLOW_TIER_OWN, /* openings of this host */
};

static __always_inline enum flow_tier flow_tier(const struct flow *flow)
{
	if (flow->flags & FLOW_CONFIRMED)
		return FLOW_TIER_CONFIRMED;
	return flow->flags & FLOW_BY_PEER ? FLOW_TIER_NEW : FLOW_TIER_OWN;
}

/* The table of a key in a tier. */
static __always_inline void *flow_table(const struct flow_key *key, enum flow_tier tier)
{
	__u32 table = flow_table_number(key);

	if (tier == FLOW_TIER_CONFIRMED) {
		switch (table) {
			TABLES_OF_TIER(FLOW_MAP, , other)
		}
	} else if (tier == FLOW_TIER_NEW) {
		switch (table) {
			TABLES_OF_TIER(FLOW_MAP, _new, othr)
		}
	} else {
		switch (table) {
			TABLES_OF_TIER(FLOW_MAP, _own, othr)
		}
	}
	return NULL; /* never: there are eight */
}

/**
 * flow_find() - The flow of a key, expired or not, from whichever tier
 */
static __always_inline struct flow *flow_find(const struct flow_key *key)
{
	__u32 table = flow_table_number(key);
	struct flow *flow = NULL;

	switch (table) {
		TABLES_OF_TIER(FLOW_LOOKUP, , other)
	}
	if (flow)
		return flow;
	switch (table) {
		TABLES_OF_TIER(FLOW_LOOKUP, _new, othr)
	}
	if (flow)
		return flow;
	switch (table) {
		TABLES_OF_TIER(FLOW_LOOKUP, _own, othr)
	}
	return flow;
}

/**
 * flow_insert() - Put a new flow into the tier of its opener; an existing one is replaced
 * @key: of the flow
 * @flow: the flow, in the scratch
 * @by_peer: a peer has opened it
 */
static __always_inline void flow_insert(const struct flow_key *key, const struct flow *flow,
					bool by_peer)
{
	long err;

	if (by_peer) {
		switch (flow_table_number(key)) {
			TABLES_OF_TIER(FLOW_INSERT, _new, othr)
		}
	} else {
		switch (flow_table_number(key)) {
			TABLES_OF_TIER(FLOW_INSERT, _own, othr)
		}
	}
}

#endif /* SHRIKE_FLOW_TABLE_H */
