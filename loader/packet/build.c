/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Building packets: RFC 791, 8200 (IP), 9293 (TCP), 768 (UDP), 792, 4443 (ICMP).
 *
 * The lengths are worked out and checked first; after that nothing can fail, and every writer
 * knows that its bytes fit.
 */
#include "packet/build.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "protocol.h"

#define DEFAULT_TTL	   64
#define DEFAULT_IPV4_ID	   1
#define DEFAULT_TCP_SEQ	   1000
#define DEFAULT_TCP_ACK	   2000 /* only with the ACK flag */
#define DEFAULT_TCP_WINDOW 65535

/* ICMP with an identifier and a sequence number; the layout is the same in both families. */
struct echo_header {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t id;
	uint16_t seq;
};
_Static_assert(sizeof(struct echo_header) == sizeof(struct icmphdr), "ICMP echo header");

/* Bytes of each part of a packet, in their order. */
struct layout {
	size_t ip;
	size_t frag; /* IPv6 fragment header */
	size_t l4;
	size_t payload;
};

const char *const packet_tcp_flag_names[PACKET_TCP_FLAGS] = {
	"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr",
};

/**
 * packet_icmp_proto() - The protocol number of ICMP in a family
 * @ip_version: enum ip_version
 */
uint8_t packet_icmp_proto(uint8_t ip_version)
{
	return ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/**
 * packet_ip_header_len() - Bytes of the IP header that packet_build() writes
 * @ip_version: enum ip_version
 */
uint16_t packet_ip_header_len(uint8_t ip_version)
{
	return ip_version == IP_VERSION_4 ? sizeof(struct ip) : sizeof(struct ip6_hdr);
}

/**
 * packet_spec_init() - Set the defaults of a packet's fields
 * @spec: SYN with sequence number 1000, echo request with id 1 and sequence number 1, TTL 64;
 *	  everything else zero
 */
void packet_spec_init(struct packet_spec *spec)
{
	*spec = (struct packet_spec){
		.ttl = DEFAULT_TTL,
		.tcp_flags = PACKET_TCP_SYN,
		.icmp_type = PACKET_ICMP_ECHO,
		.icmp_id = 1,
		.icmp_seq = 1,
		.seq = DEFAULT_TCP_SEQ,
	};
}

static bool is_icmp(const struct packet_spec *spec)
{
	return spec->l4_proto == IPPROTO_ICMP || spec->l4_proto == IPPROTO_ICMPV6;
}

_Static_assert(PORT_PROTOCOL_MAX == 2, "each protocol with ports has a header here");

static size_t l4_header_len(const struct packet_spec *spec)
{
	if (spec->is_fragment && spec->frag_off > 0)
		return 0;
	if (spec->l4_proto == IPPROTO_TCP)
		return sizeof(struct tcphdr) + (spec->mss ? TCPOLEN_MAXSEG : 0);
	if (spec->l4_proto == IPPROTO_UDP)
		return sizeof(struct udphdr);
	return is_icmp(spec) ? sizeof(struct echo_header) : 0;
}

/* Adds bytes to a ones' complement sum (RFC 1071); only the last piece may have an odd length. */
static uint32_t sum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	if (len % 2)
		sum += (uint32_t)byte[len - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t sum_finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

/* The sum of the pseudo header: RFC 9293, section 3.1, and RFC 8200, section 8.1. */
static uint32_t pseudo_sum(const struct packet_spec *spec, size_t l4_len)
{
	size_t addr_len = spec->ip_version == IP_VERSION_4 ? 4 : 16;
	size_t addr_off = sizeof(union addr) - addr_len;
	uint32_t sum = spec->l4_proto + (uint32_t)l4_len;

	sum = sum_add(sum, spec->saddr.bytes + addr_off, addr_len);
	return sum_add(sum, spec->daddr.bytes + addr_off, addr_len);
}

static uint8_t icmp_type(const struct packet_spec *spec)
{
	if (spec->icmp_type != PACKET_ICMP_ECHO)
		return (uint8_t)spec->icmp_type;
	return spec->l4_proto == IPPROTO_ICMP ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
}

static uint32_t tcp_ack(const struct packet_spec *spec)
{
	if (spec->has_ack)
		return spec->ack;
	return spec->tcp_flags & PACKET_TCP_ACK ? DEFAULT_TCP_ACK : 0;
}

/* Write a TCP header, with options and checksum. */
static void write_tcp(const struct packet_spec *spec, uint8_t *l4, size_t l4_len)
{
	struct tcphdr header = {
		.th_sport = htons(spec->sport),
		.th_dport = htons(spec->dport),
		.th_seq = htonl(spec->seq),
		.th_ack = htonl(tcp_ack(spec)),
		.th_off = l4_header_len(spec) / 4,
		.th_flags = spec->tcp_flags,
		.th_win = htons(DEFAULT_TCP_WINDOW),
	};

	if (spec->mss) {
		uint8_t option[TCPOLEN_MAXSEG] = {TCPOPT_MAXSEG, TCPOLEN_MAXSEG, spec->mss >> 8,
						  spec->mss & 0xff};

		memcpy(l4 + sizeof(header), option, sizeof(option));
	}
	memcpy(l4, &header, sizeof(header));
	header.th_sum = sum_finish(sum_add(pseudo_sum(spec, l4_len), l4, l4_len));
	memcpy(l4, &header, sizeof(header));
}

/* Write a UDP header with its checksum. */
static void write_udp(const struct packet_spec *spec, uint8_t *l4, size_t l4_len)
{
	struct udphdr header = {
		.uh_sport = htons(spec->sport),
		.uh_dport = htons(spec->dport),
		.uh_ulen = htons((uint16_t)l4_len),
	};

	memcpy(l4, &header, sizeof(header));
	header.uh_sum = sum_finish(sum_add(pseudo_sum(spec, l4_len), l4, l4_len));
	if (!header.uh_sum) /* zero on the wire means that there is no checksum */
		header.uh_sum = 0xffff;
	memcpy(l4, &header, sizeof(header));
}

/* Write an ICMP header with its checksum. */
static void write_icmp(const struct packet_spec *spec, uint8_t *l4, size_t l4_len)
{
	bool has_pseudo = spec->l4_proto == IPPROTO_ICMPV6;
	struct echo_header header = {
		.type = icmp_type(spec),
		.code = spec->icmp_code,
		.id = htons(spec->icmp_id),
		.seq = htons(spec->icmp_seq),
	};

	memcpy(l4, &header, sizeof(header));
	header.checksum =
		sum_finish(sum_add(has_pseudo ? pseudo_sum(spec, l4_len) : 0, l4, l4_len));
	memcpy(l4, &header, sizeof(header));
}

/* Write what follows the IP header, or the part that is in the fragment. */
static void write_l4(const struct packet_spec *spec, uint8_t *l4, const struct layout *layout)
{
	size_t len = layout->l4 + layout->payload;
	size_t i;

	for (i = 0; i < layout->payload; i++)
		l4[layout->l4 + i] = (uint8_t)i;
	if (!layout->l4)
		return;
	if (spec->l4_proto == IPPROTO_TCP)
		write_tcp(spec, l4, len);
	else if (spec->l4_proto == IPPROTO_UDP)
		write_udp(spec, l4, len);
	else
		write_icmp(spec, l4, len);
}

/* Write an IPv4 header. */
static void write_ipv4(const struct packet_spec *spec, uint8_t *buf, size_t total)
{
	struct ip header = {
		.ip_v = 4,
		.ip_hl = sizeof(header) / 4,
		.ip_len = htons((uint16_t)total),
		.ip_id = htons(DEFAULT_IPV4_ID),
		.ip_ttl = spec->ttl,
		.ip_p = spec->l4_proto,
		.ip_src.s_addr = spec->saddr.word[3],
		.ip_dst.s_addr = spec->daddr.word[3],
	};

	if (spec->is_fragment) {
		header.ip_id = htons((uint16_t)spec->frag_id);
		header.ip_off = htons(spec->frag_off / 8 | (spec->frag_more ? IP_MF : 0));
	}
	header.ip_sum = sum_finish(sum_add(0, &header, sizeof(header)));
	memcpy(buf, &header, sizeof(header));
}

/* Write an IPv6 header, with a fragment header for fragments. */
static void write_ipv6(const struct packet_spec *spec, uint8_t *buf, size_t total)
{
	struct ip6_hdr header = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons((uint16_t)(total - sizeof(header))),
		.ip6_nxt = spec->is_fragment ? IPPROTO_FRAGMENT : spec->l4_proto,
		.ip6_hlim = spec->ttl,
	};
	struct ip6_frag fragment = {
		.ip6f_nxt = spec->l4_proto,
		.ip6f_offlg = htons((uint16_t)(spec->frag_off | spec->frag_more)),
		.ip6f_ident = htonl(spec->frag_id),
	};

	memcpy(&header.ip6_src, spec->saddr.bytes, sizeof(header.ip6_src));
	memcpy(&header.ip6_dst, spec->daddr.bytes, sizeof(header.ip6_dst));
	memcpy(buf, &header, sizeof(header));
	if (spec->is_fragment)
		memcpy(buf + sizeof(header), &fragment, sizeof(fragment));
}

/* Refuse fields that no packet can have. */
static int check_spec(const struct packet_spec *spec, struct error *error)
{
	if (spec->ip_version != IP_VERSION_4 && spec->ip_version != IP_VERSION_6)
		return error_input(error, "packet: no IP version %u", spec->ip_version);
	if (spec->icmp_type < PACKET_ICMP_ECHO || spec->icmp_type > UINT8_MAX)
		return error_input(error, "ICMP type %d: must be 0-255", spec->icmp_type);
	if (!spec->is_fragment)
		return 0;
	if (spec->frag_off % 8 || spec->frag_off > PACKET_MAX_FRAG_OFF)
		return error_input(error, "fragment offset %u: must be a multiple of 8, at most %u",
				   spec->frag_off, PACKET_MAX_FRAG_OFF);
	if (spec->ip_version == IP_VERSION_4 && spec->frag_id > UINT16_MAX)
		return error_input(error, "fragment id %u: must be 0-65535 in IPv4", spec->frag_id);
	return 0;
}

/**
 * packet_build() - Write a packet with right lengths and checksums
 * @spec: its fields
 * @buf: where, from the IP header on; PACKET_MAX_LEN bytes hold every packet
 * @size: bytes of @buf
 * @len: set to the bytes written
 * @error: what is wrong with @spec
 *
 * A first fragment's transport checksum covers the bytes that this fragment has: what the others
 * hold is not known here.
 *
 * Return: 0, -EINVAL where the fields are out of range or the packet would be longer than
 * PACKET_MAX_LEN or @size.
 */
int packet_build(const struct packet_spec *spec, void *buf, size_t size, size_t *len,
		 struct error *error)
{
	struct layout layout = {.l4 = l4_header_len(spec), .payload = spec->payload_len};
	size_t limit = size < PACKET_MAX_LEN ? size : PACKET_MAX_LEN;
	bool is_v4 = spec->ip_version == IP_VERSION_4;
	size_t total;
	int err;

	err = check_spec(spec, error);
	if (err)
		return err;
	layout.ip = packet_ip_header_len(spec->ip_version);
	layout.frag = !is_v4 && spec->is_fragment ? sizeof(struct ip6_frag) : 0;
	total = layout.ip + layout.frag + layout.l4 + layout.payload;
	if (total > limit)
		return error_input(
			error, "payload of %u bytes: the packet would have %zu, at most %zu fit",
			spec->payload_len, total, limit);

	write_l4(spec, (uint8_t *)buf + layout.ip + layout.frag, &layout);
	if (is_v4)
		write_ipv4(spec, buf, total);
	else
		write_ipv6(spec, buf, total);
	*len = total;
	return 0;
}

/**
 * packet_addresses() - Read the addresses of an IP packet
 * @ip: the packet from its IP header on
 * @len: bytes of it that there are
 * @addr: become source and destination, zero where there are none
 * @ip_version: set to what the packet says, enum ip_version or anything else
 *
 * Return: false if it is no IP packet, or its header is not whole.
 */
bool packet_addresses(const uint8_t *ip, uint32_t len, union addr addr[2], uint8_t *ip_version)
{
	uint8_t version = len ? ip[0] >> 4 : 0;

	memset(addr, 0, 2 * sizeof(*addr));
	*ip_version = version;
	if (version == IP_VERSION_4 && len >= sizeof(struct ip)) {
		for (int i = 0; i < 2; i++) {
			addr[i].bytes[10] = addr[i].bytes[11] = 0xff;
			memcpy(&addr[i].word[3], ip + 12 + 4 * i, 4);
		}
		return true;
	}
	if (version != IP_VERSION_6 || len < sizeof(struct ip6_hdr))
		return false;
	memcpy(&addr[0], ip + 8, 16);
	memcpy(&addr[1], ip + 24, 16);
	return true;
}
