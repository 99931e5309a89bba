// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes the next flow into a packet and hands it to another program by a tail call.
 *
 * So the very programs that would be attached can be run many times over as many flows, and what
 * the writing and the call cost is known from the same with a program that does nothing.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "rotate.h"

#define ROTATE_MAP(name)                                                                           \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, ROTATE_SLOTS);                                                 \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} name SEC(".maps")

ROTATE_MAP(rotate_xdp_to);
ROTATE_MAP(rotate_tc_to);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ROTATE_FLOWS_MAX / ROTATE_PAGE);
	__type(key, __u32);
	__type(value, struct rotate_page);
} rotate_order SEC(".maps");

struct rotation rotation = {};

static __always_inline void write16(void *data, void *data_end, __u32 off, __u16 value)
{
	__be16 *field = data + (off & ROTATE_OFF_MAX);

	if ((void *)(field + 1) <= data_end)
		*field = bpf_htons(value);
}

static __always_inline void rotate(void *data, void *data_end)
{
	__u32 index = rotation.next / ROTATE_PAGE, flow = rotation.base;
	struct rotate_page *page = bpf_map_lookup_elem(&rotate_order, &index);

	if (page)
		flow += page->flow[rotation.next % ROTATE_PAGE];
	if (++rotation.next >= rotation.count) {
		rotation.next = 0;
		rotation.base += rotation.advance;
	}
	write16(data, data_end, rotation.addr_off, flow);
	write16(data, data_end, rotation.port_off, ROTATE_PORT_FIRST + (flow >> 16));
}

SEC("xdp")
int rotate_xdp(struct xdp_md *ctx)
{
	rotate((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	bpf_tail_call(ctx, &rotate_xdp_to, ROTATE_MEASURED);
	return XDP_ABORTED;
}

SEC("xdp")
int rotate_xdp_empty(struct xdp_md *ctx)
{
	rotate((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	bpf_tail_call(ctx, &rotate_xdp_to, ROTATE_EMPTY);
	return XDP_ABORTED;
}

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int rotate_tc(struct __sk_buff *skb)
{
	rotate((void *)(long)skb->data, (void *)(long)skb->data_end);
	bpf_tail_call(skb, &rotate_tc_to, ROTATE_MEASURED);
	return 0;
}

SEC("tc")
int rotate_tc_empty(struct __sk_buff *skb)
{
	rotate((void *)(long)skb->data, (void *)(long)skb->data_end);
	bpf_tail_call(skb, &rotate_tc_to, ROTATE_EMPTY);
	return 0;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return -1;
}

/*
 * The least that connection tracking in a BPF hash can cost: one look-up in a table of the same
 * shape, and counting.  Flows that are not there yet are put there.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct floor_key);
	__type(value, struct floor_entry);
} floor_table SEC(".maps");

SEC("xdp")
int floor_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct floor_entry *entry, empty = {};
	struct floor_key key = {};

	if ((void *)(tcp + 1) > data_end)
		return XDP_ABORTED;
	key.addr[0] = ip->saddr;
	key.addr[1] = ip->daddr;
	key.port[0] = tcp->source;
	key.port[1] = tcp->dest;
	key.l4_proto = ip->protocol;
	entry = bpf_map_lookup_elem(&floor_table, &key);
	if (!entry) {
		bpf_map_update_elem(&floor_table, &key, &empty, BPF_ANY);
		return XDP_DROP;
	}
	__sync_fetch_and_add(&entry->packets, 1);
	__sync_fetch_and_add(&entry->bytes, data_end - data);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
