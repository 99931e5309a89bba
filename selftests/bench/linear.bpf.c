// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The plain way to judge a packet: one rule after the other until one matches.
 *
 * Packets and answers are those of tests/bpf/classify_probe.bpf.c.
 */
#include "packet.h"

#include "bpf/classify_probe.h"
#include "linear.h"

#define LINEAR_MAP(name, n, value_type)                                                            \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, n);                                                            \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

LINEAR_MAP(probe_keys, PROBE_KEYS, struct probe_key);
LINEAR_MAP(linear_answers, PROBE_KEYS, struct probe_answer);
LINEAR_MAP(linear_rules, 1, struct linear_rule);

const volatile __u32 linear_n_rules = 0;
__u32 linear_next = 0; /* the key of the next run */

struct scan {
	struct probe_key *key;
	__u16 sport;
	__u16 dport;
	__u32 found;
};

static __always_inline bool in_prefix(const union addr *addr, const union addr *prefix,
				      const union addr *mask)
{
	return !((addr->half[1] ^ prefix->half[1]) & mask->half[1]) &&
	       !((addr->half[0] ^ prefix->half[0]) & mask->half[0]);
}

static __always_inline bool matches(const struct linear_rule *rule, const struct scan *scan)
{
	const struct probe_key *key = scan->key;

	if (!in_prefix(&key->saddr, &rule->saddr, &rule->smask) ||
	    !in_prefix(&key->daddr, &rule->daddr, &rule->dmask))
		return false;
	if (rule->protocol != LINEAR_ANY && rule->protocol != key->l4_proto)
		return false;
	if (rule->acl != key->acl || (rule->ip_version && rule->ip_version != key->ip_version))
		return false;
	if (key->l4_proto != 6 && key->l4_proto != 17)
		return true;
	return scan->dport >= rule->dport_first && scan->dport <= rule->dport_last &&
	       scan->sport >= rule->sport_first && scan->sport <= rule->sport_last;
}

static long scan_rule(__u32 index, struct scan *scan)
{
	const struct linear_rule *rule = bpf_map_lookup_elem(&linear_rules, &index);

	if (!rule || !scan->key)
		return 1;
	if (!matches(rule, scan))
		return 0;
	scan->found = rule->rule;
	return 1;
}

SEC("xdp")
int linear_xdp(struct xdp_md *ctx)
{
	__u32 index = linear_next++ % PROBE_KEYS;
	struct probe_answer *answer = bpf_map_lookup_elem(&linear_answers, &index);
	struct scan scan = {.key = bpf_map_lookup_elem(&probe_keys, &index)};

	if (!scan.key || !answer)
		return XDP_PASS;
	scan.sport = bpf_ntohs(scan.key->sport);
	scan.dport = bpf_ntohs(scan.key->dport);
	bpf_loop(linear_n_rules, scan_rule, &scan, 0);
	answer->rule = scan.found;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
