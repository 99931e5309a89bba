/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What programs of TC have in common: what they return, what they are told of a packet.
 */
#ifndef SHRIKE_TC_H
#define SHRIKE_TC_H

#include "packet.h"

#define TC_ACT_UNSPEC	(-1) /* TCX: TCX_NEXT; the verdict is left to the next program */
#define TC_ACT_SHOT	2
#define TC_ACT_REDIRECT 7

/* linux/if_packet.h */
#define PACKET_HOST	 0
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2
#define PACKET_LOOPBACK	 5

#define LINEAR_MIN 256 /* bytes behind the link header that the stages may want to read */

/* Have the headers in the linear part; GSO packets may come with fewer. */
static __always_inline void tc_linearize(struct __sk_buff *skb, __u32 l2_len)
{
	__u32 linear = (void *)(long)skb->data_end - (void *)(long)skb->data;
	__u32 want = l2_len + LINEAR_MIN;

	if (linear < want && linear < skb->len)
		bpf_skb_pull_data(skb, skb->len < want ? skb->len : want);
}

/**
 * tc_read_anew() - Set a frame's pointers, which a helper may have moved
 * @f: frame with ctx set
 * @l2_len: length of the link header, bytes
 */
static __always_inline void tc_read_anew(struct frame *f, __u32 l2_len)
{
	struct __sk_buff *skb = f->ctx;

	f->data = (void *)(long)skb->data + l2_len;
	f->data_end = (void *)(long)skb->data_end;
}

#endif /* SHRIKE_TC_H */
