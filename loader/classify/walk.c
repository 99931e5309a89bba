/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's walk through the tables, in userspace.
 */
#include "classify/walk.h"

#include <endian.h>

#include "classify/compile.h"

struct classify_tables {
	struct classifier classifier;
};

static inline const volatile struct classify_config *classify_settings(
	const struct classify_tables *tables)
{
	return &tables->classifier.config;
}

static inline const struct classify_layout *classify_layout(const struct classify_tables *tables)
{
	return &tables->classifier.layout;
}

static inline const void *classify_entry(const struct classify_tables *tables,
					 enum classify_table table, uint32_t index)
{
	struct classifier_table t = classifier_table(&tables->classifier, table);

	return index < t.entries ? (const char *)t.data + (size_t)index * t.value_size : NULL;
}

struct classify_walk;

static inline void classify_loop(uint32_t n, long (*step)(uint32_t index, struct classify_walk *),
				 struct classify_walk *walk)
{
	for (uint32_t i = 0; i < n && !step(i, walk); i++)
		;
}

#define classify_be32(value) be32toh(value)
#define classify_be64(value) be64toh(value)
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

struct classify_key {
	struct classifier_key packet;
};

static inline const union addr *classify_key_addr(const struct classify_key *key, uint32_t side)
{
	return side ? &key->packet.destination : &key->packet.source;
}

static inline uint16_t classify_key_port(const struct classify_key *key, uint32_t side)
{
	return side ? key->packet.dport : key->packet.sport;
}

static inline uint8_t classify_key_version(const struct classify_key *key)
{
	return key->packet.ip_version;
}

static inline uint8_t classify_key_protocol(const struct classify_key *key)
{
	return key->packet.l4_proto;
}

static inline uint16_t classify_key_icmp(const struct classify_key *key)
{
	return (uint16_t)(key->packet.icmp_type << 8 | key->packet.icmp_code);
}

static inline uint8_t classify_key_kind(const struct classify_key *key)
{
	return key->packet.local_kind;
}

#include "classify_walk.h"

static __u32 classify_tree_find(const struct classify_tables *tables, __u32 base, __u32 nodes,
				__u64 key)
{
	return classify_tree_walk(tables, base, nodes, key);
}

/**
 * classifier_lookup() - The first rule of an ACL that matches a packet
 * @classifier: the rules
 * @key: the packet
 * @acl: whose rules
 *
 * Return: the rule's index + 1, 0 if no rule matches; what classify() returns in the kernel.
 */
uint32_t classifier_lookup(const struct classifier *classifier, const struct classifier_key *key,
			   enum acl acl)
{
	return classify_first((const struct classify_tables *)classifier,
			      (const struct classify_key *)key, acl);
}
