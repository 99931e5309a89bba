/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The forwarder's headers: packets are made by packet/build.c, which shares no code with what is
 * tested, and checksums are proven by the receiver's rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "forward/ip.h"
#include "packet/build.h"
#include "unit/forward_packet.h"

static void headers_of_both_families_are_read(void **state)
{
	struct ip_packet p;

	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		size_t len = make_tcp(is6, 1000, 40, PACKET_TCP_ACK);

		assert_int_equal(ip_parse(made, len, &p), 0);
		assert_int_equal(p.ends.version, is6 ? 6 : 4);
		assert_int_equal(p.l4_proto, IPPROTO_TCP);
		assert_int_equal(p.l4_off, is6 ? 40 : 20);
		assert_int_equal(p.len, len);
		assert_int_equal(p.ttl, made[is6 ? 7 : 8]);
		assert_false(p.is_fragment);
	}
}

static void padding_of_the_link_is_not_part_of_the_packet(void **state)
{
	size_t len = make_tcp(false, 1, 1, PACKET_TCP_ACK);
	struct ip_packet p;

	(void)state;
	assert_int_equal(ip_parse(made, len + 6, &p), 0);
	assert_int_equal(p.len, len);
}

static void packets_that_are_cut_short_are_refused(void **state)
{
	struct ip_packet p;

	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		size_t len = make_tcp(is6, 1, 100, PACKET_TCP_ACK);

		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *copy = malloc(cut ? cut : 1); /* so that sanitizers see its end */

			memcpy(copy, made, cut);
			assert_int_equal(ip_parse(copy, cut, &p), -EBADMSG);
			free(copy);
		}
	}
}

static void random_bytes_are_read_within_their_bounds(void **state)
{
	struct ip_packet p;

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		size_t len = rand() % 120;
		uint8_t *bytes = malloc(len + 1);

		for (size_t j = 0; j < len; j++)
			bytes[j] = rand();
		if (len)
			bytes[0] = i % 2 ? 0x45 + rand() % 3 : 0x60;
		if (len > 6 && !(i % 2)) {
			static const uint8_t headers[] = {0, 43, 44, 60, 6, 17};

			bytes[4] = 0;
			bytes[5] = len > 40 ? len - 40 : 0;
			bytes[6] = headers[rand() % 6];
		} else if (len > 3) {
			bytes[2] = 0;
			bytes[3] = len;
		}
		if (!ip_parse(bytes, len, &p)) {
			assert_true(p.len <= len);
			assert_true(p.l4_off <= p.len);
		}
		free(bytes);
	}
}

static void a_reset_answers_a_syn(void **state)
{
	uint8_t reset[IP_HEADER_MAX + TCP_RESET_LEN];
	struct ip_packet syn, answer;

	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		size_t len = make_tcp(is6, 0xfffffffe, 0, PACKET_TCP_SYN);

		assert_int_equal(ip_parse(made, len, &syn), 0);
		len = tcp_reset_build(reset, &syn);
		assert_int_equal(ip_parse(reset, len, &answer), 0);
		assert_memory_equal(&answer.ends.saddr, &syn.ends.daddr, 16);
		assert_memory_equal(&answer.ends.daddr, &syn.ends.saddr, 16);
		assert_memory_equal(reset + answer.l4_off, made + syn.l4_off + 2, 2);
		assert_int_equal(read32(reset + answer.l4_off + 8), 0xffffffff);
		assert_int_equal(reset[answer.l4_off + 13], PACKET_TCP_RST | PACKET_TCP_ACK);
		assert_sums_are_right(reset, len);
	}
}

static void errors_quote_and_keep_to_their_size(void **state)
{
	uint8_t error[ICMP_ERROR_MAX];
	struct ip_packet about, p;
	struct ip_ends ends;

	(void)state;
	for (int is6 = 0; is6 < 2; is6++)
		for (size_t payload = 0; payload < 3000; payload += 1499) {
			size_t len = make_tcp(is6, 1, payload, PACKET_TCP_ACK), room;
			uint8_t type, code;

			assert_int_equal(ip_parse(made, len, &about), 0);
			ip_ends_swap(&about.ends, &ends);
			icmp_error_numbers(ICMP_ERROR_TOO_BIG, ends.version, &type, &code);
			room = is6 ? ICMP_ERROR_MAX : 576;
			len = icmp_error_build(error, &ends, type, code, 1280, about.data,
					       about.len);
			assert_true(len <= room);
			assert_int_equal(ip_parse(error, len, &p), 0);
			assert_int_equal(error[p.l4_off], is6 ? 2 : 3);
			assert_int_equal(error[p.l4_off + 1], is6 ? 0 : 4);
			assert_int_equal(read32(error + p.l4_off + 4), 1280);
			assert_memory_equal(error + p.l4_off + 8, made, len - p.l4_off - 8);
			assert_sums_are_right(error, len);
		}
}

/* Of each protocol and family, with payloads of even and odd lengths. */
static void every_bit_that_is_wrong_is_found(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

	(void)state;
	for (int i = 0; i < 3 * 2 * 18; i++) {
		bool is6 = i % 2;
		struct packet_spec spec;
		struct ip_packet p;
		size_t len;

		packet_spec_init(&spec);
		spec.payload_len = i / 6;
		spec.l4_proto = protocols[i / 2 % 3];
		if (spec.l4_proto == IPPROTO_ICMP)
			spec.l4_proto = packet_icmp_proto(is6 ? IP_VERSION_6 : IP_VERSION_4);
		len = make_packet(is6, &spec);
		assert_int_equal(ip_parse(made, len, &p), 0);
		assert_true(ip_sums_are_right(&p));
		for (size_t bit = 0; bit < 8 * len; bit++) {
			size_t at = bit / 8;

			/* not in IPv6's sum; and a length that lies is for UDP to find */
			if ((is6 && at < 8) || (spec.l4_proto == IPPROTO_UDP &&
						at >= p.l4_off + 4u && at < p.l4_off + 6u))
				continue;
			made[at] ^= 1 << bit % 8;
			if (!ip_parse(made, len, &p) && !p.is_fragment)
				assert_false(ip_sums_are_right(&p));
			made[at] ^= 1 << bit % 8;
			assert_int_equal(ip_parse(made, len, &p), 0);
		}
	}
}

static void a_sum_that_its_sender_has_not_finished_is_right(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		size_t len = make_tcp(is6, 1, 100, PACKET_TCP_ACK);
		struct ip_packet p;
		uint16_t sum;

		assert_int_equal(ip_parse(made, len, &p), 0);
		assert_false(ip_sums_are_right(&p)); /* as make_tcp() says */
		sum = ip_fold(ip_pseudo_sum(&p.ends, IPPROTO_TCP, p.len - p.l4_off));
		memcpy(made + p.l4_off + 16, &sum, 2);
		assert_true(ip_sums_are_right(&p));
		sum++;
		memcpy(made + p.l4_off + 16, &sum, 2);
		assert_false(ip_sums_are_right(&p));
	}
}

static void only_ipv4_can_do_without_the_checksum_of_udp(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		struct packet_spec spec;
		struct ip_packet p;
		size_t len;

		packet_spec_init(&spec);
		spec.l4_proto = IPPROTO_UDP;
		spec.payload_len = 33;
		len = make_packet(is6, &spec);
		assert_int_equal(ip_parse(made, len, &p), 0);
		memset(made + p.l4_off + 6, 0, 2);
		assert_int_equal(ip_sums_are_right(&p), !is6);
	}
}

static void sums_are_those_of_rfc_1071_at_any_length(void **state)
{
	uint8_t bytes[100];

	(void)state;
	srand(2);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		uint32_t sum = 0;

		for (size_t i = 0; i < len; i++) {
			bytes[i] = len % 3 ? rand() : 0xff;
			sum += i % 2 ? bytes[i] : bytes[i] << 8;
		}
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		assert_int_equal(ntohs(ip_fold(ip_sum(bytes, len, 0))), sum);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_both_families_are_read),
		cmocka_unit_test(padding_of_the_link_is_not_part_of_the_packet),
		cmocka_unit_test(packets_that_are_cut_short_are_refused),
		cmocka_unit_test(random_bytes_are_read_within_their_bounds),
		cmocka_unit_test(a_reset_answers_a_syn),
		cmocka_unit_test(every_bit_that_is_wrong_is_found),
		cmocka_unit_test(a_sum_that_its_sender_has_not_finished_is_right),
		cmocka_unit_test(only_ipv4_can_do_without_the_checksum_of_udp),
		cmocka_unit_test(sums_are_those_of_rfc_1071_at_any_length),
		cmocka_unit_test(errors_quote_and_keep_to_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
