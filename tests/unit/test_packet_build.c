/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Built packets: whole packets against bytes worked out by hand, and every checksum again by the
 * receiver's rule (the sum over everything, the checksum included, is all ones), which shares no
 * code with the builder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"

static uint8_t packet[PACKET_MAX_LEN];
static size_t packet_len;

static void set_addrs(struct packet_spec *spec, const char *src, const char *dst)
{
	bool is_v6 = strchr(src, ':') != NULL;
	size_t off = is_v6 ? 0 : 12;

	spec->ip_version = is_v6 ? IP_VERSION_6 : IP_VERSION_4;
	if (!is_v6) {
		memset(spec->saddr.bytes + 10, 0xff, 2);
		memset(spec->daddr.bytes + 10, 0xff, 2);
	}
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, src, spec->saddr.bytes + off), 1);
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, dst, spec->daddr.bytes + off), 1);
}

static struct packet_spec spec_of(const char *src, const char *dst, uint8_t l4_proto)
{
	struct packet_spec spec;

	packet_spec_init(&spec);
	set_addrs(&spec, src, dst);
	spec.l4_proto = l4_proto;
	spec.sport = 12345;
	spec.dport = 443;
	return spec;
}

static void build(const struct packet_spec *spec)
{
	struct error error;

	memset(packet, 0xee, sizeof(packet));
	assert_int_equal(packet_build(spec, packet, sizeof(packet), &packet_len, &error), 0);
}

static void expect_bytes(const char *hex)
{
	size_t len = strlen(hex) / 2;
	uint8_t *want = malloc(len);
	size_t i;

	assert_non_null(want);
	for (i = 0; i < len; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};

		want[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	assert_int_equal(packet_len, len);
	assert_memory_equal(packet, want, len);
	free(want);
}

/* The receiver's sum, one byte at a time with the carry added at once. */
static unsigned int receiver_sum(unsigned int sum, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? data[i] : data[i] * 256u;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

/* 0xffff where the checksum of a transport header is right, addresses @addrs of the IP header. */
static unsigned int transport_sum(size_t addrs_off, size_t addrs_len, size_t l4_off, uint8_t proto)
{
	size_t len = packet_len - l4_off;
	uint8_t tail[4] = {(uint8_t)(len >> 8), (uint8_t)len, 0, proto};
	unsigned int sum = receiver_sum(0, packet + addrs_off, addrs_len);

	sum = receiver_sum(sum, tail, sizeof(tail));
	return receiver_sum(sum, packet + l4_off, len);
}

static void test_tcp4(void **state)
{
	struct packet_spec spec = spec_of("100.10.0.1", "100.10.0.100", IPPROTO_TCP);

	(void)state;
	build(&spec);
	expect_bytes("45000028000100004006b256640a0001640a0064"
		     "303901bb000003e8000000005002ffffb18d0000");
	assert_int_equal(receiver_sum(0, packet, 20), 0xffff);
	assert_int_equal(transport_sum(12, 8, 20, IPPROTO_TCP), 0xffff);
}

static void test_tcp_mss_and_ack(void **state)
{
	struct packet_spec spec = spec_of("fd00:10::1", "fd00:10::100", IPPROTO_TCP);

	(void)state;
	spec.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	spec.mss = 1460;
	spec.payload_len = 3;
	spec.ttl = 7;
	build(&spec);
	assert_int_equal(packet_len, 40 + 24 + 3);
	assert_memory_equal(packet, "\x60\0\0\0\0\x1b\x06\x07", 8);
	assert_memory_equal(packet + 48, "\0\0\x07\xd0\x60\x12", 6);
	assert_memory_equal(packet + 60, "\x02\x04\x05\xb4\0\x01\x02", 7);
	assert_int_equal(transport_sum(8, 32, 40, IPPROTO_TCP), 0xffff);
}

static void test_udp(void **state)
{
	struct packet_spec spec = spec_of("192.0.2.1", "198.51.100.2", IPPROTO_UDP);

	(void)state;
	spec.payload_len = 300;
	build(&spec);
	assert_int_equal(packet_len, 328);
	assert_memory_equal(packet + 24, "\x01\x34", 2);
	assert_int_equal(packet[28 + 255], 255);
	assert_int_equal(packet[28 + 256], 0);
	assert_int_equal(transport_sum(12, 8, 20, IPPROTO_UDP), 0xffff);

	set_addrs(&spec, "2001:db8::1", "2001:db8::2");
	build(&spec);
	assert_int_equal(packet_len, 348);
	assert_int_equal(transport_sum(8, 32, 40, IPPROTO_UDP), 0xffff);
}

/* The ports are chosen so that the sum of everything else is all ones. */
static void test_udp_zero_checksum(void **state)
{
	struct packet_spec spec = spec_of("0.0.0.0", "0.0.0.0", IPPROTO_UDP);

	(void)state;
	spec.sport = 0xffff - 17 - 8 - 8;
	spec.dport = 0;
	build(&spec);
	assert_memory_equal(packet + 26, "\xff\xff", 2);
	assert_int_equal(transport_sum(12, 8, 20, IPPROTO_UDP), 0xffff);
}

static void test_icmp(void **state)
{
	struct packet_spec spec = spec_of("10.0.0.1", "10.0.0.2", IPPROTO_ICMP);

	(void)state;
	build(&spec);
	assert_int_equal(packet_len, 28);
	assert_memory_equal(packet + 20, "\x08\0\xf7\xfd\0\x01\0\x01", 8);

	spec.icmp_type = 3;
	spec.icmp_code = 13;
	spec.icmp_id = 0x1234;
	spec.icmp_seq = 0x5678;
	spec.payload_len = 9;
	build(&spec);
	assert_memory_equal(packet + 20, "\x03\x0d", 2);
	assert_memory_equal(packet + 24, "\x12\x34\x56\x78\0\x01", 6);
	assert_int_equal(receiver_sum(0, packet + 20, packet_len - 20), 0xffff);
}

static void test_icmp6(void **state)
{
	struct packet_spec spec = spec_of("fe80::1", "ff02::1", packet_icmp_proto(IP_VERSION_6));

	(void)state;
	spec.payload_len = 56;
	build(&spec);
	assert_int_equal(packet[6], 58);
	assert_int_equal(packet[40], 128);
	assert_int_equal(packet_len, 40 + 8 + 56);
	assert_int_equal(transport_sum(8, 32, 40, 58), 0xffff);
}

static void test_other_protocol(void **state)
{
	struct packet_spec spec = spec_of("10.0.0.1", "10.0.0.2", 47);

	(void)state;
	spec.payload_len = 2;
	build(&spec);
	expect_bytes("4500001600010000402f66b60a0000010a0000020001");
}

static void test_fragments4(void **state)
{
	struct packet_spec spec = spec_of("10.0.0.1", "10.0.0.2", IPPROTO_UDP);

	(void)state;
	spec.is_fragment = true;
	spec.frag_id = 7;
	spec.frag_more = true;
	spec.payload_len = 8;
	build(&spec);
	assert_int_equal(packet_len, 36);
	assert_memory_equal(packet + 4, "\0\x07\x20\0", 4);

	spec.frag_more = false;
	spec.frag_off = PACKET_MAX_FRAG_OFF;
	build(&spec);
	assert_int_equal(packet_len, 28);
	assert_memory_equal(packet + 4, "\0\x07\x1f\xff", 4);
	assert_memory_equal(packet + 20, "\0\1\2\3\4\5\6\7", 8);
	assert_int_equal(receiver_sum(0, packet, 20), 0xffff);
}

static void test_fragments6(void **state)
{
	struct packet_spec spec = spec_of("fd00::1", "fd00::2", IPPROTO_UDP);

	(void)state;
	spec.is_fragment = true;
	spec.frag_id = 0x89abcdef;
	spec.frag_more = true;
	spec.payload_len = 8;
	build(&spec);
	assert_int_equal(packet_len, 40 + 8 + 16);
	assert_memory_equal(packet + 4, "\0\x18\x2c\x40", 4);
	assert_memory_equal(packet + 40, "\x11\0\0\x01\x89\xab\xcd\xef", 8);
	assert_int_equal(transport_sum(8, 32, 48, IPPROTO_UDP), 0xffff);

	spec.frag_off = 1480;
	spec.frag_more = false;
	build(&spec);
	assert_int_equal(packet_len, 40 + 8 + 8);
	assert_memory_equal(packet + 40, "\x11\0\x05\xc8\x89\xab\xcd\xef\0\1\2\3", 12);
}

static void expect_error(const struct packet_spec *spec, size_t size, const char *text)
{
	size_t len = 4711;
	struct error error;

	assert_int_equal(packet_build(spec, packet, size, &len, &error), -EINVAL);
	assert_string_equal(error.text, text);
	assert_true(error.invalid_input);
	assert_int_equal(len, 4711);
}

static void test_limits(void **state)
{
	struct packet_spec spec = spec_of("10.0.0.1", "10.0.0.2", IPPROTO_TCP);

	(void)state;
	spec.payload_len = 65535 - 40;
	build(&spec);
	assert_int_equal(packet_len, 65535);
	assert_memory_equal(packet + 2, "\xff\xff", 2);
	assert_int_equal(transport_sum(12, 8, 20, IPPROTO_TCP), 0xffff);

	spec.payload_len++;
	expect_error(&spec, sizeof(packet),
		     "payload of 65496 bytes: the packet would have 65536, at most 65535 fit");
	spec.payload_len = UINT32_MAX;
	expect_error(
		&spec, sizeof(packet),
		"payload of 4294967295 bytes: the packet would have 4294967335, at most 65535 fit");
	spec.payload_len = 1;
	expect_error(&spec, 40, "payload of 1 bytes: the packet would have 41, at most 40 fit");
}

static void test_bad_fields(void **state)
{
	struct packet_spec spec = spec_of("10.0.0.1", "10.0.0.2", IPPROTO_ICMP);

	(void)state;
	spec.icmp_type = 256;
	expect_error(&spec, sizeof(packet), "ICMP type 256: must be 0-255");
	spec.icmp_type = 8;
	spec.is_fragment = true;
	spec.frag_off = 9;
	expect_error(&spec, sizeof(packet),
		     "fragment offset 9: must be a multiple of 8, at most 65528");
	spec.frag_off = 65536;
	expect_error(&spec, sizeof(packet),
		     "fragment offset 65536: must be a multiple of 8, at most 65528");
	spec.frag_off = 0;
	spec.frag_id = 65536;
	expect_error(&spec, sizeof(packet), "fragment id 65536: must be 0-65535 in IPv4");
	spec.ip_version = 5;
	expect_error(&spec, sizeof(packet), "packet: no IP version 5");
}

#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		sentence, function, NULL, NULL, NULL                                               \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("a TCP packet over IPv4 has these very bytes", test_tcp4),
		TEST("MSS option, flags and hop limit land in their fields", test_tcp_mss_and_ack),
		TEST("UDP checksums hold over both families", test_udp),
		TEST("a UDP checksum of zero is sent as all ones", test_udp_zero_checksum),
		TEST("ICMP is an echo request unless a type is given", test_icmp),
		TEST("the ICMPv6 checksum covers the pseudo header", test_icmp6),
		TEST("other protocols carry the payload alone", test_other_protocol),
		TEST("IPv4 fragments after the first have no transport header", test_fragments4),
		TEST("IPv6 fragments have a fragment header", test_fragments6),
		TEST("a packet has at most 65535 bytes", test_limits),
		TEST("fields out of range are refused and named", test_bad_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
