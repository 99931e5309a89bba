/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Datagrams that came as one packet: each comes out with its own bytes and its own headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "forward/split.h"
#include "unit/forward_packet.h"

#define UDP_SUM 6 /* offset of the checksum in the UDP header */

static struct splitter splitter;

static int begin(void **state)
{
	(void)state;
	return splitter_init(&splitter);
}

static int end(void **state)
{
	(void)state;
	free(splitter.buffer);
	return 0;
}

/* @payload_len bytes of UDP in @made, to be divided into @segment_len each */
static struct ip_packet make_datagrams(bool is6, size_t payload_len, uint16_t segment_len)
{
	struct packet_spec spec;
	struct ip_packet p;
	size_t len;

	packet_spec_init(&spec);
	spec.l4_proto = IPPROTO_UDP;
	spec.sport = 40000;
	spec.dport = 53;
	spec.payload_len = payload_len;
	len = make_packet(is6, &spec);
	assert_int_equal(ip_parse(made, len, &p), 0);
	p.segment_len = segment_len;
	return p;
}

/* As the receiver sees it: the sum of the pseudo header is finished over the bytes. */
static void assert_is_datagram(const struct ip_packet *p, size_t payload_len, size_t first_byte)
{
	uint8_t *udp = p->data + p->l4_off;
	struct ip_packet again;
	uint16_t sum;

	assert_int_equal(p->segment_len, 0);
	assert_int_equal(p->len, p->l4_off + 8 + payload_len);
	assert_int_equal(ip_parse(p->data, p->len, &again), 0);
	assert_int_equal(again.len, p->len);
	assert_int_equal(udp[4] << 8 | udp[5], 8 + payload_len);
	for (size_t i = 0; i < payload_len; i++)
		assert_int_equal(udp[8 + i], (first_byte + i) % 256);
	sum = ~ip_fold(ip_sum(udp, p->len - p->l4_off, 0));
	memcpy(udp + UDP_SUM, &sum, 2);
	assert_sums_are_right(p->data, p->len);
}

static void every_datagram_has_its_bytes_and_headers(void **state)
{
	struct ip_packet p, one;

	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		uint32_t at = 0;

		splitter_reset(&splitter);
		p = make_datagrams(is6, 7 * 100 + 30, 100);
		for (int i = 0; i < 7; i++) {
			assert_true(split_next(&splitter, &p, &at, &one));
			assert_is_datagram(&one, 100, i * 100);
		}
		assert_true(split_next(&splitter, &p, &at, &one));
		assert_is_datagram(&one, 30, 700);
		assert_false(split_next(&splitter, &p, &at, &one));
	}
}

static void one_that_is_not_larger_than_a_segment_comes_out_as_it_is(void **state)
{
	struct ip_packet p = make_datagrams(false, 100, 1000), one;
	uint32_t at = 0;

	(void)state;
	assert_true(split_next(&splitter, &p, &at, &one));
	assert_is_datagram(&one, 100, 0);
	assert_false(split_next(&splitter, &p, &at, &one));
}

static void datagrams_stay_where_they_are_until_there_is_no_room(void **state)
{
	struct ip_packet p = make_datagrams(true, 60000, 1000), all[1000];
	size_t n = 0;

	(void)state;
	while (split_has_room(&splitter, &p)) {
		uint32_t at = n % 60 * 1000;

		assert_true(split_next(&splitter, &p, &at, &all[n++]));
	}
	assert_true(n > 200);
	for (size_t i = 0; i < n; i++)
		assert_is_datagram(&all[i], 1000, i % 60 * 1000);
	splitter_reset(&splitter);
	assert_true(split_has_room(&splitter, &p));
}

static void a_packet_without_data_holds_no_datagram(void **state)
{
	struct ip_packet p = make_datagrams(false, 0, 100), one;
	uint32_t at = 0;

	(void)state;
	assert_false(split_next(&splitter, &p, &at, &one));
	p.len -= 4; /* nor one whose header is cut short */
	assert_false(split_next(&splitter, &p, &at, &one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_datagram_has_its_bytes_and_headers, begin,
						end),
		cmocka_unit_test_setup_teardown(
			one_that_is_not_larger_than_a_segment_comes_out_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(
			datagrams_stay_where_they_are_until_there_is_no_room, begin, end),
		cmocka_unit_test_setup_teardown(a_packet_without_data_holds_no_datagram, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
