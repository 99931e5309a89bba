/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves that change header fields and keep the checksums right (RFC 1624).
 *
 * In TC the kernel's helpers do it, as only they know what the checksum field of an skb holds (a
 * sum, a pseudo-header sum, nothing yet); they move the packet, so its pointers are read anew.
 * XDP writes directly.  @tc is a constant at every call: the other half is not in the program.
 */
#ifndef SHRIKE_REWRITE_H
#define SHRIKE_REWRITE_H

#include "packet.h"
#include "tc.h"

/* Offsets are from the IP header. */
struct field {
	__u32 off;
	__u32 len;	   /* 2, 4 or 16 */
	__u32 l3_csum_off; /* of the IPv4 header checksum that covers it, 0: none */
	__u32 l4_csum_off; /* of the transport checksum that covers it, 0: none */
	bool in_pseudo_header;
};

_Static_assert(PORT_PROTOCOL_MAX == 2, "the checksum of each protocol with ports is kept");

/* Offset of the transport checksum from the IP header, 0: none to keep. */
static __always_inline __u32 l4_csum_off(const struct packet *p)
{
	if (p->frag == FRAGMENT_LATER)
		return 0;
	if (p->l4_proto == IPPROTO_TCP)
		return p->l4_off + __builtin_offsetof(struct tcphdr, check);
	if (p->l4_proto == IPPROTO_UDP)
		return p->l4_off + __builtin_offsetof(struct udphdr, check);
	if (p->ip_version == IP_VERSION_6 && p->l4_proto == IPPROTO_ICMPV6)
		return p->l4_off + __builtin_offsetof(struct icmp6hdr, icmp6_cksum);
	return 0;
}

static __always_inline __sum16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void rewrite_tc(struct frame *f, struct packet *p, const struct field *field,
				       void *new_value, __s64 diff)
{
	struct __sk_buff *skb = f->ctx;
	__u32 l2_len = config.l2_len;
	__u64 flags = 0;

	bpf_skb_store_bytes(skb, l2_len + field->off, new_value, field->len, 0);
	if (field->l3_csum_off)
		bpf_l3_csum_replace(skb, l2_len + field->l3_csum_off, 0, diff, 0);
	if (field->l4_csum_off) {
		if (field->in_pseudo_header)
			flags |= BPF_F_PSEUDO_HDR;
		if (p->l4_proto == IPPROTO_UDP)
			flags |= BPF_F_MARK_MANGLED_0;
		bpf_l4_csum_replace(skb, l2_len + field->l4_csum_off, 0, diff, flags);
	}
	tc_read_anew(f, l2_len);
}

static __always_inline void csum_update(struct frame *f, __u32 off, __s64 diff, bool is_udp)
{
	__sum16 *csum;

	forget_origin(off);
	if (off > HEADERS_MAX)
		return;
	csum = f->data + off;
	if ((void *)(csum + 1) > f->data_end)
		return;
	if (is_udp && !*csum) /* RFC 768: the sender made none */
		return;
	diff += (__sum16) ~*csum;
	diff = (diff & 0xffffffff) + (diff >> 32);
	*csum = csum_fold(diff);
	if (is_udp && !*csum)
		*csum = 0xffff;
}

static __always_inline void rewrite_xdp(struct frame *f, struct packet *p,
					const struct field *field, void *new_value, __s64 diff)
{
	__u32 off = field->off;
	void *at;

	forget_origin(off);
	if (off > HEADERS_MAX)
		return;
	at = f->data + off;
	if (at + field->len > f->data_end)
		return;
	__builtin_memcpy(at, new_value, field->len);
	if (field->l3_csum_off)
		csum_update(f, field->l3_csum_off, diff, false);
	if (field->l4_csum_off)
		csum_update(f, field->l4_csum_off, diff, p->l4_proto == IPPROTO_UDP);
}

static __always_inline void rewrite(struct frame *f, struct packet *p, const struct field *field,
				    void *new_value, __s64 diff, bool tc)
{
	if (tc)
		rewrite_tc(f, p, field, new_value, diff);
	else
		rewrite_xdp(f, p, field, new_value, diff);
}

/**
 * rewrite_addr() - Replace the source or destination address in the headers
 * @f, @p: packet
 * @source: the source address, else the destination
 * @old_value: address in the packet
 * @new_value: address to write, of the same family
 * @tc: in a TC program
 */
static __always_inline void rewrite_addr(struct frame *f, struct packet *p, bool source,
					 union addr *old_value, const union addr *new_value,
					 bool tc)
{
	union addr to = *new_value;

	if (p->ip_version == IP_VERSION_4) {
		struct field field = {source ? __builtin_offsetof(struct iphdr, saddr)
					     : __builtin_offsetof(struct iphdr, daddr),
				      sizeof(__be32), __builtin_offsetof(struct iphdr, check),
				      l4_csum_off(p), true};

		rewrite(f, p, &field, &to.word[3],
			bpf_csum_diff(&old_value->word[3], 4, &to.word[3], 4, 0), tc);
	} else {
		struct field field = {source ? __builtin_offsetof(struct ipv6hdr, saddr)
					     : __builtin_offsetof(struct ipv6hdr, daddr),
				      sizeof(union addr), 0, l4_csum_off(p), true};

		rewrite(f, p, &field, &to, bpf_csum_diff(old_value->word, 16, to.word, 16, 0), tc);
	}
}

/**
 * rewrite_l4_u16() - Replace a 16-bit field of the transport header
 * @f, @p: packet that is not FRAGMENT_LATER
 * @l4_field_off: of the field, from the transport header
 * @old_value: value in the packet
 * @new_value: value to write
 * @tc: in a TC program
 */
static __always_inline void rewrite_l4_u16(struct frame *f, struct packet *p, __u32 l4_field_off,
					   __be16 old_value, __be16 new_value, bool tc)
{
	struct field field = {p->l4_off + l4_field_off, sizeof(new_value), 0, l4_csum_off(p),
			      false};
	__be32 from = old_value, to = new_value;

	if (l4_field_off % 2) { /* its two bytes are in two words of the sum (RFC 1071) */
		from = __builtin_bswap16(old_value);
		to = __builtin_bswap16(new_value);
	}
	rewrite(f, p, &field, &new_value, bpf_csum_diff(&from, 4, &to, 4, 0), tc);
}

/* Offset of the checksum of an ICMP message, which begins alike in both families. */
static __always_inline __u32 icmp_csum_off(const struct packet *p)
{
	return p->l4_off + __builtin_offsetof(struct icmphdr, checksum);
}

/**
 * rewrite_quote_addr() - Replace an address in the packet that an ICMP error quotes
 * @f, @p: the error
 * @quote_off: of the quoted IP header, bytes from the IP header
 * @source: its source address, else the destination
 * @old_value: address in the quote
 * @new_value: address to write, of the same family
 * @tc: in a TC program
 *
 * The ICMP checksum covers the quote, with IPv4 its header checksum as well, so that the two
 * changes cancel each other.
 */
static __always_inline void rewrite_quote_addr(struct frame *f, struct packet *p, __u32 quote_off,
					       bool source, const union addr *old_value,
					       const union addr *new_value, bool tc)
{
	union addr from = *old_value, to = *new_value;

	if (p->ip_version == IP_VERSION_4) {
		struct field field = {
			quote_off + (source ? __builtin_offsetof(struct iphdr, saddr)
					    : __builtin_offsetof(struct iphdr, daddr)),
			sizeof(__be32), quote_off + __builtin_offsetof(struct iphdr, check), 0,
			false};

		rewrite(f, p, &field, &to.word[3],
			bpf_csum_diff(&from.word[3], 4, &to.word[3], 4, 0), tc);
	} else {
		struct field field = {quote_off +
					      (source ? __builtin_offsetof(struct ipv6hdr, saddr)
						      : __builtin_offsetof(struct ipv6hdr, daddr)),
				      sizeof(union addr), 0, icmp_csum_off(p), false};

		rewrite(f, p, &field, &to, bpf_csum_diff(from.word, 16, to.word, 16, 0), tc);
	}
}

/**
 * rewrite_quote_port() - Replace a port in the packet that an ICMP error quotes
 * @f, @p: the error
 * @off: of the port, bytes from the IP header
 * @old_value: port in the quote
 * @new_value: port to write
 * @tc: in a TC program
 *
 * The quoted transport checksum stays as it was; of TCP it is not even quoted.
 */
static __always_inline void rewrite_quote_port(struct frame *f, struct packet *p, __u32 off,
					       __be16 old_value, __be16 new_value, bool tc)
{
	struct field field = {off, sizeof(new_value), 0, icmp_csum_off(p), false};
	__be32 from = old_value, to = new_value;

	rewrite(f, p, &field, &new_value, bpf_csum_diff(&from, 4, &to, 4, 0), tc);
}

#endif /* SHRIKE_REWRITE_H */
