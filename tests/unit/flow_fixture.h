/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connection tables for tests: real maps of the ABI's types, filled flow by flow.
 *
 * Time stands still at NOW_NS; every timeout is as in the policy's defaults, in order of state.
 */
#ifndef SHRIKE_TESTS_UNIT_FLOW_FIXTURE_H
#define SHRIKE_TESTS_UNIT_FLOW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conntrack/tables.h"
#include "fragment.h"
#include "maps.h"

#define NOW_NS (100000 * NS_PER_S)

struct fixture {
	struct conntrack conntrack;
	struct flow_clock clock;
	int fragments_fd;
};

/* A flow as a test writes it; addresses decide the family. */
struct flow_spec {
	uint8_t l4_proto; /* 58 for ICMPv6 */
	bool unconfirmed;
	const char *src; /* of the opener */
	const char *dst;
	uint16_t sport; /* ICMP: the identifier */
	uint16_t dport;
	uint64_t idle_ns;
	struct flow flow; /* last_seen_ns and opener are set from the above */
	bool own;	  /* unconfirmed: in the table of this host's openings */
};

static inline struct fixture *fixture_new(uint32_t max_entries)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t i;

	assert_non_null(f);
	for (i = 0; i < CONNTRACK_TABLES; i++) {
		const struct conntrack_map *map = &conntrack_maps[i];
		struct conntrack_table *table = &f->conntrack.tables[i];
		int fd;

		conntrack_table_init(table, map, -1, max_entries);
		fd = bpf_map_create(map->confirmed ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_LRU_HASH,
				    map->name, conntrack_key_size(table), sizeof(struct flow),
				    max_entries, NULL);
		assert_true(fd >= 0);
		table->fd = fd;
	}
	f->conntrack.n = CONNTRACK_TABLES;
	f->fragments_fd = bpf_map_create(BPF_MAP_TYPE_HASH, MAP_FRAGMENTS,
					 sizeof(struct fragment_key), sizeof(struct fragment),
					 max_entries, NULL);
	assert_true(f->fragments_fd >= 0);
	f->clock.now_ns = NOW_NS;
	for (i = 0; i < FLOW_STATE_MAX; i++)
		f->clock.timeout_ns[i] = 60 * NS_PER_S;
	f->clock.timeout_ns[FLOW_STATE_ESTABLISHED] = 3 * 3600 * NS_PER_S;
	f->clock.timeout_ns[FLOW_STATE_TIME_WAIT] = 240 * NS_PER_S;
	f->clock.timeout_ns[FLOW_STATE_UDP] = 30 * NS_PER_S;
	f->clock.timeout_ns[FLOW_STATE_ICMP] = 30 * NS_PER_S;
	return f;
}

static inline void fixture_free(struct fixture *f)
{
	size_t i;

	for (i = 0; i < CONNTRACK_TABLES; i++)
		close(f->conntrack.tables[i].fd);
	close(f->fragments_fd);
	free(f);
}

static inline size_t fixture_table(uint8_t l4_proto, uint8_t ip_version, bool confirmed, bool own)
{
	bool is_icmp = l4_proto == (ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	size_t i;

	if (l4_proto != IPPROTO_TCP && l4_proto != IPPROTO_UDP && !is_icmp)
		l4_proto = CONNTRACK_OTHER;
	for (i = 0; i < CONNTRACK_TABLES; i++)
		if (conntrack_maps[i].l4_proto == l4_proto &&
		    conntrack_maps[i].ip_version == ip_version &&
		    conntrack_maps[i].confirmed == confirmed && conntrack_maps[i].own == own)
			return i;
	fail_msg("no table for protocol %u", l4_proto);
	return 0;
}

/* Builds the key of flow.h; returns the opener's end. */
static inline uint8_t fixture_key(struct flow_key6 *key, const struct flow_spec *spec)
{
	int family = strchr(spec->src, ':') ? AF_INET6 : AF_INET;
	size_t addr_len = family == AF_INET6 ? 16 : 4;
	bool is_icmp = spec->l4_proto == IPPROTO_ICMP || spec->l4_proto == IPPROTO_ICMPV6;
	uint8_t end[2][18] = {{0}};
	uint8_t *out = (uint8_t *)key, opener;
	__be16 port[2] = {htons(spec->sport), htons(spec->dport)};

	memset(key, 0, sizeof(*key));
	assert_int_equal(inet_pton(family, spec->src, end[0]), 1);
	assert_int_equal(inet_pton(family, spec->dst, end[1]), 1);
	if (!is_icmp) {
		memcpy(end[0] + addr_len, &port[0], 2);
		memcpy(end[1] + addr_len, &port[1], 2);
	}
	opener = memcmp(end[0], end[1], addr_len + 2) > 0;
	memcpy(out, end[opener], addr_len);
	memcpy(out + addr_len, end[!opener], addr_len);
	if (is_icmp)
		port[1] = htons(opener);
	else if (opener)
		port[0] = htons(spec->dport), port[1] = htons(spec->sport);
	memcpy(out + 2 * addr_len, port, 4);
	out[2 * addr_len + 4] = spec->l4_proto;
	return opener;
}

static inline size_t fixture_add(struct fixture *f, const struct flow_spec *spec)
{
	uint8_t ip_version = strchr(spec->src, ':') ? IP_VERSION_6 : IP_VERSION_4;
	size_t at = fixture_table(spec->l4_proto, ip_version, !spec->unconfirmed, spec->own);
	struct flow flow = spec->flow;
	struct flow_key6 key;

	flow.opener = fixture_key(&key, spec);
	flow.last_seen_ns = NOW_NS - spec->idle_ns;
	assert_int_equal(bpf_map_update_elem(f->conntrack.tables[at].fd, &key, &flow, BPF_NOEXIST),
			 0);
	return at;
}

static inline void fixture_remove(struct fixture *f, const struct flow_spec *spec)
{
	uint8_t ip_version = strchr(spec->src, ':') ? IP_VERSION_6 : IP_VERSION_4;
	size_t at = fixture_table(spec->l4_proto, ip_version, !spec->unconfirmed, spec->own);
	struct flow_key6 key;

	fixture_key(&key, spec);
	assert_int_equal(bpf_map_delete_elem(f->conntrack.tables[at].fd, &key), 0);
}

/* @n UDP flows of this host over IPv4, all different, @first counts them. */
static inline void fixture_fill(struct fixture *f, uint32_t first, uint32_t n,
				const struct flow *flow, uint64_t idle_ns)
{
	size_t at = fixture_table(IPPROTO_UDP, IP_VERSION_4, true, false);
	struct flow value = *flow;
	struct flow_key4 key = {.l4_proto = IPPROTO_UDP};
	uint32_t i;

	value.last_seen_ns = NOW_NS - idle_ns;
	key.port[0] = htons(40000);
	key.port[1] = htons(53);
	key.addr[1] = htonl(0xc0a80101);
	for (i = first; i < first + n; i++) {
		key.addr[0] = htonl(0x0a000000 + i);
		assert_int_equal(
			bpf_map_update_elem(f->conntrack.tables[at].fd, &key, &value, BPF_NOEXIST),
			0);
	}
}

#endif /* SHRIKE_TESTS_UNIT_FLOW_FIXTURE_H */
