/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/packet.h"

#include <string.h>

#include "protocol.h"

#define IP4_HEADER	20
#define IP6_HEADER	40
#define FRAGMENT_HEADER 8
#define HOPOPTS_MAX	256 /* longer hop-by-hop headers are refused */
#define DATAGRAM_MAX	65535

/**
 * model_get16() - A number of two bytes, in network byte order
 */
uint16_t model_get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/**
 * model_get32() - A number of four bytes, in network byte order
 */
uint32_t model_get32(const uint8_t *bytes)
{
	return (uint32_t)model_get16(bytes) << 16 | model_get16(bytes + 2);
}

static void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = value >> 8;
	bytes[1] = value & 0xff;
}

/**
 * model_get_addr() - An address in a header
 * @bytes: where it is
 * @version: its family
 */
union addr model_get_addr(const uint8_t *bytes, uint8_t version)
{
	union addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (version == 4)
		memcpy(addr.bytes + 12, bytes, 4);
	else
		memcpy(addr.bytes, bytes, 16);
	return addr;
}

/**
 * model_addr_same() - Whether two addresses of one family are the same
 */
bool model_addr_same(const union addr *a, const union addr *b)
{
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/**
 * model_is_icmp() - Whether a packet is ICMP of its own family
 */
bool model_is_icmp(const struct model_packet *p)
{
	return p->version == 4 ? p->proto == ICMP4 : p->proto == ICMP6;
}

/**
 * model_is_request() - Whether an ICMP type is the echo request of a family
 */
bool model_is_request(uint8_t version, uint8_t icmp_type)
{
	return icmp_type == (version == 4 ? 8 : 128);
}

/**
 * model_is_reply() - Whether an ICMP type is the echo reply of a family
 */
bool model_is_reply(uint8_t version, uint8_t icmp_type)
{
	return icmp_type == (version == 4 ? 0 : 129);
}

/* Whether @n bytes of header at @off are in the packet. */
static bool has(const struct model_packet *p, uint32_t off, uint32_t n)
{
	return off + n <= p->end;
}

static bool tcp_is_whole(const struct model_packet *p)
{
	uint32_t header;

	if (!has(p, p->l4, 20))
		return false;
	header = (p->bytes[p->l4 + 12] >> 4) * 4;
	return header >= 20 && has(p, p->l4, header);
}

/* A fragment's UDP length is that of the datagram, so only a whole one can be held against it. */
static bool udp_is_whole(const struct model_packet *p)
{
	uint16_t length;

	if (!has(p, p->l4, 8))
		return false;
	length = model_get16(p->bytes + p->l4 + 4);
	return length >= 8 && (p->first_fragment || has(p, p->l4, length));
}

/*
 * The next option of an IPv4 or TCP header: both are lists of a kind, a length and data, with one
 * byte that pads (1) and one that ends the list (0).
 *
 * @at is where the list goes on, and is moved; false at its end, or where it is wrong.
 */
static bool next_option(const struct model_packet *p, uint32_t *at, uint32_t end,
			const uint8_t **option)
{
	while (*at < end && p->bytes[*at] == 1)
		(*at)++;
	if (*at + 2 > end || p->bytes[*at] == 0 || p->bytes[*at + 1] < 2 ||
	    *at + p->bytes[*at + 1] > end)
		return false;
	*option = p->bytes + *at;
	*at += (*option)[1];
	return true;
}

static void parse_segment(struct model_packet *p)
{
	const uint8_t *tcp = p->bytes + p->l4, *option;
	uint32_t at = p->l4 + 20, data = p->l4 + (tcp[12] >> 4) * 4;

	p->tcp = (struct model_segment){
		.seq = model_get32(tcp + 4),
		.ack = model_get32(tcp + 8),
		.len = p->end - data + !!(tcp[13] & SYN) + !!(tcp[13] & FIN),
		.window = model_get16(tcp + 14),
		.flags = tcp[13],
		.partial = p->first_fragment,
	};
	while (next_option(p, &at, data, &option)) {
		if (option[0] != 3 || option[1] != 3)
			continue;
		p->tcp.scales = true;
		p->tcp.scale = option[2];
		return;
	}
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "the model knows each protocol with ports");

static enum reason parse_transport(struct model_packet *p)
{
	const uint8_t *l4 = p->bytes + p->l4;
	bool whole = true;

	if (p->later_fragment)
		return MODEL_NO_REASON;
	if (p->proto == TCP)
		whole = tcp_is_whole(p);
	else if (p->proto == UDP)
		whole = udp_is_whole(p);
	else if (model_is_icmp(p))
		whole = has(p, p->l4, 8);
	if (!whole)
		return p->first_fragment ? REASON_FRAGMENT_TINY : REASON_BAD_TRANSPORT;

	if (p->proto == TCP || p->proto == UDP) {
		p->sport = model_get16(l4);
		p->dport = model_get16(l4 + 2);
	}
	if (p->proto == TCP)
		parse_segment(p);
	if (model_is_icmp(p)) {
		p->icmp_type = l4[0];
		p->icmp_code = l4[1];
		p->icmp_id = model_get16(l4 + 4);
	}
	return MODEL_NO_REASON;
}

/* @data is where the fragment's data begins, @header what counts into the datagram's length. */
static enum reason parse_fragment(struct model_packet *p, uint32_t data, uint32_t header, bool more)
{
	p->first_fragment = p->frag_off == 0 && more;
	p->later_fragment = p->frag_off > 0;
	if (!p->first_fragment && !p->later_fragment)
		return MODEL_NO_REASON;
	if (p->frag_off + (p->end - data) + header > DATAGRAM_MAX)
		return REASON_FRAGMENT_TOO_LONG;
	return MODEL_NO_REASON;
}

/* Loose and strict source routes: RFC 791. */
static bool is_source_routed(const struct model_packet *p)
{
	const uint8_t *option;
	uint32_t at = IP4_HEADER;

	while (next_option(p, &at, p->l4, &option))
		if (option[0] == 131 || option[0] == 137)
			return true;
	return false;
}

static enum reason parse_ip4(struct model_packet *p)
{
	uint32_t header;
	enum reason reason;

	if (p->len < IP4_HEADER)
		return REASON_BAD_IP_LENGTH;
	header = (p->bytes[0] & 0xf) * 4;
	if (p->bytes[0] >> 4 != 4 || header < IP4_HEADER)
		return REASON_BAD_IP_HEADER;
	p->end = model_get16(p->bytes + 2);
	if (p->end > p->len || p->end < header)
		return REASON_BAD_IP_LENGTH;
	p->id = model_get16(p->bytes + 4);
	p->frag_off = (model_get16(p->bytes + 6) & 0x1fff) * 8;
	p->hop_limit = p->bytes[8];
	p->proto = p->bytes[9];
	p->src = model_get_addr(p->bytes + 12, 4);
	p->dst = model_get_addr(p->bytes + 16, 4);
	p->l4 = header;
	p->source_routed = is_source_routed(p);
	reason = parse_fragment(p, header, header, p->bytes[6] & 0x20);
	return reason != MODEL_NO_REASON ? reason : parse_transport(p);
}

static bool is_extension(uint8_t next)
{
	static const uint8_t numbers[] = {0, 43, 44, 51, 60, 135, 139, 140};

	return memchr(numbers, next, sizeof(numbers)) != NULL;
}

/* One hop-by-hop or one fragment header is allowed, and nothing behind it but the transport. */
static enum reason parse_extension(struct model_packet *p)
{
	const uint8_t *header = p->bytes + p->l4;
	enum reason reason;
	uint32_t len;

	if ((p->proto != 0 && p->proto != 44) || !has(p, p->l4, 8))
		return REASON_BAD_EXT_HEADER;
	if (p->proto == 0) {
		len = header[1] * 8 + 8;
		if (len > HOPOPTS_MAX || !has(p, p->l4, len))
			return REASON_BAD_EXT_HEADER;
	} else {
		len = FRAGMENT_HEADER;
		p->frag_off = model_get16(header + 2) & 0xfff8;
		p->id = (uint32_t)model_get16(header + 4) << 16 | model_get16(header + 6);
		reason = parse_fragment(p, p->l4 + len, 0, header[3] & 1);
		if (reason != MODEL_NO_REASON)
			return reason;
	}
	p->proto = header[0];
	p->l4 += len;
	if (is_extension(p->proto) && !p->later_fragment)
		return REASON_BAD_EXT_HEADER;
	return MODEL_NO_REASON;
}

static bool is_mapped(const union addr *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(addr->bytes, mapped, sizeof(mapped));
}

static enum reason parse_ip6(struct model_packet *p)
{
	enum reason reason;

	if (p->len < IP6_HEADER)
		return REASON_BAD_IP_LENGTH;
	if (p->bytes[0] >> 4 != 6)
		return REASON_BAD_IP_HEADER;
	p->end = IP6_HEADER + model_get16(p->bytes + 4);
	if (p->end > p->len)
		return REASON_BAD_IP_LENGTH;
	p->src = model_get_addr(p->bytes + 8, 6);
	p->dst = model_get_addr(p->bytes + 24, 6);
	if (is_mapped(&p->src))
		return REASON_MARTIAN_SOURCE;
	if (is_mapped(&p->dst))
		return REASON_MARTIAN_DEST;
	p->proto = p->bytes[6];
	p->hop_limit = p->bytes[7];
	p->l4 = IP6_HEADER;
	if (is_extension(p->proto)) {
		reason = parse_extension(p);
		if (reason != MODEL_NO_REASON)
			return reason;
	}
	return parse_transport(p);
}

/**
 * model_parse() - Read the headers of a packet
 * @p: with @bytes, @len and @ethernet set, all else zero
 * @ethertype: of the frame; on L3 links the first byte decides
 *
 * Return: MODEL_NO_REASON, or why it is not read further: REASON_LINK_HOUSEKEEPING for ARP, else
 * what is wrong with it.
 */
enum reason model_parse(struct model_packet *p, uint16_t ethertype)
{
	if (!p->ethernet) {
		uint8_t version = p->len ? p->bytes[0] >> 4 : 0;

		ethertype = version == 4 ? 0x0800 : version == 6 ? 0x86dd : 0;
	}
	if (p->ethernet && ethertype == 0x0806)
		return REASON_LINK_HOUSEKEEPING;
	if (ethertype == 0x0800) {
		p->version = 4;
		return parse_ip4(p);
	}
	if (ethertype == 0x86dd) {
		p->version = 6;
		return parse_ip6(p);
	}
	return REASON_NOT_IP;
}

/* Where the checksum of the transport header is, 0 where there is none. */
static uint32_t checksum_at(const struct model_packet *p)
{
	if (p->later_fragment)
		return 0;
	if (p->proto == TCP)
		return p->l4 + 16;
	if (p->proto == UDP)
		return p->l4 + 6;
	return model_is_icmp(p) ? p->l4 + 2 : 0;
}

/* The part of a ones' complement sum that some bytes make; @odd: they begin at an odd offset. */
static uint32_t sum_of(const uint8_t *bytes, uint32_t n, bool odd)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (i + odd) % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum % 65535;
}

/*
 * Change a checksum so that the sum over everything that it covers stays what it was: a right
 * checksum stays right and a wrong one wrong.
 */
static void keep_sum(uint8_t *checksum, uint32_t old_sum, uint32_t new_sum, bool is_udp)
{
	uint32_t sum = model_get16(checksum);

	if (is_udp && !sum) /* RFC 768: there is none */
		return;
	sum = (sum + old_sum + 65535 - new_sum) % 65535;
	put16(checksum, is_udp && !sum ? 0xffff : sum);
}

/* Overwrite bytes of the packet that checksums cover. */
static void change(struct model_packet *p, uint32_t at, const uint8_t *to, uint32_t n)
{
	bool in_ip = at < p->l4;
	bool odd = !in_ip && (at - p->l4) % 2;
	uint32_t old_sum = sum_of(p->bytes + at, n, odd), new_sum = sum_of(to, n, odd);

	memcpy(p->bytes + at, to, n);
	if (in_ip && p->version == 4)
		keep_sum(p->bytes + 10, old_sum, new_sum, false);
	if (in_ip && p->version == 4 && model_is_icmp(p)) /* which does not cover the addresses */
		return;
	if (checksum_at(p))
		keep_sum(p->bytes + checksum_at(p), old_sum, new_sum, p->proto == UDP);
}

/**
 * model_set_addr() - Write an address into the IP header
 * @p: the packet
 * @source: the source address, else the destination
 * @to: of the packet's family
 */
void model_set_addr(struct model_packet *p, bool source, const union addr *to)
{
	if (p->version == 4)
		change(p, source ? 12 : 16, to->bytes + 12, 4);
	else
		change(p, source ? 8 : 24, to->bytes, 16);
	*(source ? &p->src : &p->dst) = *to;
}

/**
 * model_set_port() - Write a port into the TCP or UDP header
 * @p: the packet, no later fragment
 * @source: the source port, else the destination
 * @to: the port
 */
void model_set_port(struct model_packet *p, bool source, uint16_t to)
{
	uint8_t bytes[2];

	put16(bytes, to);
	change(p, p->l4 + (source ? 0 : 2), bytes, 2);
	*(source ? &p->sport : &p->dport) = to;
}

/**
 * model_set_id() - Write the identifier of an ICMP echo message
 * @p: the message
 * @to: the identifier
 */
void model_set_id(struct model_packet *p, uint16_t to)
{
	uint8_t bytes[2];

	put16(bytes, to);
	change(p, p->l4 + 4, bytes, 2);
	p->icmp_id = to;
}

/**
 * model_lower_ttl() - Count a hop
 */
void model_lower_ttl(struct model_packet *p)
{
	uint8_t *ttl = p->bytes + (p->version == 4 ? 8 : 7);

	(*ttl)--;
	p->hop_limit--;
	if (p->version == 4)
		keep_sum(p->bytes + 10, 0x100, 0, false);
}

/**
 * model_set_quoted() - Overwrite bytes of the packet that an ICMP error quotes
 * @p: the error
 * @at: where they are
 * @to, @n: what is written
 * @checksum: where the quoted header has a checksum that covers them, 0: nowhere
 */
void model_set_quoted(struct model_packet *p, uint32_t at, const uint8_t *to, uint32_t n,
		      uint32_t checksum)
{
	uint32_t old_sum = sum_of(p->bytes + at, n, 0), new_sum = sum_of(to, n, 0);

	if (!checksum) {
		change(p, at, to, n);
		return;
	}
	memcpy(p->bytes + at, to, n);
	keep_sum(p->bytes + checksum, old_sum, new_sum, false);
}

/**
 * model_clamp_mss() - Lower the first MSS option of a TCP segment
 * @p: the segment, its header whole
 * @limit: the highest MSS
 */
void model_clamp_mss(struct model_packet *p, uint16_t limit)
{
	uint32_t end = p->l4 + (p->bytes[p->l4 + 12] >> 4) * 4;
	uint32_t at = p->l4 + 20;
	const uint8_t *option;
	uint8_t bytes[2];

	while (next_option(p, &at, end, &option)) {
		if (option[0] != 2 || option[1] != 4)
			continue;
		put16(bytes, limit);
		if (model_get16(option + 2) > limit)
			change(p, option + 2 - p->bytes, bytes, 2);
		return;
	}
}

/**
 * model_bytes_same() - Whether a packet is as the model has left it
 * @p: as the model has left it
 * @bytes: p->len bytes
 *
 * The two zeros of ones' complement arithmetic are the same, except in UDP (RFC 768).
 */
bool model_bytes_same(const struct model_packet *p, const uint8_t *bytes)
{
	uint32_t ip_checksum = p->version == 4 ? 10 : 0;
	uint32_t l4_checksum = p->proto == UDP ? 0 : checksum_at(p);
	uint32_t quoted_checksum = p->version == 4 && model_is_icmp(p) ? p->l4 + 8 + 10 : 0;

	for (uint32_t i = 0; i < p->len; i++) {
		if (p->bytes[i] == bytes[i])
			continue;
		if (!i || (i != ip_checksum && i != l4_checksum && i != quoted_checksum) ||
		    model_get16(p->bytes + i) % 65535 || model_get16(bytes + i) % 65535)
			return false;
		i++;
	}
	return true;
}
