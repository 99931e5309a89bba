// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Stage: which rule of an ACL decides about a packet.
 *
 * Asked once per new flow, and once per known flow after a change of the policy.  The tables are
 * described in classify.h; this file owns their maps, and nothing writes them once the generation
 * is in force.  The walk itself is in classify_walk.h, which the command compiles as well.
 */
#include "packet.h"

#include "classify.h"

#define CLASSIFY_MAP(name, value_type)                                                             \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

CLASSIFY_MAP(class_layout_v1, struct classify_layout);
CLASSIFY_MAP(class_page_v1, struct classify_page);
CLASSIFY_MAP(class_node_v1, struct classify_node);
CLASSIFY_MAP(class_leaf_v1, struct classify_leaf);
CLASSIFY_MAP(class_tree_v1, struct classify_tree);
CLASSIFY_MAP(class_port_v1, struct classify_ports);
CLASSIFY_MAP(class_proto_v1, struct classify_protocols);
CLASSIFY_MAP(class_line_v1, struct classify_line);
CLASSIFY_MAP(class_row_v1, struct classify_row);
CLASSIFY_MAP(class_mask_v1, struct classify_mask);
CLASSIFY_MAP(class_word_v1, struct classify_word);
CLASSIFY_MAP(class_flat_v1, struct classify_word);
CLASSIFY_MAP(class_rule_v1, struct classify_page);
CLASSIFY_MAP(class_base_v1, struct classify_page);
CLASSIFY_MAP(class_origin_v1, struct classify_page);

const volatile struct classify_config classify_config = {};

/* The maps are global, and this is the value of one. */
struct classify_tables {
	struct classify_layout layout;
};

static __always_inline const volatile struct classify_config *classify_settings(
	const struct classify_tables *tables)
{
	return &classify_config;
}

static __always_inline const struct classify_layout *classify_layout(
	const struct classify_tables *tables)
{
	return &tables->layout;
}

/* @table is a constant at each call, so that one look-up remains of the switch. */
static __always_inline const void *classify_entry(const struct classify_tables *tables,
						  enum classify_table table, __u32 index)
{
	switch (table) {
	case CLASSIFY_TABLE_LAYOUT:
		return bpf_map_lookup_elem(&class_layout_v1, &index);
	case CLASSIFY_TABLE_PAGE:
		return bpf_map_lookup_elem(&class_page_v1, &index);
	case CLASSIFY_TABLE_NODE:
		return bpf_map_lookup_elem(&class_node_v1, &index);
	case CLASSIFY_TABLE_LEAF:
		return bpf_map_lookup_elem(&class_leaf_v1, &index);
	case CLASSIFY_TABLE_TREE:
		return bpf_map_lookup_elem(&class_tree_v1, &index);
	case CLASSIFY_TABLE_PORT:
		return bpf_map_lookup_elem(&class_port_v1, &index);
	case CLASSIFY_TABLE_PROTO:
		return bpf_map_lookup_elem(&class_proto_v1, &index);
	case CLASSIFY_TABLE_LINE:
		return bpf_map_lookup_elem(&class_line_v1, &index);
	case CLASSIFY_TABLE_ROW:
		return bpf_map_lookup_elem(&class_row_v1, &index);
	case CLASSIFY_TABLE_MASK:
		return bpf_map_lookup_elem(&class_mask_v1, &index);
	case CLASSIFY_TABLE_WORD:
		return bpf_map_lookup_elem(&class_word_v1, &index);
	case CLASSIFY_TABLE_FLAT:
		return bpf_map_lookup_elem(&class_flat_v1, &index);
	case CLASSIFY_TABLE_RULE:
		return bpf_map_lookup_elem(&class_rule_v1, &index);
	case CLASSIFY_TABLE_BASE:
		return bpf_map_lookup_elem(&class_base_v1, &index);
	case CLASSIFY_TABLE_ORIGIN:
		return bpf_map_lookup_elem(&class_origin_v1, &index);
	default:
		return NULL;
	}
}

#define classify_be32(value)		  bpf_ntohl(value)
#define classify_be64(value)		  bpf_be64_to_cpu(value)
#define classify_loop(steps, step, state) bpf_loop(steps, step, state, 0)

/* Fields are read from the packet where they are needed: copies would fill the stack. */
struct classify_key {
	struct packet packet;
};

static __always_inline const union addr *classify_key_addr(const struct classify_key *key,
							   __u32 side)
{
	return side ? &key->packet.daddr : &key->packet.saddr;
}

static __always_inline __u16 classify_key_port(const struct classify_key *key, __u32 side)
{
	return bpf_ntohs(side ? key->packet.dport : key->packet.sport);
}

static __always_inline __u8 classify_key_version(const struct classify_key *key)
{
	return key->packet.ip_version;
}

static __always_inline __u8 classify_key_protocol(const struct classify_key *key)
{
	return key->packet.l4_proto;
}

static __always_inline __u16 classify_key_icmp(const struct classify_key *key)
{
	return key->packet.icmp_type << 8 | key->packet.icmp_code;
}

static __always_inline __u8 classify_key_kind(const struct classify_key *key)
{
	return key->packet.local_kind;
}

#include "classify_walk.h"

/* Global, so that it is verified once, and not for every way that leads to one of its calls. */
__noinline __u32 classify_tree(__u32 base, __u32 nodes, __u64 key)
{
	return classify_tree_walk(NULL, base, nodes, key);
}

static __always_inline __u32 classify_tree_find(const struct classify_tables *tables, __u32 base,
						__u32 nodes, __u64 key)
{
	return classify_tree(base, nodes, key);
}

/**
 * classify() - The first rule of an ACL that matches a packet
 * @p: a parsed packet; addresses, protocol, ports, ICMP type and code and the kind of its
 *	destination are what rules look at
 * @acl: whose rules
 *
 * Rules are ordered as the compiler ordered them: built-in rules, deny, allow, each in the order
 * of the file.  Ports are compared for TCP and UDP only.
 *
 * Return: the rule's index + 1, 0 if no rule matches.
 */
__u32 classify(const struct packet *p, int acl)
{
	const struct classify_tables *tables = classify_entry(NULL, CLASSIFY_TABLE_LAYOUT, 0);

	if (!p || !tables)
		return 0;
	return classify_first(tables, (const struct classify_key *)p, acl);
}
