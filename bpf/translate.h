/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaves of source NAT in TC: address and port of one end replaced, time to live lowered, and out by
 * another device.  Packets are as GRO has put them together, and checksums that are left to hardware
 * stay so: they are changed by differences (RFC 1624), as the kernel's helpers do it.
 */
#ifndef SHRIKE_TRANSLATE_H
#define SHRIKE_TRANSLATE_H

#include "packet.h"
#include "tc.h"

/* What replacing a word adds to a sum in ones' complement. */
static __always_inline __u32 sum_replace(__u32 sum, __u32 from, __u32 to)
{
	__u64 wide = (__u64)sum + (__u32)~from + to;

	wide = (wide & 0xffffffff) + (wide >> 32);
	return (wide & 0xffffffff) + (wide >> 32);
}

static __always_inline __sum16 sum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Offset of the transport checksum from the transport header. */
static __always_inline __u32 checksum_off(const struct packet *p)
{
	if (p->l4_proto == IPPROTO_TCP)
		return __builtin_offsetof(struct tcphdr, check);
	if (p->l4_proto == IPPROTO_UDP)
		return __builtin_offsetof(struct udphdr, check);
	return __builtin_offsetof(struct icmphdr, checksum);
}

/* The length of an IP header without options or extension headers. */
static __always_inline __u32 plain_header_len(const struct packet *p)
{
	return p->ip_version == IP_VERSION_4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* What one end of a packet becomes. */
struct new_end {
	const union addr *addr;
	__be16 port;  /* of ICMP echo the identifier */
	bool source;  /* the end that sends, else the one that receives */
	bool stays;   /* the packet is the same hop's still: its time to live is not lowered */
	__u32 l2_len; /* bytes of the packet before its IP header */
};

/* The IPv4 header; what its checksum loses with the address and the time to live. */
static __always_inline void translate_ipv4(struct iphdr *ip, const struct new_end *end, __be32 addr)
{
	__u32 sum = (__u16)~ip->check, old = ip->ttl;

	sum = sum_replace(sum, end->source ? ip->saddr : ip->daddr, addr);
	if (!end->stays) {
		ip->ttl--;
		/* the time to live is the first byte of its word */
		sum = sum_replace(sum, bpf_htons(old << 8), bpf_htons((old - 1) << 8));
	}
	ip->check = ~sum_fold(sum);
	if (end->source)
		ip->saddr = addr;
	else
		ip->daddr = addr;
}

/* The IPv6 header; returns what it adds to the sum of a pseudo-header. */
static __always_inline __u32 translate_ipv6(struct ipv6hdr *ip, const struct new_end *end)
{
	struct in6_addr *at = end->source ? &ip->addrs.saddr : &ip->addrs.daddr;
	const union addr *addr = end->addr;
	__u32 diff = 0;

	for (int i = 0; i < 4; i++)
		diff = sum_replace(diff, at->in6_u.u6_addr32[i], addr->word[i]);
	__builtin_memcpy(at, addr, sizeof(*at));
	if (!end->stays)
		ip->hop_limit--;
	return diff;
}

/* Address and time to live; @diff: what that adds to the sum of a pseudo-header. */
static __always_inline bool translate_ip(struct __sk_buff *skb, const struct packet *p,
					 const struct new_end *end, __u32 *diff)
{
	void *data = (void *)(long)skb->data + end->l2_len;
	void *data_end = (void *)(long)skb->data_end;

	if (p->ip_version == IP_VERSION_4) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > data_end)
			return false;
		*diff = sum_replace(0, end->source ? ip->saddr : ip->daddr, end->addr->word[3]);
		translate_ipv4(ip, end, end->addr->word[3]);
	} else {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > data_end)
			return false;
		*diff = translate_ipv6(ip, end);
	}
	return true;
}

/* The port or identifier; @diff: what that adds to the transport checksum's sum. */
static __always_inline bool translate_port(struct __sk_buff *skb, const struct packet *p,
					   const struct new_end *end, __u32 *diff)
{
	__u32 off = p->l4_off;
	__be16 *port;

	if (is_icmp(p))
		off += __builtin_offsetof(struct icmphdr, un.echo.id);
	else if (!end->source)
		off += __builtin_offsetof(struct udphdr, dest);
	forget_origin(off);
	if (off > HEADERS_MAX)
		return false;
	off += end->l2_len;
	port = (void *)(long)skb->data + off;
	if ((void *)(port + 1) > (void *)(long)skb->data_end)
		return false;
	*diff = sum_replace(0, *port, end->port);
	*port = end->port;
	return true;
}

/**
 * translate() - Give one end of a packet another address and port, and lower the time to live
 * @skb, @p: the packet; of a later fragment the address alone
 * @end: the new end
 *
 * Return: whether the headers are where they should be.
 */
static __always_inline bool translate(struct __sk_buff *skb, const struct packet *p,
				      const struct new_end *end)
{
	__u32 check_off = end->l2_len + p->l4_off + checksum_off(p);
	__u64 flags = p->l4_proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u32 addr_diff = 0, port_diff = 0;

	if (!translate_ip(skb, p, end, &addr_diff))
		return false;
	if (p->frag == FRAGMENT_LATER || l4_is_by_address(p->l4_proto))
		return true;
	if (!translate_port(skb, p, end, &port_diff))
		return false;
	if (p->l4_proto != IPPROTO_ICMP)
		bpf_l4_csum_replace(skb, check_off, 0, addr_diff, BPF_F_PSEUDO_HDR | flags);
	bpf_l4_csum_replace(skb, check_off, 0, port_diff, flags);
	return true;
}

/* The quoted address, which the checksums of quoted header and error cover; returns the difference. */
static __always_inline __u32 translate_quoted_addr(struct __sk_buff *skb, const struct quote *quote,
						   const struct new_end *end)
{
	const union addr *from = end->source ? &quote->tuple.daddr : &quote->tuple.saddr;
	__u32 off = end->l2_len + quote->ip_off, diff = 0;
	union addr to = *end->addr;

	if (quote->tuple.ip_version == IP_VERSION_4) {
		bpf_skb_store_bytes(skb,
				    off + (end->source ? __builtin_offsetof(struct iphdr, daddr)
						       : __builtin_offsetof(struct iphdr, saddr)),
				    &to.word[3], sizeof(to.word[3]), 0);
		bpf_l3_csum_replace(skb, off + __builtin_offsetof(struct iphdr, check),
				    from->word[3], to.word[3], sizeof(to.word[3]));
		return 0; /* both changes together */
	}
	bpf_skb_store_bytes(skb,
			    off + (end->source ? __builtin_offsetof(struct ipv6hdr, daddr)
					       : __builtin_offsetof(struct ipv6hdr, saddr)),
			    &to, sizeof(to), 0);
	for (int i = 0; i < 4; i++)
		diff = sum_replace(diff, from->word[i], to.word[i]);
	return diff;
}

/**
 * translate_error() - Give an ICMP error one end's other address and port, and its quote likewise
 * @skb, @p: the error, whole
 * @quote: what it quotes, which went the other way
 * @end: the new end
 *
 * The quoted transport checksum stays as it was; of TCP it is not even quoted (RFC 5508, section 4).
 *
 * Return: whether the headers are where they should be.
 */
static __always_inline bool translate_error(struct __sk_buff *skb, const struct packet *p,
					    const struct quote *quote, const struct new_end *end)
{
	__u32 check_off = end->l2_len + p->l4_off + checksum_off(p), outer = 0, diff;
	const struct tuple *quoted = &quote->tuple;
	__u32 port_off = end->l2_len + quote->l4_off;
	__be16 port = end->port, from = end->source ? quoted->dport : quoted->sport;

	if (!translate_ip(skb, p, end, &outer))
		return false;
	if (quoted->l4_proto == p->l4_proto) {
		port_off += __builtin_offsetof(struct icmphdr, un.echo.id);
		from = quoted->sport;
	} else if (end->source) {
		port_off += __builtin_offsetof(struct udphdr, dest);
	}
	diff = translate_quoted_addr(skb, quote, end);
	if (!l4_is_by_address(quoted->l4_proto)) {
		diff = sum_replace(diff, from, port);
		bpf_skb_store_bytes(skb, port_off, &port, sizeof(port), 0);
	}
	bpf_l4_csum_replace(skb, check_off, 0, diff, 0);
	if (p->ip_version == IP_VERSION_6)
		bpf_l4_csum_replace(skb, check_off, 0, outer, BPF_F_PSEUDO_HDR);
	return true;
}

#define BPF_MTU_CHK_SEGS 1 /* enum bpf_check_mtu_flags */

/* Where a packet is to leave. */
struct next_link {
	__u32 ifindex;
	__u32 mtu;
};

/**
 * exceeds() - Whether a packet, or a segment of it, is larger than a link takes
 * @skb, @p: the packet
 * @l2_len: bytes before its IP header
 * @link: its device, and its MTU in bytes
 */
static __always_inline bool exceeds(struct __sk_buff *skb, const struct packet *p, __u32 l2_len,
				    const struct next_link *link)
{
	__u32 headers = p->l4_off, mtu = link->mtu, len = 0;
	const struct tcphdr *tcp;

	if (!skb->gso_size)
		return p->ip_len > mtu;
	if (l4_is_by_address(p->l4_proto)) /* the kernel knows the headers that its segments have */
		return bpf_check_mtu(skb, link->ifindex, &len, 0, BPF_MTU_CHK_SEGS);
	forget_origin(headers);
	if (headers > HEADERS_MAX)
		return true;
	tcp = (void *)(long)skb->data + l2_len + headers;
	if (p->l4_proto != IPPROTO_TCP)
		headers += sizeof(struct udphdr);
	else if ((void *)(tcp + 1) <= (void *)(long)skb->data_end)
		headers += tcp->doff * 4;
	return headers + skb->gso_size > mtu;
}

/**
 * leave_by() - Send a packet out of a device; who has which link address there, the kernel finds
 * @skb: the packet
 * @ifindex: the device
 * @from_l2, @to_l2: bytes of link header that the packet has, and that the device's have
 *
 * Return: TC_ACT_*.
 */
static __always_inline int leave_by(struct __sk_buff *skb, __u32 ifindex, __u32 from_l2,
				    __u32 to_l2)
{
	if (!to_l2) /* which takes a link header off where there is one */
		return bpf_redirect(ifindex, 0);
	if (!from_l2 && bpf_skb_change_head(skb, to_l2, 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(ifindex, NULL, 0, 0);
}

#endif /* SHRIKE_TRANSLATE_H */
