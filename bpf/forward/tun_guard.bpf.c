/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder's TUN device, by which the dataplane hands over what it allows: nothing else may go
 * in, as any user can bind a socket to a device and send, and nothing may come out.
 */
#include "forward_tun.h"

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT   2

/* Towards the forwarder: only what shrike_ingress has marked, where it came in. */
SEC("tc")
int forward_tun_out(struct __sk_buff *skb)
{
	__u32 zero = 0;
	const struct forward_tun *tun = bpf_map_lookup_elem(&forward_tun_v1, &zero);

	if (!tun || skb->mark != FORWARDER_MARK || skb->ingress_ifindex != tun->protected_ifindex)
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

/* From the forwarder, which writes nothing there. */
SEC("tc")
int forward_tun_in(struct __sk_buff *skb)
{
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
