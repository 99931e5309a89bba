/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder's private network namespace: every TCP connection there, whatever its address and
 * port, goes to one listener for each family.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define AF_INET	    2
#define IPPROTO_TCP 6
#define SK_DROP	    0 /* enum sk_action */
#define SK_PASS	    1

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

SEC("sk_lookup")
int shrike_steer(struct bpf_sk_lookup *ctx)
{
	__u32 key = ctx->family == AF_INET ? 0 : 1;
	struct bpf_sock *listener;
	long err;

	if (ctx->protocol != IPPROTO_TCP)
		return SK_DROP;
	listener = bpf_map_lookup_elem(&listeners, &key);
	if (!listener)
		return SK_DROP;
	err = bpf_sk_assign(ctx, listener, 0);
	bpf_sk_release(listener);
	return err ? SK_DROP : SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
