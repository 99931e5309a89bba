/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Egress stage: MSS clamping.  Outbound SYN and SYN+ACK segments ask for no more than fits the
 * interface (RFC 6691); the value is only ever lowered.
 */
#include "options.h"
#include "packet.h"
#include "rewrite.h"

/* Offset of the MSS value from the transport header, 0 where the segment has no such option. */
static __always_inline __u32 mss_find(struct frame *f, struct packet *p, __be16 *mss)
{
	struct options options = {.kind = {TCPOPT_MSS, TCPOPT_MSS}, .option_len = TCPOLEN_MSS};
	struct tcphdr tcp;
	__u32 off;

	if (bpf_skb_load_bytes(f->ctx, config.l2_len + p->l4_off, &tcp, sizeof(tcp)))
		return 0;
	off = option_find(f, p->l4_off + sizeof(tcp), tcp.doff * 4 - sizeof(tcp), &options, true);
	if (!off)
		return 0;
	*mss = *(__be16 *)&options.bytes[off & 62];
	if (off & 1) /* behind an odd number of NOPs */
		*mss = options.bytes[off & 63] | (__be16)options.bytes[(off + 1) & 63] << 8;
	return sizeof(tcp) + off;
}

/**
 * mss_clamp() - Lower the MSS option of an outbound SYN to what the interface carries
 * @skb, @p: packet with TCP_SYN set, whose pointers are to be read anew afterwards
 *
 * Global, so that the verifier walks it once, and not for each way of a packet that leads here.
 *
 * Return: 0.
 */
__noinline int mss_clamp(struct __sk_buff *skb, struct packet *p)
{
	struct frame f = {.ctx = skb};
	__be16 mss = 0;
	__u32 limit, off;

	if (!skb || !p)
		return 0;
	f.data = (void *)(long)skb->data + config.l2_len;
	limit = p->ip_version == IP_VERSION_4 ? config.mss4 : config.mss6;
	if (!limit)
		return 0;
	off = mss_find(&f, p, &mss);
	if (off && bpf_ntohs(mss) > limit)
		rewrite_l4_u16(&f, p, off, mss, bpf_htons(limit), true);
	return 0;
}
