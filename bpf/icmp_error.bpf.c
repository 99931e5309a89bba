/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 5: ICMP errors.  One that quotes a packet of a live flow, going the way it went, is
 * related to that flow and passes with it, whatever the rules say of ICMP (path MTU discovery
 * depends on it); any other goes to the ACLs.  It is for whom the quoted packet came from, and for
 * nobody else.
 *
 * A quote is translated like the packet that it is of (RFC 5508, section 4), or the end that sent
 * this would not know it.
 */
#include "packet.h"

#include "nat.h"
#include "rewrite.h"

#define ICMP_QUOTE_OFF 8 /* the quoted packet, from the ICMP header (RFC 792, RFC 4443) */
#define QUOTED_L4_LEN  8 /* bytes of its transport header that every error quotes */
#define QUOTE_OFF_MAX  256
#define HOPOPTS_MAX    64 /* bytes of a quoted hop-by-hop header that are walked over */

__hidden extern const union addr *nat_translation_lookup(const union addr *addr);

/* RFC 792 types 3, 11, 12; RFC 4443 types 1 to 4. */
static __always_inline bool is_icmp_error(const struct packet *p)
{
	if (p->ip_version == IP_VERSION_4)
		return p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12;
	return p->icmp_type >= 1 && p->icmp_type <= 4;
}

/* The extension header of a quoted IPv6 packet: its length in bytes, -1 for one not understood. */
static __always_inline int quoted_ext(const struct frame *f, __u32 ip_len, __u32 off,
				      struct tuple *quoted)
{
	const struct frag_hdr *ext = f->data + off; /* hop-by-hop begins alike */
	__u32 len = sizeof(*ext);

	if (quoted->l4_proto != IPPROTO_HOPOPTS && quoted->l4_proto != IPPROTO_FRAGMENT)
		return 0;
	if ((void *)(ext + 1) > f->data_end || off + sizeof(*ext) > ip_len)
		return -1;
	if (quoted->l4_proto == IPPROTO_HOPOPTS)
		len = (ext->reserved + 1) * 8;
	else if (ext->frag_off & bpf_htons(~7)) /* a later one has no ports */
		return -1;
	quoted->l4_proto = ext->nexthdr;
	return len <= HOPOPTS_MAX ? len : -1;
}

/*
 * The quoted IP header; false where it is not there, or is of a later fragment.  What stands behind
 * the @ip_len bytes of the error is padding.
 */
static __always_inline bool quoted_ip(const struct frame *f, __u32 ip_len, struct quote *quote)
{
	struct tuple *quoted = &quote->tuple;
	__u32 off = quote->ip_off;

	if (quoted->ip_version == IP_VERSION_4) {
		struct iphdr *ip = f->data + off;

		if ((void *)(ip + 1) > f->data_end || off + sizeof(*ip) > ip_len ||
		    ip->version != 4 || ip->ihl < 5 || ip->frag_off & bpf_htons(0x1fff))
			return false;
		quoted->saddr.word[2] = quoted->daddr.word[2] = bpf_htonl(0xffff);
		quoted->saddr.word[3] = ip->saddr;
		quoted->daddr.word[3] = ip->daddr;
		quoted->l4_proto = ip->protocol;
		quote->l4_off = off + ip->ihl * 4;
	} else {
		struct ipv6hdr *ip = f->data + off;
		int ext_len;

		if ((void *)(ip + 1) > f->data_end || off + sizeof(*ip) > ip_len ||
		    ip->version != 6)
			return false;
		__builtin_memcpy(&quoted->saddr, &ip->addrs.saddr, sizeof(quoted->saddr));
		__builtin_memcpy(&quoted->daddr, &ip->addrs.daddr, sizeof(quoted->daddr));
		quoted->l4_proto = ip->nexthdr;
		ext_len = quoted_ext(f, ip_len, off + sizeof(*ip), quoted);
		if (ext_len < 0)
			return false;
		quote->l4_off = off + sizeof(*ip) + ext_len;
	}
	return true;
}

/* Ports, or the identifier of a quoted echo message; other protocols have neither. */
static __always_inline bool quoted_l4(const struct frame *f, const struct packet *p,
				      struct quote *quote)
{
	struct packet echo = {.ip_version = p->ip_version};
	struct tuple *quoted = &quote->tuple;
	__u32 off = quote->l4_off;
	const __be16 *l4;

	if (!l4_has_ports(quoted->l4_proto) && quoted->l4_proto != p->l4_proto)
		return true;
	if (off > QUOTE_OFF_MAX + 128 || off + QUOTED_L4_LEN > p->ip_len)
		return false;
	l4 = f->data + off;
	if ((void *)l4 + QUOTED_L4_LEN > f->data_end)
		return false;
	if (quoted->l4_proto != p->l4_proto) {
		quoted->sport = l4[0];
		quoted->dport = l4[1];
		return true;
	}
	echo.icmp_type = *(const __u8 *)l4;
	quoted->sport = l4[2];
	quoted->is_echo_reply = !icmp_is_request(&echo);
	return icmp_is_echo(&echo);
}

/* Whether the packet is an ICMP error with a quote that is understood. */
static __always_inline bool read_quote(const struct frame *f, const struct packet *p,
				       struct quote *quote)
{
	if (!is_icmp(p) || !is_icmp_error(p) || p->l4_off > QUOTE_OFF_MAX)
		return false;
	quote->tuple.ip_version = p->ip_version;
	quote->ip_off = p->l4_off + ICMP_QUOTE_OFF;
	return quoted_ip(f, p->ip_len, quote) && quoted_l4(f, p, quote);
}

/**
 * icmp_error_quote() - What an ICMP error quotes
 * @f, @p: the error
 * @quote: all zero; is filled
 *
 * Return: whether the packet is an error with a quote that is understood.
 */
__hidden bool icmp_error_quote(struct frame *f, struct packet *p, struct quote *quote)
{
	return read_quote(f, p, quote);
}

/**
 * icmp_error_in() - Is the inbound packet an ICMP error about a live flow?
 * @f, @p: packet; a quote of a translated packet becomes one of the packet before
 *
 * Return: VERDICT_PASS or VERDICT_FORWARD if so, else VERDICT_CONTINUE.
 */
__hidden enum verdict icmp_error_in(struct frame *f, struct packet *p)
{
	struct quote quote = {};
	enum verdict verdict;
	union addr daddr;
	__be16 sport;

	if (!config.stateful || !read_quote(f, p, &quote) ||
	    !addr_equal(&quote.tuple.saddr, &p->daddr) || judge_is_martian(p))
		return VERDICT_CONTINUE;
	daddr = quote.tuple.daddr;
	sport = quote.tuple.sport;
	verdict = conntrack_related(p, &quote.tuple);
	if (verdict == VERDICT_CONTINUE)
		return verdict;
	if (config.nat_one_to_one && !addr_equal(&daddr, &quote.tuple.daddr))
		rewrite_quote_addr(f, p, quote.ip_off, false, &daddr, &quote.tuple.daddr,
				   config.hook == HOOK_TC);
	if (config.nat_port && sport != quote.tuple.sport)
		rewrite_quote_port(f, p, quote.l4_off, sport, quote.tuple.sport,
				   config.hook == HOOK_TC);
	return verdict;
}

/**
 * icmp_error_out() - Translate the quote of an outbound error as the peer knows the packet
 * @f, @p: packet, in TC
 */
__hidden void icmp_error_out(struct frame *f, struct packet *p)
{
	const union addr *translated;
	struct quote quote = {};
	__be16 port = 0;

	if (!read_quote(f, p, &quote))
		return;
	if (config.nat_port && config.stateful)
		port = conntrack_asked_port(p, &quote.tuple);
	if (port)
		rewrite_quote_port(f, p, quote.l4_off + sizeof(__be16), quote.tuple.dport, port,
				   true);
	if (!config.nat_one_to_one)
		return;
	translated = nat_translation_lookup(&quote.tuple.saddr);
	if (translated)
		rewrite_quote_addr(f, p, quote.ip_off, true, &quote.tuple.saddr, translated, true);
}
