// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls classify() for one key of a map per run, and a program that does all but that call.
 */
#include "packet.h"

#include "classify_probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PROBE_KEYS);
	__type(key, __u32);
	__type(value, struct probe_key);
} probe_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PROBE_KEYS);
	__type(key, __u32);
	__type(value, struct probe_answer);
} probe_answers SEC(".maps");

__u32 probe_next = 0; /* the key of the next run */

static __always_inline int probe(bool empty)
{
	__u32 index = probe_next++ % PROBE_KEYS;
	struct probe_key *key = bpf_map_lookup_elem(&probe_keys, &index);
	struct probe_answer *answer = bpf_map_lookup_elem(&probe_answers, &index);
	struct packet p = {};

	if (!key || !answer)
		return 0;
	p.saddr = key->saddr;
	p.daddr = key->daddr;
	p.sport = key->sport;
	p.dport = key->dport;
	p.ip_version = key->ip_version;
	p.l4_proto = key->l4_proto;
	p.icmp_type = key->icmp_type;
	p.icmp_code = key->icmp_code;
	p.local_kind = key->local_kind;
	if (empty)
		answer->rule = p.saddr.word[3] ^ p.daddr.word[3] ^ p.sport ^ p.dport ^ p.l4_proto;
	else
		answer->rule = classify(&p, key->acl & 1);
	return 0;
}

SEC("xdp")
int probe_xdp(struct xdp_md *ctx)
{
	probe(false);
	return XDP_PASS;
}

SEC("tc")
int probe_tc(struct __sk_buff *ctx)
{
	return probe(false);
}

SEC("xdp")
int probe_empty(struct xdp_md *ctx)
{
	probe(true);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
