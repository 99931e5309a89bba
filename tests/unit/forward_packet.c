/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/forward_packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

uint8_t made[PACKET_MAX_LEN];

static void set_addrs(bool is6, struct packet_spec *spec)
{
	spec->ip_version = is6 ? IP_VERSION_6 : IP_VERSION_4;
	if (is6) {
		inet_pton(AF_INET6, "fd64::2", &spec->saddr);
		inet_pton(AF_INET6, "fd77::2", &spec->daddr);
		return;
	}
	memset(spec->saddr.bytes + 10, 0xff, 2);
	memset(spec->daddr.bytes + 10, 0xff, 2);
	inet_pton(AF_INET, "100.64.0.2", &spec->saddr.word[3]);
	inet_pton(AF_INET, "192.168.77.2", &spec->daddr.word[3]);
}

/**
 * make_packet() - A packet with fixed addresses into @made
 *
 * Return: its length.
 */
size_t make_packet(bool is6, const struct packet_spec *fields)
{
	struct packet_spec spec = *fields;
	struct error error;
	size_t len;

	set_addrs(is6, &spec);
	assert_int_equal(packet_build(&spec, made, sizeof(made), &len, &error), 0);
	return len;
}

/**
 * make_tcp() - A segment into @made; its checksum is not that of its sequence number
 */
size_t make_tcp(bool is6, uint32_t seq, size_t payload_len, uint8_t flags)
{
	struct packet_spec spec;
	size_t len;

	packet_spec_init(&spec);
	spec.l4_proto = IPPROTO_TCP;
	spec.sport = 40000;
	spec.dport = 80;
	spec.tcp_flags = flags;
	spec.payload_len = payload_len;
	len = make_packet(is6, &spec);
	seq = htonl(seq);
	memcpy(made + (is6 ? 40 : 20) + 4, &seq, 4);
	return len;
}

/**
 * read32() - A number in network order
 */
uint32_t read32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | from[1] << 16 | from[2] << 8 | from[3];
}

/* The sum in 16-bit steps, as RFC 1071 defines it. */
static uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/**
 * assert_sums_are_right() - All ones over everything, the checksums included
 */
void assert_sums_are_right(const uint8_t *packet, size_t len)
{
	bool is4 = packet[0] >> 4 == 4;
	size_t header_len = is4 ? 20 : 40;
	uint8_t l4_proto = is4 ? packet[9] : packet[6];
	uint32_t sum = 0;

	if (is4)
		assert_int_equal(sum_of(packet, header_len, 0), 0xffff);
	if (l4_proto != IPPROTO_ICMP) {
		sum = l4_proto + (len - header_len);
		sum = sum_of(packet + (is4 ? 12 : 8), is4 ? 8 : 32, sum);
	}
	assert_int_equal(sum_of(packet + header_len, len - header_len, sum), 0xffff);
}
