/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IP packets from their fields, for `simulate` and `trace`; and their addresses back.
 *
 * What a spec does not name has one fixed value, so that the same spec gives the same bytes.
 */
#ifndef SHRIKE_PACKET_BUILD_H
#define SHRIKE_PACKET_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/error.h"

#define PACKET_MAX_LEN	    65535 /* bytes from the IP header on, either family */
#define PACKET_MAX_FRAG_OFF 65528 /* 13 bits that count 8 bytes each */

#define PACKET_TCP_FIN 0x01
#define PACKET_TCP_SYN 0x02
#define PACKET_TCP_RST 0x04
#define PACKET_TCP_PSH 0x08
#define PACKET_TCP_ACK 0x10
#define PACKET_TCP_URG 0x20

#define PACKET_ICMP_ECHO (-1) /* icmp_type: the echo request of the family */

/*
 * struct packet_spec - the fields of a packet, in host byte order unless the type says otherwise
 *
 * Start from packet_spec_init().  Fields that the protocol does not have are ignored.
 */
struct packet_spec {
	union addr saddr;
	union addr daddr;
	uint32_t payload_len; /* bytes behind the transport header: 0, 1, 2, ... modulo 256 */
	uint32_t frag_id;     /* IPv4: at most 65,535 */
	uint32_t frag_off;    /* bytes, a multiple of 8; above 0 only the payload is carried */
	uint32_t seq;	      /* tcp */
	uint32_t ack;	      /* tcp, written if @has_ack; else a fixed one with the ACK flag */
	uint16_t sport;
	uint16_t dport;
	uint16_t mss; /* of the TCP option, 0: no option */
	uint16_t icmp_id;
	uint16_t icmp_seq;
	int16_t icmp_type; /* 0-255 or PACKET_ICMP_ECHO */
	uint8_t icmp_code;
	uint8_t ip_version; /* enum ip_version, of both addresses */
	uint8_t l4_proto;
	uint8_t tcp_flags; /* PACKET_TCP_* */
	uint8_t ttl;	   /* or hop limit */
	bool is_fragment;  /* has @frag_id, @frag_off and @frag_more */
	bool frag_more;
	bool has_ack;
};

#define PACKET_TCP_FLAGS 8

/* Names of the TCP flags as users write them, by their bit in the header, lowest first. */
extern const char *const packet_tcp_flag_names[PACKET_TCP_FLAGS];

void packet_spec_init(struct packet_spec *spec);
uint8_t packet_icmp_proto(uint8_t ip_version);
uint16_t packet_ip_header_len(uint8_t ip_version);
bool packet_addresses(const uint8_t *ip, uint32_t len, union addr addr[2], uint8_t *ip_version);
int packet_build(const struct packet_spec *spec, void *buf, size_t size, size_t *len,
		 struct error *error);

#endif /* SHRIKE_PACKET_BUILD_H */
