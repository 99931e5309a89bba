// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes a frame anew each time, as the pages come back as their last receiver left them, with the
 * next flow's source port, and sends it by a device; and a program that drops all.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "inject.h"

struct injection injection = {};

SEC("xdp")
int inject_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u64 *word = data;
	struct udphdr *udp = data + sizeof(struct ethhdr) + sizeof(struct iphdr);

	if (data + INJECT_FRAME > data_end)
		return XDP_ABORTED;
	for (int i = 0; i < INJECT_FRAME / 8; i++)
		word[i] = injection.word[i];
	udp->source = bpf_htons(INJECT_PORT_FIRST + injection.next);
	if (++injection.next >= injection.flows)
		injection.next = 0;
	return bpf_redirect(injection.ifindex, 0);
}

/* For the other end: the least that a packet can cost that has come this way. */
SEC("xdp")
int drop_xdp(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
