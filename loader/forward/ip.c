/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>

#define EXTENSION_HEADERS_MAX 8 /* the dataplane accepts fewer */

static void addr_from4(union addr *addr, const void *from)
{
	memset(addr, 0, sizeof(*addr));
	addr->word[2] = htonl(0xffff);
	memcpy(&addr->word[3], from, 4);
}

static uint16_t read16(const uint8_t *from)
{
	return from[0] << 8 | from[1];
}

static int parse4(struct ip_packet *p, size_t len)
{
	struct iphdr header;
	uint16_t frag;

	if (len < sizeof(header))
		return -EBADMSG;
	memcpy(&header, p->data, sizeof(header));
	p->l4_off = header.ihl * 4;
	p->len = ntohs(header.tot_len);
	if (p->l4_off < sizeof(header) || p->len < p->l4_off || p->len > len)
		return -EBADMSG;
	addr_from4(&p->ends.saddr, &header.saddr);
	addr_from4(&p->ends.daddr, &header.daddr);
	p->l4_proto = header.protocol;
	p->ttl = header.ttl;
	p->tos = header.tos;
	frag = ntohs(header.frag_off);
	p->dont_fragment = frag & IP_DF;
	p->more_fragments = frag & IP_MF;
	p->frag_off = (frag & IP_OFFMASK) * 8;
	p->frag_id = ntohs(header.id);
	p->is_fragment = p->more_fragments || p->frag_off;
	return 0;
}

static int parse_fragment_header(struct ip_packet *p)
{
	uint16_t off;

	if (p->l4_off + sizeof(struct ip6_frag) > p->len)
		return -EBADMSG;
	off = read16(p->data + p->l4_off + 2);
	p->more_fragments = off & 1;
	p->frag_off = off & ~7;
	memcpy(&p->frag_id, p->data + p->l4_off + 4, 4);
	p->frag_header_off = p->l4_off;
	p->is_fragment = true; /* an atomic one has a header to take off as well */
	return 0;
}

/* Walk the extension headers to the transport header, or to a later fragment's data. */
static int parse_extensions(struct ip_packet *p)
{
	uint16_t next_off = offsetof(struct ip6_hdr, ip6_nxt);

	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		const uint8_t *header = p->data + p->l4_off;
		bool is_fragment = p->l4_proto == IPPROTO_FRAGMENT;
		uint32_t len = 8;

		if (p->l4_proto != IPPROTO_HOPOPTS && p->l4_proto != IPPROTO_ROUTING &&
		    p->l4_proto != IPPROTO_DSTOPTS && !is_fragment)
			return 0;
		if (p->l4_off + 8 > p->len)
			return -EBADMSG;
		if (is_fragment) {
			if (p->is_fragment || parse_fragment_header(p))
				return -EBADMSG;
			p->frag_next_off = next_off;
		} else {
			len = (header[1] + 1) * 8;
		}
		if (p->l4_off + len > p->len)
			return -EBADMSG;
		p->l4_proto = header[0];
		next_off = p->l4_off;
		p->l4_off += len;
		if (p->is_fragment && p->frag_off)
			return 0;
	}
	return -EBADMSG;
}

static int parse6(struct ip_packet *p, size_t len)
{
	struct ip6_hdr header;

	if (len < sizeof(header))
		return -EBADMSG;
	memcpy(&header, p->data, sizeof(header));
	p->l4_off = sizeof(header);
	p->len = sizeof(header) + ntohs(header.ip6_plen);
	if (p->len > len)
		return -EBADMSG;
	memcpy(&p->ends.saddr, &header.ip6_src, 16);
	memcpy(&p->ends.daddr, &header.ip6_dst, 16);
	p->l4_proto = header.ip6_nxt;
	p->ttl = header.ip6_hlim;
	p->tos = ntohl(header.ip6_flow) >> 20;
	p->dont_fragment = true;
	return parse_extensions(p);
}

/**
 * ip_parse() - Read the headers of a packet up to its transport header
 * @data: the IP header
 * @len: bytes there are
 * @packet: is filled on success
 *
 * Return: 0, or -EBADMSG where the lengths do not fit.
 */
int ip_parse(uint8_t *data, size_t len, struct ip_packet *packet)
{
	struct ip_packet p = {.data = data};
	int err = -EBADMSG;

	if (!len)
		return err;
	p.ends.version = data[0] >> 4;
	if (p.ends.version == IP_VERSION_4)
		err = parse4(&p, len);
	else if (p.ends.version == IP_VERSION_6)
		err = parse6(&p, len);
	if (!err)
		*packet = p;
	return err;
}

/**
 * tcp_parse() - Read a TCP header
 * @packet: not a later fragment
 * @header: is filled on success, without its options, which are there
 *
 * Return: 0, or -EBADMSG where the packet does not hold the whole header.
 */
int tcp_parse(const struct ip_packet *packet, struct tcphdr *header)
{
	uint32_t len = packet->len - packet->l4_off;

	if (len < sizeof(*header))
		return -EBADMSG;
	memcpy(header, packet->data + packet->l4_off, sizeof(*header));
	if (header->th_off < sizeof(*header) / 4 || len < header->th_off * 4u)
		return -EBADMSG;
	return 0;
}

/**
 * ip_sum() - Add bytes to an internet checksum (RFC 1071)
 * @sum: of the even number of bytes before
 *
 * Return: the sum, to be folded.
 */
uint64_t ip_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *bytes = data;
	uint64_t word;

	/* the two halves of a word are added apart, so that none of them carries out of the sum */
	for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += (uint32_t)word + (word >> 32);
	}
	if (len) {
		word = 0;
		memcpy(&word, bytes, len);
		sum += (uint32_t)word + (word >> 32);
	}
	return sum;
}

/**
 * ip_fold() - The 16 bits of a sum, not complemented, in network order
 */
uint16_t ip_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/**
 * ip_pseudo_sum() - The sum of a transport protocol's pseudo header
 * @l4_len: bytes of the transport packet
 */
uint64_t ip_pseudo_sum(const struct ip_ends *ends, uint8_t l4_proto, uint32_t l4_len)
{
	uint64_t sum = (uint64_t)htonl(l4_len) + htonl(l4_proto);

	if (ends->version == IP_VERSION_4)
		return sum + ends->saddr.word[3] + ends->daddr.word[3];
	sum = ip_sum(&ends->saddr, 16, sum);
	return ip_sum(&ends->daddr, 16, sum);
}

/* Where the checksum of a transport header is; 0 where the protocol has none that is known. */
static size_t sum_offset(uint8_t l4_proto)
{
	switch (l4_proto) {
	case IPPROTO_TCP:
		return offsetof(struct tcphdr, th_sum);
	case IPPROTO_UDP:
		return offsetof(struct udphdr, uh_sum);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return offsetof(struct icmp6_hdr, icmp6_cksum);
	default:
		return 0;
	}
}

static bool l4_sum_is_right(const struct ip_packet *p)
{
	size_t at = sum_offset(p->l4_proto), len = p->len - p->l4_off;
	const uint8_t *l4 = p->data + p->l4_off;
	uint64_t pseudo = 0;
	uint16_t sum;

	if (!at || len < at + sizeof(sum))
		return true; /* its reader refuses what is too short */
	memcpy(&sum, l4 + at, sizeof(sum));
	if (p->l4_proto == IPPROTO_UDP) {
		size_t said = read16(l4 + offsetof(struct udphdr, uh_ulen));

		if (said < UDP_HEADER_LEN || said > len)
			return true;
		if (!sum)
			return p->ends.version == IP_VERSION_4; /* RFC 768; RFC 8200, 8.1 */
		len = said;
	}
	if (p->l4_proto != IPPROTO_ICMP) {
		pseudo = ip_pseudo_sum(&p->ends, p->l4_proto, len);
		if (sum == ip_fold(pseudo))
			return true;
	}
	return ip_fold(ip_sum(l4, len, pseudo)) == 0xffff;
}

/**
 * ip_sums_are_right() - Verify the checksums of a packet: IPv4 header, TCP, UDP, ICMP
 * @packet: of a fragment only the IP header is looked at, as its datagram has the rest
 *
 * What a local sender hands to a virtual device has no checksum yet, but the folded sum of its
 * pseudo header, which the device would start from (CHECKSUM_PARTIAL): that is right as well.
 */
bool ip_sums_are_right(const struct ip_packet *packet)
{
	if (packet->ends.version == IP_VERSION_4 &&
	    ip_fold(ip_sum(packet->data, packet->l4_off, 0)) != 0xffff)
		return false;
	return packet->is_fragment || l4_sum_is_right(packet);
}

/**
 * ip_header_len() - Bytes of the headers that ip_header_write() writes
 */
size_t ip_header_len(uint8_t version)
{
	return version == IP_VERSION_4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
}

static void sum4_set(uint8_t *header, uint32_t len)
{
	uint16_t sum = 0;

	memcpy(header + offsetof(struct iphdr, check), &sum, 2);
	sum = ~ip_fold(ip_sum(header, len, 0));
	memcpy(header + offsetof(struct iphdr, check), &sum, 2);
}

/**
 * ip_header_write() - Write an IP header without options
 * @to: ip_header_len() bytes
 * @payload_len: what follows, at most 65,515 bytes
 */
void ip_header_write(uint8_t *to, const struct ip_ends *ends, uint8_t l4_proto, uint8_t ttl,
		     size_t payload_len)
{
	struct iphdr header4 = {
		.version = 4,
		.ihl = sizeof(header4) / 4,
		.tot_len = htons(sizeof(header4) + payload_len),
		.ttl = ttl,
		.protocol = l4_proto,
		.saddr = ends->saddr.word[3],
		.daddr = ends->daddr.word[3],
	};
	struct ip6_hdr header6 = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(payload_len),
		.ip6_nxt = l4_proto,
		.ip6_hlim = ttl,
	};

	if (ends->version == IP_VERSION_4) {
		memcpy(to, &header4, sizeof(header4));
		sum4_set(to, sizeof(header4));
		return;
	}
	memcpy(&header6.ip6_src, &ends->saddr, 16);
	memcpy(&header6.ip6_dst, &ends->daddr, 16);
	memcpy(to, &header6, sizeof(header6));
}

/**
 * ip_length_set() - Change the length of a packet in its IP header
 * @header: of a packet that ip_parse() accepted
 * @l4_off: as in struct ip_packet
 * @len: of the whole packet, at most 65,535
 */
void ip_length_set(uint8_t *header, uint8_t version, uint32_t l4_off, uint32_t len)
{
	uint16_t value;

	if (version == IP_VERSION_4) {
		value = htons(len);
		memcpy(header + offsetof(struct iphdr, tot_len), &value, 2);
		sum4_set(header, l4_off);
	} else {
		value = htons(len - sizeof(struct ip6_hdr));
		memcpy(header + offsetof(struct ip6_hdr, ip6_plen), &value, 2);
	}
}

/* Change a 16-bit word of an IPv4 header (RFC 1624). */
static void word4_set(uint8_t *header, size_t off, const uint8_t word[2])
{
	size_t sum_off = offsetof(struct iphdr, check);
	uint16_t old, new, sum;

	memcpy(&old, header + off, 2);
	memcpy(&new, word, 2);
	memcpy(&sum, header + sum_off, 2);
	sum = ~ip_fold((uint64_t)(uint16_t)~sum + (uint16_t)~old + new);
	memcpy(header + off, &new, 2);
	memcpy(header + sum_off, &sum, 2);
}

/**
 * ip_tos_set() - Change DSCP and ECN in an IP header
 */
void ip_tos_set(uint8_t *header, uint8_t version, uint8_t tos)
{
	if (version == IP_VERSION_4) {
		word4_set(header, 0, (const uint8_t[]){header[0], tos});
	} else {
		header[0] = (header[0] & 0xf0) | tos >> 4;
		header[1] = (header[1] & 0x0f) | tos << 4;
	}
}

/**
 * ip_id_set() - Change the identification in an IPv4 header
 * @id: host order
 */
void ip_id_set(uint8_t *header, uint16_t id)
{
	word4_set(header, offsetof(struct iphdr, id), (const uint8_t[]){id >> 8, id});
}

/**
 * ip_ttl_set() - Change the time to live in an IP header
 */
void ip_ttl_set(uint8_t *header, uint8_t version, uint8_t ttl)
{
	size_t off = offsetof(struct iphdr, ttl);

	if (version == IP_VERSION_4)
		word4_set(header, off, (const uint8_t[]){ttl, header[off + 1]});
	else
		header[offsetof(struct ip6_hdr, ip6_hlim)] = ttl;
}

/**
 * ip_ends_swap() - The ends of an answer
 */
void ip_ends_swap(const struct ip_ends *from, struct ip_ends *to)
{
	struct ip_ends swapped = {
		.saddr = from->daddr,
		.daddr = from->saddr,
		.version = from->version,
	};

	*to = swapped;
}

/**
 * tcp_reset_build() - The answer of a closed port to a SYN (RFC 9293, section 3.10.7.1)
 * @to: becomes an IP packet
 * @syn: tcp_parse() accepted it
 *
 * Return: its length.
 */
size_t tcp_reset_build(uint8_t to[IP_HEADER_MAX + TCP_RESET_LEN], const struct ip_packet *syn)
{
	struct tcphdr asked, answer = {.th_off = TCP_RESET_LEN / 4, .th_flags = TH_RST | TH_ACK};
	size_t header_len = ip_header_len(syn->ends.version);
	struct ip_ends ends;
	uint64_t sum;

	ip_ends_swap(&syn->ends, &ends);
	memcpy(&asked, syn->data + syn->l4_off, sizeof(asked));
	answer.th_sport = asked.th_dport;
	answer.th_dport = asked.th_sport;
	answer.th_ack = htonl(ntohl(asked.th_seq) + 1);
	sum = ip_pseudo_sum(&ends, IPPROTO_TCP, TCP_RESET_LEN);
	answer.th_sum = ~ip_fold(ip_sum(&answer, sizeof(answer), sum));
	ip_header_write(to, &ends, IPPROTO_TCP, IP_TTL_DEFAULT, TCP_RESET_LEN);
	memcpy(to + header_len, &answer, sizeof(answer));
	return header_len + TCP_RESET_LEN;
}

/**
 * icmp_sum_set() - Write the checksum of an ICMP message of either family
 * @icmp: the message, @len bytes, at least ICMP_HEADER_LEN
 */
void icmp_sum_set(uint8_t *icmp, size_t len, const struct ip_ends *ends)
{
	uint64_t sum = 0;
	uint16_t folded = 0;

	if (ends->version == IP_VERSION_6)
		sum = ip_pseudo_sum(ends, IPPROTO_ICMPV6, len);
	memcpy(icmp + 2, &folded, 2);
	folded = ~ip_fold(ip_sum(icmp, len, sum));
	memcpy(icmp + 2, &folded, 2);
}

/**
 * icmp_error_numbers() - Type and code of an error (RFC 792, RFC 1812, RFC 4443)
 */
void icmp_error_numbers(enum icmp_error kind, uint8_t version, uint8_t *type, uint8_t *code)
{
	static const uint8_t numbers4[][2] = {
		[ICMP_ERROR_NO_ROUTE] = {ICMP_UNREACH, ICMP_UNREACH_NET},
		[ICMP_ERROR_HOST] = {ICMP_UNREACH, ICMP_UNREACH_HOST},
		[ICMP_ERROR_PORT] = {ICMP_UNREACH, ICMP_UNREACH_PORT},
		[ICMP_ERROR_PROHIBITED] = {ICMP_UNREACH, ICMP_UNREACH_FILTER_PROHIB},
		[ICMP_ERROR_TOO_BIG] = {ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG},
		[ICMP_ERROR_TIME] = {ICMP_TIMXCEED, ICMP_TIMXCEED_INTRANS},
	};
	static const uint8_t numbers6[][2] = {
		[ICMP_ERROR_NO_ROUTE] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE},
		[ICMP_ERROR_HOST] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR},
		[ICMP_ERROR_PORT] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT},
		[ICMP_ERROR_PROHIBITED] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN},
		[ICMP_ERROR_TOO_BIG] = {ICMP6_PACKET_TOO_BIG, 0},
		[ICMP_ERROR_TIME] = {ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT},
	};
	const uint8_t *numbers = version == IP_VERSION_4 ? numbers4[kind] : numbers6[kind];

	*type = numbers[0];
	*code = numbers[1];
}

/**
 * icmp_error_build() - An ICMP error
 * @to: becomes an IP packet
 * @ends: of the error, its destination being the source of the quoted packet
 * @info: second word of the header, host byte order: the MTU of "too big" errors, else 0
 * @quoted: the packet that it is about, cut where the error would exceed ICMP_ERROR_MAX
 *
 * Return: its length.
 */
size_t icmp_error_build(uint8_t to[ICMP_ERROR_MAX], const struct ip_ends *ends, uint8_t type,
			uint8_t code, uint32_t info, const uint8_t *quoted, size_t quoted_len)
{
	size_t header_len = ip_header_len(ends->version);
	size_t room = ICMP_ERROR_MAX - header_len - ICMP_HEADER_LEN;
	bool is4 = ends->version == IP_VERSION_4;
	uint8_t *icmp = to + header_len;

	/* RFC 1812, 4.3.2.3: what a router says to IPv4 hosts fits 576 bytes */
	if (is4)
		room = 576 - header_len - ICMP_HEADER_LEN;
	if (quoted_len > room)
		quoted_len = room;
	info = htonl(info);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 4, &info, 4);
	memcpy(icmp + ICMP_HEADER_LEN, quoted, quoted_len);
	icmp_sum_set(icmp, ICMP_HEADER_LEN + quoted_len, ends);
	ip_header_write(to, ends, is4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, IP_TTL_DEFAULT,
			ICMP_HEADER_LEN + quoted_len);
	return header_len + ICMP_HEADER_LEN + quoted_len;
}
