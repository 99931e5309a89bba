/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reference model's view of a packet: its headers read from the standards, and changed in
 * place with right checksums.  Part of model.h's model, of no use elsewhere.
 */
#ifndef SHRIKE_TESTS_MODEL_PACKET_H
#define SHRIKE_TESTS_MODEL_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "model/tcp.h"
#include "reason.h"

#define MODEL_NO_REASON REASON_MAX /* nothing has been decided yet */

enum { TCP = 6, UDP = 17, ICMP4 = 1, ICMP6 = 58 };

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

/*
 * struct model_packet - a packet; offsets in bytes from its IP header, numbers in host byte order
 * @end: where the IP packet ends, by its own word; link padding may follow
 * @l4: the transport header, or the data of a later fragment
 * @id: of the datagram that it is a fragment of
 * @source_routed: it has an IPv4 option by which its sender chooses the way
 */
struct model_packet {
	uint8_t *bytes;
	uint32_t len;
	uint32_t end;
	uint32_t l4;
	uint32_t id;
	uint32_t frag_off;
	bool first_fragment;
	bool later_fragment;
	bool ethernet;
	bool source_routed;
	uint8_t version;
	uint8_t proto;
	uint8_t hop_limit;
	union addr src;
	union addr dst;
	uint16_t sport;
	uint16_t dport;
	struct model_segment tcp;
	uint8_t icmp_type; /* ICMP of its own family */
	uint8_t icmp_code;
	uint16_t icmp_id; /* of echo messages */
};

uint16_t model_get16(const uint8_t *bytes);
uint32_t model_get32(const uint8_t *bytes);
union addr model_get_addr(const uint8_t *bytes, uint8_t version);
bool model_is_icmp(const struct model_packet *p);
bool model_is_request(uint8_t version, uint8_t icmp_type);
bool model_is_reply(uint8_t version, uint8_t icmp_type);
bool model_addr_same(const union addr *a, const union addr *b);

enum reason model_parse(struct model_packet *p, uint16_t ethertype);

void model_set_addr(struct model_packet *p, bool source, const union addr *to);
void model_set_port(struct model_packet *p, bool source, uint16_t to);
void model_set_id(struct model_packet *p, uint16_t to);
void model_lower_ttl(struct model_packet *p);
void model_set_quoted(struct model_packet *p, uint32_t at, const uint8_t *to, uint32_t n,
		      uint32_t checksum);
void model_clamp_mss(struct model_packet *p, uint16_t limit);
bool model_bytes_same(const struct model_packet *p, const uint8_t *bytes);

#endif /* SHRIKE_TESTS_MODEL_PACKET_H */
