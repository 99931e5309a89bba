/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 5: ICMP errors.  One that quotes a packet of a live flow, going the way it went, is
 * related to that flow and passes with it, whatever the rules say of ICMP (path MTU discovery
 * depends on it); any other goes to the ACLs.
 */
#include "packet.h"

#define ICMP_QUOTE_OFF 8 /* the quoted packet, from the ICMP header (RFC 792, RFC 4443) */
#define QUOTED_L4_LEN  8 /* bytes of its transport header that every error quotes */
#define QUOTE_OFF_MAX  512

/* RFC 792 types 3, 11, 12; RFC 4443 types 1 to 4. */
static __always_inline bool is_icmp_error(const struct packet *p)
{
	if (p->ip_version == IP_VERSION_4)
		return p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12;
	return p->icmp_type >= 1 && p->icmp_type <= 4;
}

/* The quoted IP header; returns the offset of the quoted transport header, 0 for none. */
static __always_inline __u32 quoted_ip(struct frame *f, __u32 off, struct tuple *quoted)
{
	if (quoted->ip_version == IP_VERSION_4) {
		struct iphdr *ip = f->data + off;

		if ((void *)(ip + 1) > f->data_end || ip->version != 4 || ip->ihl < 5 ||
		    ip->frag_off & bpf_htons(0x1fff))
			return 0;
		quoted->saddr.word[2] = quoted->daddr.word[2] = bpf_htonl(0xffff);
		quoted->saddr.word[3] = ip->saddr;
		quoted->daddr.word[3] = ip->daddr;
		quoted->l4_proto = ip->protocol;
		off += ip->ihl * 4;
	} else {
		struct ipv6hdr *ip = f->data + off;

		if ((void *)(ip + 1) > f->data_end || ip->version != 6)
			return 0;
		__builtin_memcpy(&quoted->saddr, &ip->addrs.saddr, sizeof(quoted->saddr));
		__builtin_memcpy(&quoted->daddr, &ip->addrs.daddr, sizeof(quoted->daddr));
		quoted->l4_proto = ip->nexthdr;
		off += sizeof(*ip);
	}
	return off;
}

/* Ports, or the identifier of a quoted echo message; @l4: the eight bytes that are there. */
static __always_inline bool quoted_l4(const __be16 *l4, const struct packet *p,
				      struct tuple *quoted)
{
	struct packet echo = {.ip_version = p->ip_version};

	if (quoted->l4_proto == IPPROTO_TCP || quoted->l4_proto == IPPROTO_UDP) {
		quoted->sport = l4[0];
		quoted->dport = l4[1];
		return true;
	}
	if (quoted->l4_proto != p->l4_proto) /* is not ICMP of this family */
		return false;
	echo.icmp_type = *(const __u8 *)l4;
	quoted->sport = l4[2];
	quoted->is_echo_reply = !icmp_is_request(&echo);
	return icmp_is_echo(&echo);
}

/**
 * icmp_error_in() - Is the inbound packet an ICMP error about a live flow?
 * @f, @p: packet
 *
 * Return: VERDICT_PASS or VERDICT_FORWARD if so, else VERDICT_CONTINUE.
 */
__hidden enum verdict icmp_error_in(struct frame *f, struct packet *p)
{
	struct tuple quoted = {.ip_version = p->ip_version};
	__u32 off = p->l4_off;
	__be16 *l4;

	if (!config.stateful || !is_icmp(p) || !is_icmp_error(p) || off > QUOTE_OFF_MAX)
		return VERDICT_CONTINUE;
	off = quoted_ip(f, off + ICMP_QUOTE_OFF, &quoted);
	if (!off || off + QUOTED_L4_LEN > p->ip_len)
		return VERDICT_CONTINUE;
	l4 = f->data + off;
	if ((void *)l4 + QUOTED_L4_LEN > f->data_end || !quoted_l4(l4, p, &quoted))
		return VERDICT_CONTINUE;
	return conntrack_related(p, &quoted);
}
