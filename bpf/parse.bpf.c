/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 1: the headers, every length checked before anything is believed.
 *
 * A header counts as present only where both the frame (avail_len) and the IP length say so, and
 * where the linear part holds it.  Of IPv6 extension headers a hop-by-hop header or a fragment
 * header is accepted, directly behind the IPv6 header: no chain, so no header can hide the ports.
 */
#include "addr.h"
#include "options.h"
#include "packet.h"

#define IP_FLAG_MF     0x2000
#define IP_OFFSET_MASK 0x1fff
#define HOPOPTS_MAX    256 /* bytes of hop-by-hop header that are walked over */
#define IP_LEN_MAX     65535

/**
 * header_at() - A header of the packet, NULL unless all of it is there
 * @f, @p: packet
 * @off: of the header from the IP header, bytes, bounded by the caller
 * @len: of the header, bytes
 */
static __always_inline void *header_at(const struct frame *f, const struct packet *p, __u32 off,
				       __u32 len)
{
	void *header = f->data + off;

	if (off + len > p->ip_len || header + len > f->data_end)
		return NULL;
	return header;
}

/*
 * The IP length against the frame.  Only GSO packets beyond 64 KB have no length of their own
 * (BIG TCP: total length or payload length zero).
 */
static __always_inline bool ip_len_set(struct packet *p, __u32 ip_len, bool has_len)
{
	if (!has_len && p->avail_len > IP_LEN_MAX)
		ip_len = p->avail_len;
	if (ip_len > p->avail_len)
		return false;
	p->ip_len = ip_len;
	return true;
}

/* The window scale option of a SYN (RFC 7323, section 2.2), SCALE_NONE for none. */
static __noinline __u8 syn_scale(const struct frame *f, __u32 off, __u32 header_len, bool tc)
{
	struct options options = {
		.kind = {TCPOPT_WINDOW, TCPOPT_WINDOW},
		.option_len = TCPOLEN_WINDOW,
	};
	__u32 len = sizeof(struct tcphdr), value_off;

	value_off = option_find(f, off + len, header_len - len, &options, tc);
	if (!value_off)
		return SCALE_NONE;
	return options.bytes[value_off] < FLOW_SCALE_MAX ? options.bytes[value_off]
							 : FLOW_SCALE_MAX;
}

static __always_inline enum verdict parse_tcp(struct frame *f, struct packet *p, __u32 off, bool tc)
{
	struct tcphdr *tcp = header_at(f, p, off, sizeof(*tcp));
	__u32 header_len;

	if (!tcp)
		return VERDICT_DROP;
	header_len = tcp->doff * 4;
	if (header_len < sizeof(*tcp) || off + header_len > p->ip_len)
		return VERDICT_DROP;
	p->sport = tcp->source;
	p->dport = tcp->dest;
	p->tcp_flags = ((__u8 *)tcp)[13];
	p->seq = bpf_ntohl(tcp->seq);
	p->seq_end = p->seq + (p->ip_len - off - header_len) + tcp->syn + tcp->fin;
	p->ack = tcp->ack ? bpf_ntohl(tcp->ack_seq) : 0;
	p->window = bpf_ntohs(tcp->window);
	p->scale = SCALE_NONE;
	if (tcp->syn && header_len > sizeof(*tcp))
		p->scale = syn_scale(f, off, header_len, tc);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict parse_udp(struct frame *f, struct packet *p, __u32 off)
{
	struct udphdr *udp = header_at(f, p, off, sizeof(*udp));
	__u32 udp_len;

	if (!udp)
		return VERDICT_DROP;
	udp_len = bpf_ntohs(udp->len);
	if (udp_len < sizeof(*udp) && p->ip_len <= IP_LEN_MAX)
		return VERDICT_DROP;
	if (p->frag == FRAGMENT_NONE && off + udp_len > p->ip_len)
		return VERDICT_DROP;
	p->sport = udp->source;
	p->dport = udp->dest;
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict parse_icmp(struct frame *f, struct packet *p, __u32 off)
{
	struct icmphdr *icmp = header_at(f, p, off, sizeof(*icmp)); /* ICMPv6 begins alike */

	if (!icmp)
		return VERDICT_DROP;
	p->icmp_type = icmp->type;
	p->icmp_code = icmp->code;
	if (icmp_is_echo(p)) {
		p->sport = icmp->un.echo.id;
		p->dport = icmp->un.echo.sequence;
	}
	return VERDICT_CONTINUE;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports has its parser");

/* @off: the transport header, bounded by the caller */
static __always_inline enum verdict parse_transport(struct frame *f, struct packet *p, __u32 off,
						    bool tc)
{
	enum verdict verdict = VERDICT_CONTINUE;

	p->l4_off = off;
	if (p->frag == FRAGMENT_LATER)
		return VERDICT_CONTINUE;
	if (p->l4_proto == IPPROTO_TCP)
		verdict = parse_tcp(f, p, off, tc);
	else if (p->l4_proto == IPPROTO_UDP)
		verdict = parse_udp(f, p, off);
	else if (is_icmp(p))
		verdict = parse_icmp(f, p, off);
	if (verdict == VERDICT_DROP)
		return drop(p, p->frag ? REASON_FRAGMENT_TINY : REASON_BAD_TRANSPORT);
	return VERDICT_CONTINUE;
}

/*
 * What the fragment fields say.  @data_off is where the fragment's data begins in this packet,
 * @header_len what the reassembled packet's header adds to the 64 KB limit.
 */
static __always_inline enum verdict parse_fragment(struct packet *p, __u32 data_off,
						   __u32 header_len, bool more)
{
	if (!p->frag_off && !more)
		return VERDICT_CONTINUE;
	p->frag = p->frag_off ? FRAGMENT_LATER : FRAGMENT_FIRST;
	if (p->frag_off + (p->ip_len - data_off) + header_len > IP_LEN_MAX)
		return drop(p, REASON_FRAGMENT_TOO_LONG);
	return VERDICT_CONTINUE;
}

/* Whether the packet says itself where it goes behind its destination. */
static __noinline bool has_source_route(const struct frame *f, __u32 header_len, bool tc)
{
	struct options options = {.kind = {IPOPT_LSRR, IPOPT_SSRR}};
	__u32 len = sizeof(struct iphdr);

	return option_find(f, len, header_len - len, &options, tc);
}

static __always_inline enum verdict parse_ipv4(struct frame *f, struct packet *p, bool tc)
{
	struct iphdr *ip = f->data;
	enum verdict verdict;
	__u32 header_len;
	__u16 frag;

	p->ip_version = IP_VERSION_4;
	if (p->avail_len < sizeof(*ip) || (void *)(ip + 1) > f->data_end)
		return drop(p, REASON_BAD_IP_LENGTH);
	header_len = ip->ihl * 4;
	if (ip->version != 4 || header_len < sizeof(*ip))
		return drop(p, REASON_BAD_IP_HEADER);
	if (!ip_len_set(p, bpf_ntohs(ip->tot_len), ip->tot_len) || header_len > p->ip_len)
		return drop(p, REASON_BAD_IP_LENGTH);

	if (header_len > sizeof(*ip) && p->direction != DIR_EGRESS &&
	    has_source_route(f, header_len, tc))
		return drop(p, REASON_SOURCE_ROUTE);

	p->saddr.word[2] = bpf_htonl(0xffff);
	p->saddr.word[3] = ip->saddr;
	p->daddr.word[2] = bpf_htonl(0xffff);
	p->daddr.word[3] = ip->daddr;
	p->l4_proto = ip->protocol;
	p->hop_limit = ip->ttl;
	frag = bpf_ntohs(ip->frag_off);
	p->frag_off = (frag & IP_OFFSET_MASK) * 8;
	p->frag_id = ip->id;
	verdict = parse_fragment(p, header_len, header_len, frag & IP_FLAG_MF);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	return parse_transport(f, p, header_len, tc);
}

static __always_inline bool is_ext_header(__u8 next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING ||
	       next_header == IPPROTO_FRAGMENT || next_header == IPPROTO_DSTOPTS ||
	       next_header == IPPROTO_AH || next_header == IPPROTO_MH ||
	       next_header == IPPROTO_HIP || next_header == IPPROTO_SHIM6;
}

/* The one extension header that may stand between the IPv6 header and the transport header. */
static __always_inline enum verdict parse_ipv6_ext(struct frame *f, struct packet *p, __u32 *off)
{
	struct frag_hdr *ext = header_at(f, p, *off, sizeof(*ext)); /* hop-by-hop begins alike */
	enum verdict verdict;

	if (!ext)
		return drop(p, REASON_BAD_EXT_HEADER);
	if (p->l4_proto == IPPROTO_HOPOPTS) {
		__u32 len = (ext->reserved + 1) * 8;

		if (len > HOPOPTS_MAX || *off + len > p->ip_len)
			return drop(p, REASON_BAD_EXT_HEADER);
		*off += len;
		p->l4_proto = ext->nexthdr;
	} else if (p->l4_proto == IPPROTO_FRAGMENT) {
		__u16 frag = bpf_ntohs(ext->frag_off);

		*off += sizeof(*ext);
		p->l4_proto = ext->nexthdr;
		p->frag_off = frag & ~7;
		p->frag_id = ext->identification;
		verdict = parse_fragment(p, *off, 0, frag & 1);
		if (verdict != VERDICT_CONTINUE)
			return verdict;
	}
	if (is_ext_header(p->l4_proto) && p->frag != FRAGMENT_LATER)
		return drop(p, REASON_BAD_EXT_HEADER);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict parse_ipv6(struct frame *f, struct packet *p, bool tc)
{
	struct ipv6hdr *ip = f->data;
	__u32 off = sizeof(*ip);
	enum verdict verdict;

	p->ip_version = IP_VERSION_6;
	if (p->avail_len < sizeof(*ip) || (void *)(ip + 1) > f->data_end)
		return drop(p, REASON_BAD_IP_LENGTH);
	if (ip->version != 6)
		return drop(p, REASON_BAD_IP_HEADER);
	if (!ip_len_set(p, sizeof(*ip) + bpf_ntohs(ip->payload_len), ip->payload_len))
		return drop(p, REASON_BAD_IP_LENGTH);

	__builtin_memcpy(&p->saddr, &ip->addrs.saddr, sizeof(p->saddr));
	__builtin_memcpy(&p->daddr, &ip->addrs.daddr, sizeof(p->daddr));
	if (addr_is_mapped(&p->saddr)) /* tables would take it for the IPv4 address */
		return drop(p, REASON_MARTIAN_SOURCE);
	if (addr_is_mapped(&p->daddr))
		return drop(p, REASON_MARTIAN_DEST);
	p->l4_proto = ip->nexthdr;
	p->hop_limit = ip->hop_limit;
	if (is_ext_header(p->l4_proto)) {
		verdict = parse_ipv6_ext(f, p, &off);
		if (verdict != VERDICT_CONTINUE)
			return verdict;
	}
	return parse_transport(f, p, off, tc);
}

/**
 * parse() - Read the headers
 * @f: frame
 * @p: packet with avail_len and direction set
 * @ethertype: host byte order; on L3 devices made from the IP version
 * @tc: in a TC program
 *
 * Return: VERDICT_CONTINUE with every header field of @p set, VERDICT_DROP for what is malformed
 * or not IP, VERDICT_PASS for ARP.
 */
__hidden enum verdict parse(struct frame *f, struct packet *p, __u16 ethertype, bool tc)
{
	enum verdict verdict;

	if (ethertype == ETH_P_IP)
		verdict = parse_ipv4(f, p, tc);
	else if (ethertype == ETH_P_IPV6)
		verdict = parse_ipv6(f, p, tc);
	else if (ethertype == ETH_P_ARP && config.l2_len)
		return pass(p, REASON_LINK_HOUSEKEEPING);
	else
		return drop(p, REASON_NOT_IP);
	p->wire_addr = p->direction == DIR_INGRESS ? p->saddr : p->daddr;
	trace_note(p, STAGE_RECEIVED, MESSAGE_RECEIVED);
	return verdict;
}
