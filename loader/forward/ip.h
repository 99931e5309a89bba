/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IP packets of the forwarder: reading headers, and making those that it sends itself.
 *
 * Nothing here trusts a length that it has not compared with the bytes there are.  Addresses are
 * union addr (IPv4 v4-mapped), so that one body of code serves both families.
 */
#ifndef SHRIKE_FORWARD_IP_H
#define SHRIKE_FORWARD_IP_H

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define IP_HEADER_MAX	40 /* that we write: IPv6 without extension headers */
#define ICMP_HEADER_LEN 8
#define UDP_HEADER_LEN	8
#define ICMP_ERROR_MAX	1280 /* whole packet: the smallest MTU of IPv6 (RFC 4443, 2.4 c) */
#define TCP_RESET_LEN	20
#define IP_TTL_DEFAULT	64
#define IP_DSCP_MASK	0xfc /* of the type of service; the rest is ECN (RFC 3168) */

/* ICMP errors by meaning; icmp_error_build() knows the numbers of each family. */
enum icmp_error {
	ICMP_ERROR_NO_ROUTE,
	ICMP_ERROR_HOST,
	ICMP_ERROR_PORT,
	ICMP_ERROR_PROHIBITED,
	ICMP_ERROR_TOO_BIG,
	ICMP_ERROR_TIME,
};

/* Both ends of a packet. */
struct ip_ends {
	union addr saddr;
	union addr daddr;
	uint8_t version; /* enum ip_version */
};

/*
 * struct ip_packet - a packet that ip_parse() understood
 * @data: its IP header; the bytes belong to the caller and may be rewritten
 * @tos: DSCP and ECN: type of service, or traffic class
 * @len: of the IP packet, without link padding
 * @segment_len: of a packet that holds several: data of each but the last, bytes; 0: it is one.
 *	ip_parse() cannot tell
 * @l4_off: of the transport header, or of a fragment's data
 * @frag_off: of a fragment's data in its datagram, bytes
 * @frag_header_off: IPv6: of the fragment header
 * @frag_next_off: IPv6: of the byte that announces the fragment header
 */
struct ip_packet {
	uint8_t *data;
	uint32_t len;
	uint32_t l4_off;
	uint16_t segment_len;
	struct ip_ends ends;
	uint8_t l4_proto;
	uint8_t ttl;
	uint8_t tos;
	bool dont_fragment; /* IPv6: always */
	bool is_fragment;
	bool more_fragments;
	uint32_t frag_id;
	uint32_t frag_off;
	uint16_t frag_header_off;
	uint16_t frag_next_off;
};

int ip_parse(uint8_t *data, size_t len, struct ip_packet *packet);
int tcp_parse(const struct ip_packet *packet, struct tcphdr *header);
uint64_t ip_sum(const void *data, size_t len, uint64_t sum);
uint16_t ip_fold(uint64_t sum);
bool ip_sums_are_right(const struct ip_packet *packet);
uint64_t ip_pseudo_sum(const struct ip_ends *ends, uint8_t l4_proto, uint32_t l4_len);
size_t ip_header_len(uint8_t version);
void ip_header_write(uint8_t *to, const struct ip_ends *ends, uint8_t l4_proto, uint8_t ttl,
		     size_t payload_len);
void ip_length_set(uint8_t *header, uint8_t version, uint32_t l4_off, uint32_t len);
void ip_tos_set(uint8_t *header, uint8_t version, uint8_t tos);
void ip_id_set(uint8_t *header, uint16_t id);
void ip_ttl_set(uint8_t *header, uint8_t version, uint8_t ttl);
void ip_ends_swap(const struct ip_ends *from, struct ip_ends *to);
size_t tcp_reset_build(uint8_t to[IP_HEADER_MAX + TCP_RESET_LEN], const struct ip_packet *syn);
void icmp_sum_set(uint8_t *icmp, size_t len, const struct ip_ends *ends);
void icmp_error_numbers(enum icmp_error kind, uint8_t version, uint8_t *type, uint8_t *code);
size_t icmp_error_build(uint8_t to[ICMP_ERROR_MAX], const struct ip_ends *ends, uint8_t type,
			uint8_t code, uint32_t info, const uint8_t *quoted, size_t quoted_len);

#endif /* SHRIKE_FORWARD_IP_H */
