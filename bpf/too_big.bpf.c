/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Fragmentation needed" (RFC 1191) and "packet too big" (RFC 4443, section 3.2), made of the packet
 * that is too big: the helpers that redirect look at no MTU, and there is no router to answer.
 */
#include "packet.h"
#include "tc.h"
#include "translate.h"

/*
 * Bytes behind the IP header that are quoted, which what is too big has: a packet whose checksum is
 * unfinished cannot be cut before the end of that (bpf_skb_change_tail()).
 */
#define QUOTED_L4 20

#define REPLY_TTL	   64
#define ICMP_UNREACHABLE   3
#define ICMP_FRAG_NEEDED   4
#define ICMPV6_PKT_TOO_BIG 2

static __always_inline void swap_link_addresses(struct ethhdr *eth)
{
	__u8 dest[6];

	__builtin_memcpy(dest, eth->h_dest, sizeof(dest));
	__builtin_memcpy(eth->h_dest, eth->h_source, sizeof(dest));
	__builtin_memcpy(eth->h_source, dest, sizeof(dest));
}

/* @ip: room for both headers, before the quote */
static __always_inline void write_icmp4(struct iphdr *ip, const struct packet *p,
					const union addr *source, __u32 mtu)
{
	const __u32 quoted = sizeof(*ip) + QUOTED_L4;
	struct icmphdr *icmp = (void *)(ip + 1);

	__builtin_memset(ip, 0, sizeof(*ip) + sizeof(*icmp));
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + quoted);
	ip->ttl = REPLY_TTL;
	ip->protocol = IPPROTO_ICMP;
	ip->saddr = source->word[3];
	ip->daddr = p->saddr.word[3];
	ip->check = ~sum_fold(bpf_csum_diff(NULL, 0, (void *)ip, sizeof(*ip), 0));
	icmp->type = ICMP_UNREACHABLE;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->un.frag.mtu = bpf_htons(mtu);
	icmp->checksum = ~sum_fold(bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + quoted, 0));
}

/* The same for IPv6, whose checksum covers addresses, length and protocol as well. */
static __always_inline void write_icmp6(struct ipv6hdr *ip, const struct packet *p,
					const union addr *source, __u32 mtu)
{
	const __u32 quoted = sizeof(*ip) + QUOTED_L4;
	struct icmp6hdr *icmp = (void *)(ip + 1);
	__be32 rest[2] = {bpf_htonl(sizeof(*icmp) + quoted), bpf_htonl(IPPROTO_ICMPV6)};

	__builtin_memset(ip, 0, sizeof(*ip) + sizeof(*icmp));
	ip->version = 6;
	ip->payload_len = bpf_htons(sizeof(*icmp) + quoted);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = REPLY_TTL;
	__builtin_memcpy(&ip->addrs.saddr, source, sizeof(ip->addrs.saddr));
	__builtin_memcpy(&ip->addrs.daddr, &p->saddr, sizeof(ip->addrs.daddr));
	icmp->icmp6_type = ICMPV6_PKT_TOO_BIG;
	icmp->icmp6_dataun.un_data32[0] = bpf_htonl(mtu);
	icmp->icmp6_cksum = ~sum_fold(bpf_csum_diff(NULL, 0, (void *)&ip->addrs,
						    sizeof(ip->addrs) + sizeof(*icmp) + quoted,
						    bpf_csum_diff(NULL, 0, rest, sizeof(rest), 0)));
}

/**
 * too_big() - Answer a packet that is too big, back by the device that it came from
 * @skb, @p: the packet, without IP options or extension headers; becomes the answer
 * @source: address of the answer
 * @l2_len: bytes before the IP header
 * @mtu: that the sender is told
 *
 * Return: TC_ACT_*.
 */
__hidden int too_big(struct __sk_buff *skb, struct packet *p, const union addr *source,
		     __u32 l2_len, __u32 mtu)
{
	bool is_v4 = p->ip_version == IP_VERSION_4;
	__u32 ip_len = plain_header_len(p), added = ip_len + sizeof(struct icmphdr);
	__u32 quoted = ip_len + QUOTED_L4, ifindex = skb->ifindex;
	void *data, *data_end;

	if (bpf_skb_change_tail(skb, l2_len + quoted, 0) ||
	    bpf_skb_adjust_room(skb, added, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET) ||
	    bpf_skb_pull_data(skb, l2_len + added + quoted))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if (data + l2_len + 2 * sizeof(struct iphdr) + sizeof(struct icmphdr) + QUOTED_L4 >
	    data_end)
		return TC_ACT_SHOT;
	if (l2_len)
		swap_link_addresses(data);
	if (is_v4) {
		write_icmp4(data + l2_len, p, source, mtu);
	} else {
		if (data + l2_len + 2 * sizeof(struct ipv6hdr) + sizeof(struct icmphdr) +
			    QUOTED_L4 >
		    data_end)
			return TC_ACT_SHOT;
		write_icmp6(data + l2_len, p, source, mtu);
	}
	return bpf_redirect(ifindex, 0);
}
