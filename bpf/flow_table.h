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

struct flow_key {
	union {
		struct flow_key4 v4;
		struct flow_key6 v6;
	};
	__u8 ip_version;
	__u8 l4_proto;
	__u8 source; /* the end, 0 or 1, that sent the packet */
};

/*
 * Room beside the stack, of which a chain of calls has 512 bytes.  Programs on one CPU do not
 * interrupt each other: those of hooks run with softirqs off, and test runs have maps of their own.
 */
struct flow_scratch {
	struct flow_key6 key;
	struct flow flow;
	union addr asker;	 /* see flow_room.h */
	struct flow_key judged;	 /* see conntrack_judged() */
	struct flow_event event; /* see flow_tell.h */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_scratch);
} ct_scratch_v1 SEC(".maps");

static __always_inline struct flow_scratch *flow_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ct_scratch_v1, &zero);
}

static __always_inline __u8 icmp_of(__u8 ip_version)
{
	return ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static __always_inline __u8 source_end(const struct tuple *t, bool has_ports)
{
	__u64 s, d;

	s = bpf_be64_to_cpu(t->saddr.half[0]);
	d = bpf_be64_to_cpu(t->daddr.half[0]);
	if (s != d)
		return s > d;
	s = bpf_be64_to_cpu(t->saddr.half[1]);
	d = bpf_be64_to_cpu(t->daddr.half[1]);
	if (s != d)
		return s > d;
	return has_ports && bpf_ntohs(t->sport) > bpf_ntohs(t->dport);
}

/*
 * Two fields of a key, in their order in memory.  The hash reads keys word by word, and a word that
 * was written in parts would have to wait until these have reached the cache.
 */
static __always_inline __u32 key_word(__u16 first, __u16 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u32)second << 16;
#else
	return (__u32)first << 16 | second;
#endif
}

/**
 * flow_key_set() - The key of a packet's flow, and which of its ends sent the packet
 */
static __always_inline void flow_key_set(struct flow_key *key, const struct tuple *t)
{
	bool has_ports = l4_has_ports(t->l4_proto);
	__u8 source = source_end(t, has_ports);
	__be16 first = source ? t->dport : t->sport, second = source ? t->sport : t->dport;
	__u32 port, l4_proto = key_word(bpf_htons(t->l4_proto << 8), 0);

	if (!has_ports) {
		bool is_icmp = t->l4_proto == icmp_of(t->ip_version);

		first = is_icmp ? t->sport : 0;
		second = is_icmp ? bpf_htons(t->is_echo_reply ? !source : source) : 0;
	}
	port = key_word(first, second);
	__builtin_memset(key, 0, sizeof(*key)); /* padding too: global functions take the whole */
	if (t->ip_version == IP_VERSION_4) {
		key->v4.addr[0] = source ? t->daddr.word[3] : t->saddr.word[3];
		key->v4.addr[1] = source ? t->saddr.word[3] : t->daddr.word[3];
		__builtin_memcpy(key->v4.port, &port, sizeof(port));
		__builtin_memcpy(&key->v4.l4_proto, &l4_proto, sizeof(l4_proto));
	} else {
		key->v6.addr[0] = source ? t->daddr : t->saddr;
		key->v6.addr[1] = source ? t->saddr : t->daddr;
		__builtin_memcpy(key->v6.port, &port, sizeof(port));
		__builtin_memcpy(&key->v6.l4_proto, &l4_proto, sizeof(l4_proto));
	}
	key->ip_version = t->ip_version;
	key->l4_proto = t->l4_proto;
	key->source = source;
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
	return number + (key->l4_proto == icmp_of(key->ip_version) ? 2 : 3);
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
