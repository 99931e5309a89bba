/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Egress stage: MSS clamping.  Outbound SYN and SYN+ACK segments ask for no more than fits the
 * interface (RFC 6691); the value is only ever lowered.
 */
#include "packet.h"
#include "rewrite.h"

#define TCPOPT_EOL	0
#define TCPOPT_NOP	1
#define TCPOPT_MSS	2
#define TCPOLEN_MSS	4
#define TCP_OPTIONS_MAX 40 /* bytes, RFC 9293 section 3.1 */

struct options {
	__u8 bytes[64]; /* a power of two, so that a mask bounds every index */
	__u32 len;
	__u32 off;
	__u32 mss_off; /* of the value, 0: not found */
};

static long next_option(__u32 i, struct options *options)
{
	__u32 off = options->off & 63;
	__u8 kind = options->bytes[off], len = options->bytes[(off + 1) & 63];

	if (options->off >= options->len || kind == TCPOPT_EOL)
		return 1;
	if (kind == TCPOPT_NOP) {
		options->off++;
		return 0;
	}
	if (len < 2 || options->off + len > options->len)
		return 1;
	if (kind == TCPOPT_MSS && len == TCPOLEN_MSS) {
		options->mss_off = off + 2;
		return 1;
	}
	options->off += len;
	return 0;
}

/* Offset of the MSS value from the transport header, 0 where the segment has no such option. */
static __noinline __u32 mss_find(struct frame *f, struct packet *p, __be16 *mss)
{
	struct options options = {};
	struct __sk_buff *skb = f->ctx;
	__u32 off = config.l2_len + p->l4_off, len;
	__u8 doff;

	if (bpf_skb_load_bytes(skb, off + 12, &doff, sizeof(doff)))
		return 0;
	/*
	 * Linux 6.1 keeps a range per register, which a comparison with zero does not narrow
	 * ("invalid zero-sized read"): check the length less one, and keep clang from undoing it.
	 */
	len = (doff >> 4) * 4 - sizeof(struct tcphdr) - 1;
	asm volatile("" : "+r"(len));
	if (len >= TCP_OPTIONS_MAX)
		return 0;
	len++;
	if (bpf_skb_load_bytes(skb, off + sizeof(struct tcphdr), options.bytes, len))
		return 0;
	options.len = len;
	bpf_loop(TCP_OPTIONS_MAX, next_option, &options, 0);
	if (!options.mss_off)
		return 0;
	*mss = *(__be16 *)&options.bytes[options.mss_off & 62];
	if (options.mss_off & 1) /* behind an odd number of NOPs */
		*mss = options.bytes[options.mss_off & 63] |
		       (__be16)options.bytes[(options.mss_off + 1) & 63] << 8;
	return sizeof(struct tcphdr) + options.mss_off;
}

/**
 * mss_clamp() - Lower the MSS option of an outbound SYN to what the interface carries
 * @f, @p: packet, in TC
 */
__hidden void mss_clamp(struct frame *f, struct packet *p)
{
	__u16 limit = p->ip_version == IP_VERSION_4 ? config.mss4 : config.mss6;
	__be16 mss = 0;
	__u32 off;

	if (!limit || p->l4_proto != IPPROTO_TCP || p->frag == FRAGMENT_LATER ||
	    !(p->tcp_flags & TCP_SYN))
		return;
	off = mss_find(f, p, &mss);
	if (off && bpf_ntohs(mss) > limit)
		rewrite_l4_u16(f, p, off, mss, bpf_htons(limit), true);
}
