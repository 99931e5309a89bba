/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Coalescing: what comes out, cut again at gso_size, is what went in, in the same order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "forward/coalesce.h"
#include "unit/forward_packet.h"

#define MSS	    1000
#define PACKETS_MAX 200

/* What was written. */
struct written {
	struct virtio_net_hdr header;
	size_t len;
	uint8_t bytes[70000];
};

static struct written written[PACKETS_MAX];
static int n_written;
static uint8_t kept[PACKETS_MAX][70000]; /* packets stay where they are until the flush */
static int n_kept;
static struct coalescer coalescer;

static void write_packet(void *arg, const struct iovec *parts, int n)
{
	struct written *to = &written[n_written++];

	(void)arg;
	assert_int_equal(parts[0].iov_len, sizeof(to->header));
	memcpy(&to->header, parts[0].iov_base, sizeof(to->header));
	to->len = 0;
	for (int i = 1; i < n; i++) {
		memcpy(to->bytes + to->len, parts[i].iov_base, parts[i].iov_len);
		to->len += parts[i].iov_len;
	}
}

static int begin(void **state)
{
	(void)state;
	n_written = n_kept = 0;
	coalesce_init(&coalescer, write_packet, NULL);
	return 0;
}

/* @segment_len: of a packet that holds several segments, 0: it is one */
static uint8_t *add_segments(bool is6, uint32_t seq, size_t payload_len, uint8_t flags,
			     uint16_t segment_len)
{
	uint8_t *copy = kept[n_kept++];
	struct ip_packet p;
	size_t len = make_tcp(is6, seq, payload_len, flags);

	memcpy(copy, made, len);
	assert_int_equal(ip_parse(copy, len, &p), 0);
	p.segment_len = segment_len;
	coalesce_add(&coalescer, &p);
	return copy;
}

static uint8_t *add(bool is6, uint32_t seq, size_t payload_len, uint8_t flags)
{
	return add_segments(is6, seq, payload_len, flags, 0);
}

static void consecutive_segments_become_one_packet(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		size_t header_len = (is6 ? 40 : 20) + 20;
		const struct written *w = &written[0];

		begin(NULL);
		for (int i = 0; i < 5; i++)
			add(is6, 100 + i * MSS, MSS, PACKET_TCP_ACK);
		coalesce_flush(&coalescer);
		assert_int_equal(n_written, 1);
		assert_int_equal(w->len, header_len + 5 * MSS);
		assert_int_equal(w->header.gso_type,
				 is6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(w->header.gso_size, MSS);
		assert_int_equal(w->header.hdr_len, header_len);
		assert_int_equal(read32(w->bytes + header_len - 16), 100);
		for (int i = 0; i < 5; i++)
			for (int j = 0; j < MSS; j++)
				assert_int_equal(w->bytes[header_len + i * MSS + j], j % 256);
		if (is6)
			assert_int_equal(w->bytes[4] << 8 | w->bytes[5], 20 + 5 * MSS);
		else
			assert_int_equal(w->bytes[2] << 8 | w->bytes[3], header_len + 5 * MSS);
	}
}

/* The receiver adds what the virtio header says, and must find all ones. */
static void the_sum_of_the_pseudo_header_is_written(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++)
		for (int n = 1; n < 4; n++) {
			struct written *w = &written[0];
			uint64_t sum;
			uint16_t folded;

			begin(NULL);
			for (int i = 0; i < n; i++)
				add(is6, i * MSS, MSS, PACKET_TCP_ACK);
			coalesce_flush(&coalescer);
			assert_int_equal(w->header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			sum = ip_sum(w->bytes + w->header.csum_start, w->len - w->header.csum_start,
				     0);
			folded = ~ip_fold(sum);
			memcpy(w->bytes + w->header.csum_start + w->header.csum_offset, &folded, 2);
			assert_sums_are_right(w->bytes, w->len);
		}
}

static void a_gap_or_a_push_or_a_short_segment_ends_a_run(void **state)
{
	(void)state;
	add(false, 0, MSS, PACKET_TCP_ACK);
	add(false, 2 * MSS, MSS, PACKET_TCP_ACK); /* a gap */
	add(false, 3 * MSS, MSS, PACKET_TCP_ACK | PACKET_TCP_PSH);
	add(false, 4 * MSS, 10, PACKET_TCP_ACK); /* after a push, short */
	add(false, 4 * MSS + 10, MSS, PACKET_TCP_ACK);
	coalesce_flush(&coalescer);
	assert_int_equal(n_written, 4);
	assert_int_equal(written[0].len, 40 + MSS);
	assert_int_equal(written[1].len, 40 + 2 * MSS);
	assert_int_equal(written[1].bytes[33], PACKET_TCP_ACK | PACKET_TCP_PSH);
	assert_int_equal(written[2].len, 40 + 10);
	assert_int_equal(written[3].len, 40 + MSS);
}

static void a_fin_waits_for_what_came_before_it(void **state)
{
	(void)state;
	add(false, 0, MSS, PACKET_TCP_ACK);
	add(false, MSS, MSS, PACKET_TCP_ACK);
	add(false, 2 * MSS, 0, PACKET_TCP_ACK | PACKET_TCP_FIN);
	assert_int_equal(n_written, 2);
	assert_int_equal(written[0].len, 40 + 2 * MSS);
	assert_int_equal(written[1].len, 40);
	assert_int_equal(written[1].header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	coalesce_flush(&coalescer);
	assert_int_equal(n_written, 2);
}

static void a_congestion_mark_is_not_lost(void **state)
{
	uint8_t *second;
	struct ip_packet p;
	size_t len;

	(void)state;
	add(false, 0, MSS, PACKET_TCP_ACK);
	len = make_tcp(false, MSS, MSS, PACKET_TCP_ACK);
	second = kept[n_kept++];
	memcpy(second, made, len);
	second[1] |= 3; /* congestion experienced (RFC 3168) */
	assert_int_equal(ip_parse(second, len, &p), 0);
	coalesce_add(&coalescer, &p);
	coalesce_flush(&coalescer);
	assert_int_equal(n_written, 2);
	assert_int_equal(written[1].bytes[1] & 3, 3);
}

static void connections_do_not_mix_and_a_packet_keeps_its_bounds(void **state)
{
	(void)state;
	for (int i = 0; i < 90; i++) {
		add(false, i * MSS, MSS, PACKET_TCP_ACK);
		add(true, i * MSS, MSS, PACKET_TCP_ACK);
	}
	coalesce_flush(&coalescer);
	assert_int_equal(n_written, 4);
	for (int i = 0; i < n_written; i++)
		assert_true(written[i].len <= 65535);
	assert_int_equal(written[0].len + written[1].len + written[2].len + written[3].len,
			 2 * 40 + 2 * 60 + 180 * MSS);
}

static void a_packet_of_many_segments_stays_one(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		const struct written *w = &written[0];

		begin(NULL);
		add_segments(is6, 0, 20 * MSS + 7, PACKET_TCP_ACK, MSS);
		coalesce_flush(&coalescer);
		assert_int_equal(n_written, 1);
		assert_int_equal(w->len, (is6 ? 60 : 40) + 20 * MSS + 7);
		assert_int_equal(w->header.gso_size, MSS);
		assert_int_equal(w->header.gso_type,
				 is6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
	}
}

static void packets_of_many_segments_go_together_while_their_segments_are_whole(void **state)
{
	(void)state;
	add_segments(false, 0, 10 * MSS, PACKET_TCP_ACK, MSS);
	add_segments(false, 10 * MSS, 10 * MSS, PACKET_TCP_ACK, MSS);
	add(false, 20 * MSS, MSS, PACKET_TCP_ACK);
	add_segments(false, 21 * MSS, 2 * MSS + 1, PACKET_TCP_ACK, MSS); /* ends the run */
	add_segments(false, 23 * MSS + 1, 2 * MSS, PACKET_TCP_ACK, MSS);
	add_segments(false, 25 * MSS + 1, 800, PACKET_TCP_ACK, 100); /* of another size */
	coalesce_flush(&coalescer);
	assert_int_equal(n_written, 3);
	assert_int_equal(written[0].len, 40 + 23 * MSS + 1);
	assert_int_equal(written[0].header.gso_size, MSS);
	assert_int_equal(written[1].len, 40 + 2 * MSS);
	assert_int_equal(written[2].len, 40 + 800);
	assert_int_equal(written[2].header.gso_size, 100);
}

static void a_packet_of_many_segments_that_holds_one_is_no_gso_packet(void **state)
{
	(void)state;
	add_segments(false, 0, MSS, PACKET_TCP_ACK, MSS);
	add_segments(true, 0, 10, PACKET_TCP_ACK, MSS);
	coalesce_flush(&coalescer);
	assert_int_equal(n_written, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(written[i].header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(consecutive_segments_become_one_packet, begin),
		cmocka_unit_test_setup(the_sum_of_the_pseudo_header_is_written, begin),
		cmocka_unit_test_setup(a_gap_or_a_push_or_a_short_segment_ends_a_run, begin),
		cmocka_unit_test_setup(a_fin_waits_for_what_came_before_it, begin),
		cmocka_unit_test_setup(a_congestion_mark_is_not_lost, begin),
		cmocka_unit_test_setup(a_packet_of_many_segments_stays_one, begin),
		cmocka_unit_test_setup(
			packets_of_many_segments_go_together_while_their_segments_are_whole, begin),
		cmocka_unit_test_setup(a_packet_of_many_segments_that_holds_one_is_no_gso_packet,
				       begin),
		cmocka_unit_test_setup(connections_do_not_mix_and_a_packet_keeps_its_bounds, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
