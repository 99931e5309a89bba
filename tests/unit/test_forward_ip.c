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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_both_families_are_read),
		cmocka_unit_test(padding_of_the_link_is_not_part_of_the_packet),
		cmocka_unit_test(packets_that_are_cut_short_are_refused),
		cmocka_unit_test(random_bytes_are_read_within_their_bounds),
		cmocka_unit_test(a_reset_answers_a_syn),
		cmocka_unit_test(errors_quote_and_keep_to_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
