/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors to who has sent what goes no further (RFC 792, RFC 1191, RFC 4443), made of the packet
 * itself: the helpers that redirect look at no MTU, and there is no router to answer.
 */
#include "addr.h"
#include "icmp_limit.h"
#include "packet.h"
#include "tc.h"
#include "translate.h"

/*
 * Bytes behind the IP header that are quoted: a packet whose checksum is unfinished cannot be cut before
 * the end of that (bpf_skb_change_tail()), which is that of TCP.  What is shorter has the other.
 */
#define QUOTED_L4	20
#define QUOTED_L4_SHORT 8

#define REPLY_TTL 64
#define BUCKETS	  1024

#define ICMP_UNREACHABLE     3
#define ICMP_NET_UNREACH     0
#define ICMP_HOST_UNREACH    1
#define ICMP_FRAG_NEEDED     4
#define ICMP_PROHIBITED	     13
#define ICMP_TIME_EXCEEDED   11
#define ICMPV6_UNREACHABLE   1
#define ICMPV6_NOROUTE	     0
#define ICMPV6_PROHIBITED    1
#define ICMPV6_ADDR_UNREACH  3
#define ICMPV6_PKT_TOO_BIG   2
#define ICMPV6_TIME_EXCEEDED 3

/*
 * When the receivers of errors, by a hash of their addresses, may be sent a whole burst again:
 * CLOCK_MONOTONIC.  Two whose addresses meet share what is allowed; together they bound what all get.
 */
__u64 icmp_answer_due_ns[BUCKETS] = {};

/* What an error says: type and code for both families, and the word behind them. */
struct icmp_numbers {
	__u8 type[2];
	__u8 code[2];
	__u32 info;
};

static __always_inline void numbers_set(struct icmp_numbers *numbers, __u8 type4, __u8 code4,
					__u8 type6, __u8 code6)
{
	numbers->type[0] = type4;
	numbers->code[0] = code4;
	numbers->type[1] = type6;
	numbers->code[1] = code6;
}

/* What the kernel's router says where there is no route; nothing of a black hole. */
static __always_inline bool numbers_of_route(const struct packet *p, struct icmp_numbers *numbers)
{
	switch (p->no_route) {
	case BPF_FIB_LKUP_RET_BLACKHOLE:
		return false;
	case BPF_FIB_LKUP_RET_UNREACHABLE:
		numbers_set(numbers, ICMP_UNREACHABLE, ICMP_HOST_UNREACH, ICMPV6_UNREACHABLE,
			    ICMPV6_NOROUTE);
		return true;
	case BPF_FIB_LKUP_RET_PROHIBIT:
		numbers_set(numbers, ICMP_UNREACHABLE, ICMP_PROHIBITED, ICMPV6_UNREACHABLE,
			    ICMPV6_PROHIBITED);
		return true;
	}
	numbers_set(numbers, ICMP_UNREACHABLE, ICMP_NET_UNREACH, ICMPV6_UNREACHABLE,
		    ICMPV6_NOROUTE);
	return true;
}

/* What is said of a packet that was dropped; false: nothing. */
static __always_inline bool numbers_of(const struct packet *p, __u32 mtu,
				       struct icmp_numbers *numbers)
{
	switch (p->reason) {
	case REASON_TOO_BIG:
		numbers_set(numbers, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, ICMPV6_PKT_TOO_BIG, 0);
		numbers->info = bpf_htonl(mtu);
		return true;
	case REASON_TTL:
		numbers_set(numbers, ICMP_TIME_EXCEEDED, 0, ICMPV6_TIME_EXCEEDED, 0);
		return true;
	case REASON_NO_NEIGHBOUR:
		numbers_set(numbers, ICMP_UNREACHABLE, ICMP_HOST_UNREACH, ICMPV6_UNREACHABLE,
			    ICMPV6_ADDR_UNREACH);
		return true;
	case REASON_UPLINK_DOWN:
		numbers_set(numbers, ICMP_UNREACHABLE, ICMP_NET_UNREACH, ICMPV6_UNREACHABLE,
			    ICMPV6_NOROUTE);
		return true;
	case REASON_NO_ROUTE:
		return numbers_of_route(p, numbers);
	}
	return false;
}

/* Whether the receiver may be sent another error; a race of two CPUs lets one more through. */
static __always_inline bool is_within_limit(const struct packet *p)
{
	__u64 *bucket = &icmp_answer_due_ns[addr_hash(&p->saddr) % BUCKETS], due = *bucket;

	if (p->reason == REASON_TOO_BIG)
		return true;
	if ((__s64)(due - p->now_ns) < 0)
		due = p->now_ns;
	if (due - p->now_ns > (ERRORS_OF_PEER - 1) * ERROR_OF_PEER_NS)
		return false;
	*bucket = due + ERROR_OF_PEER_NS;
	return true;
}

static __always_inline void swap_link_addresses(struct ethhdr *eth)
{
	__u8 dest[6];

	__builtin_memcpy(dest, eth->h_dest, sizeof(dest));
	__builtin_memcpy(eth->h_dest, eth->h_source, sizeof(dest));
	__builtin_memcpy(eth->h_source, dest, sizeof(dest));
}

/* @ip: room for both headers, before the quote; @quoted: its length, a constant */
static __always_inline void write_icmp4(struct iphdr *ip, const struct packet *p,
					const union addr *source,
					const struct icmp_numbers *numbers, const __u32 quoted)
{
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
	icmp->type = numbers->type[0];
	icmp->code = numbers->code[0];
	icmp->un.gateway = numbers->info; /* of an MTU the lower half, as it is below 65,536 */
	icmp->checksum = ~sum_fold(bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + quoted, 0));
}

/* The same for IPv6, whose checksum covers addresses, length and protocol as well. */
static __always_inline void write_icmp6(struct ipv6hdr *ip, const struct packet *p,
					const union addr *source,
					const struct icmp_numbers *numbers, const __u32 quoted)
{
	struct icmp6hdr *icmp = (void *)(ip + 1);
	__be32 rest[2] = {bpf_htonl(sizeof(*icmp) + quoted), bpf_htonl(IPPROTO_ICMPV6)};

	__builtin_memset(ip, 0, sizeof(*ip) + sizeof(*icmp));
	ip->version = 6;
	ip->payload_len = bpf_htons(sizeof(*icmp) + quoted);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = REPLY_TTL;
	__builtin_memcpy(&ip->addrs.saddr, source, sizeof(ip->addrs.saddr));
	__builtin_memcpy(&ip->addrs.daddr, &p->saddr, sizeof(ip->addrs.daddr));
	icmp->icmp6_type = numbers->type[1];
	icmp->icmp6_code = numbers->code[1];
	icmp->icmp6_dataun.un_data32[0] = numbers->info;
	icmp->icmp6_cksum = ~sum_fold(bpf_csum_diff(NULL, 0, (void *)&ip->addrs,
						    sizeof(ip->addrs) + sizeof(*icmp) + quoted,
						    bpf_csum_diff(NULL, 0, rest, sizeof(rest), 0)));
}

/* Both headers in front of the quote, for which there is room; false where it is not there. */
static __always_inline bool write_error(struct __sk_buff *skb, const struct packet *p,
					const union addr *source,
					const struct icmp_numbers *numbers, const __u32 l2_len,
					const __u32 quoted_l4)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	void *ip = data + l2_len;
	const __u32 headers4 = sizeof(struct iphdr) + sizeof(struct icmphdr);
	const __u32 headers6 = sizeof(struct ipv6hdr) + sizeof(struct icmp6hdr);
	const __u32 quoted4 = sizeof(struct iphdr) + quoted_l4;
	const __u32 quoted6 = sizeof(struct ipv6hdr) + quoted_l4;

	if (ip + headers4 + quoted4 > data_end)
		return false;
	if (l2_len)
		swap_link_addresses(data);
	if (p->ip_version == IP_VERSION_4) {
		write_icmp4(ip, p, source, numbers, quoted4);
		return true;
	}
	if (ip + headers6 + quoted6 > data_end)
		return false;
	write_icmp6(ip, p, source, numbers, quoted6);
	return true;
}

/* The packet becomes the answer, and leaves; one body for links with a header and for those without. */
static __always_inline int answer(struct __sk_buff *skb, struct packet *p, const union addr *source,
				  const struct icmp_numbers *numbers, const __u32 l2_len)
{
	__u32 ip_len = plain_header_len(p), added = ip_len + sizeof(struct icmphdr);
	bool is_short = p->ip_len < ip_len + QUOTED_L4, is_written;
	__u32 quoted = ip_len + (is_short ? QUOTED_L4_SHORT : QUOTED_L4);

	if (bpf_skb_change_tail(skb, l2_len + quoted, 0) ||
	    bpf_skb_adjust_room(skb, added, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET) ||
	    bpf_skb_pull_data(skb, l2_len + added + quoted))
		return TC_ACT_SHOT;
	if (is_short)
		is_written = write_error(skb, p, source, numbers, l2_len, QUOTED_L4_SHORT);
	else
		is_written = write_error(skb, p, source, numbers, l2_len, QUOTED_L4);
	return is_written ? bpf_redirect(skb->ifindex, 0) : TC_ACT_SHOT;
}

/**
 * icmp_answer() - Answer a packet that was dropped, back by the device that it came from
 * @skb, @p: the packet, without IP options or extension headers and no ICMP error; becomes the answer
 * @source: address of the answer; all zero: there is none, and no answer
 * @l2_len: bytes before the IP header
 * @mtu: that the sender of what is too big is told
 *
 * Return: TC_ACT_*.
 */
int icmp_answer(struct __sk_buff *skb, struct packet *p, const union addr *source, __u32 l2_len,
		__u32 mtu)
{
	struct icmp_numbers numbers = {};

	if (!skb || !p || !source || addr_is_none(source) || !numbers_of(p, mtu, &numbers) ||
	    !is_within_limit(p))
		return TC_ACT_SHOT;
	return l2_len ? answer(skb, p, source, &numbers, ETH_HLEN)
		      : answer(skb, p, source, &numbers, 0);
}
