/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the IP headers say that come in on the forwarder's TCP sockets: a filter that takes
 * everything, and notes type of service and time to live of the newest packet of each socket.
 *
 * A slot is written at once, and names its socket, as others may come to the same one.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define BPF_HDR_START_NET 1 /* of linux/bpf.h */

#define SLOTS 65536 /* ANSWER_SLOTS in loader/forward/answer.c */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64); /* the socket's cookie << 16, type of service << 8, time to live */
} answers SEC(".maps");

SEC("socket")
int shrike_answer(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb), note;
	__u32 key = cookie % SLOTS;
	__u64 *slot = bpf_map_lookup_elem(&answers, &key);
	__u8 header[9];

	if (!slot || bpf_skb_load_bytes_relative(skb, 0, header, sizeof(header), BPF_HDR_START_NET))
		return skb->len;
	if (header[0] >> 4 == 4)
		note = header[1] << 8 | header[8];
	else
		note = (__u8)(header[0] << 4 | header[1] >> 4) << 8 | header[7];
	note |= cookie << 16;
	if (*slot != note)
		*slot = note;
	return skb->len;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
