/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reassembly, in any order, and what must not come out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "forward/reassemble.h"
#include "unit/forward_packet.h"

#define TIMEOUT_NS 30000000000ull

static struct reassembly *table;
static struct ip_packet whole;

static int set_up(void **state)
{
	(void)state;
	table = reassembly_new();
	return table ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	reassembly_free(table);
	return 0;
}

static bool add_made(size_t len, uint64_t now_ns)
{
	struct ip_packet p;

	assert_int_equal(ip_parse(made, len, &p), 0);
	assert_true(p.is_fragment);
	return reassembly_add(table, &p, now_ns, TIMEOUT_NS, &whole);
}

static size_t make_fragment(bool is6, uint32_t id, size_t off, size_t len, bool more)
{
	struct packet_spec spec;

	packet_spec_init(&spec);
	spec.l4_proto = IPPROTO_UDP;
	spec.sport = 1000;
	spec.dport = 2000;
	spec.payload_len = len;
	spec.is_fragment = true;
	spec.frag_id = id;
	spec.frag_off = off;
	spec.frag_more = more;
	return make_packet(is6, &spec);
}

/* The fragment that begins at @off; the first one has @len bytes behind the UDP header. */
static bool add(bool is6, uint32_t id, size_t off, size_t len, bool more, uint64_t now_ns)
{
	return add_made(make_fragment(is6, id, off, len, more), now_ns);
}

/* The same of IPv6, with an empty destination options header before the fragment header. */
static bool add_with_options(uint32_t id, size_t off, size_t len, bool more)
{
	static const uint8_t options[] = {IPPROTO_FRAGMENT, 0, 1, 4, 0, 0, 0, 0};
	size_t packet_len = make_fragment(true, id, off, len, more) + sizeof(options);
	uint16_t payload_len = htons(packet_len - 40);

	memmove(made + 40 + sizeof(options), made + 40, packet_len - 40 - sizeof(options));
	memcpy(made + 40, options, sizeof(options));
	memcpy(made + 4, &payload_len, sizeof(payload_len));
	made[6] = IPPROTO_DSTOPTS;
	return add_made(packet_len, 0);
}

/* The datagram of the first three tests: 8 + 1,000, then 1,000, then 5 bytes. */
static void assert_whole(bool is6)
{
	const uint8_t *data = whole.data + whole.l4_off;

	assert_int_equal(whole.len, (is6 ? 40 : 20) + 8 + 1000 + 1000 + 5);
	assert_int_equal(whole.l4_off, is6 ? 40 : 20);
	assert_int_equal(whole.l4_proto, IPPROTO_UDP);
	assert_false(whole.is_fragment);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(data[8 + i], i % 256);
		assert_int_equal(data[1008 + i], i % 256);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(data[2008 + i], i);
}

static void fragments_in_order_become_their_datagram(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		assert_false(add(is6, 7, 0, 1000, true, 0));
		assert_false(add(is6, 7, 1008, 1000, true, 0));
		assert_true(add(is6, 7, 2008, 5, false, 0));
		assert_whole(is6);
	}
}

static void fragments_in_any_order_become_their_datagram(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++) {
		assert_false(add(is6, 7, 2008, 5, false, 0));
		assert_false(add(is6, 7, 1008, 1000, true, 0));
		assert_true(add(is6, 7, 0, 1000, true, 0));
		assert_whole(is6);
	}
}

static void an_overlap_loses_the_datagram(void **state)
{
	(void)state;
	assert_false(add(false, 7, 0, 1000, true, 0));
	assert_false(add(false, 7, 1000, 1008, true, 0));
	assert_false(add(false, 7, 2008, 5, false, 0));
	assert_false(add(false, 7, 1008, 1000, true, 0));
}

static void data_beyond_the_last_fragment_loses_the_datagram(void **state)
{
	(void)state;
	assert_false(add(false, 7, 1008, 5, false, 0));
	assert_false(add(false, 7, 2008, 8, true, 0));
	assert_false(add(false, 7, 0, 1000, true, 0));
}

static void a_datagram_beyond_65535_bytes_is_never_made(void **state)
{
	(void)state;
	assert_false(add(false, 7, 65528, 100, false, 0));
	assert_false(add(false, 7, 0, 1000, true, 0));
}

/* Its extension headers count (RFC 8200, section 4.5). */
static void an_ipv6_payload_beyond_65535_bytes_is_never_made(void **state)
{
	(void)state;
	assert_false(add(true, 7, 0, 32000 - 8, true, 0));
	assert_false(add(true, 7, 32000, 32000, true, 0));
	assert_true(add(true, 7, 64000, 1535, false, 0));
	assert_false(add_with_options(8, 0, 32000 - 8, true));
	assert_false(add_with_options(8, 32000, 32000, true));
	assert_true(add_with_options(8, 64000, 1535 - 8, false));
	assert_int_equal(whole.l4_off, 48);
	assert_int_equal(whole.len, 40 + 65535);
	assert_false(add_with_options(9, 0, 32000 - 8, true));
	assert_false(add_with_options(9, 32000, 32000, true));
	assert_false(add_with_options(9, 64000, 1535, false));
}

static void datagrams_do_not_mix(void **state)
{
	(void)state;
	assert_false(add(false, 7, 0, 1000, true, 0));
	assert_false(add(false, 8, 1008, 1000, false, 0));
	assert_false(add(true, 7, 1008, 1000, false, 0));
	assert_true(add(false, 7, 1008, 1000, false, 0));
}

static void half_a_datagram_is_dropped_in_time(void **state)
{
	(void)state;
	assert_false(add(false, 7, 0, 1000, true, 0));
	assert_false(add(false, 7, 1008, 5, false, TIMEOUT_NS + 1));
}

static void too_many_datagrams_displace_the_oldest(void **state)
{
	(void)state;
	for (uint32_t id = 0; id <= REASSEMBLE_DATAGRAMS; id++)
		assert_false(add(false, id, 0, 1000, true, 0));
	assert_true(add(false, 1, 1008, 5, false, 0));
	assert_false(add(false, 0, 1008, 5, false, 0));
}

static void a_flood_stays_within_its_memory(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 1000; id++)
		for (size_t off = 1008; off < 64000; off += 8000)
			assert_false(add(false, id, off, 8000, true, 0));
	assert_false(add(false, 5000, 0, 1000, true, 0));
	assert_true(add(false, 5000, 1008, 5, false, 0));
}

/* A fragment of a neighbour's of the one that all others are from. */
static bool add_of_another(size_t off, size_t len, bool more)
{
	size_t packet_len = make_fragment(true, 1, off, len, more);

	made[23] ^= 1; /* the last byte of the source */
	return add_made(packet_len, 0);
}

static void a_flood_displaces_nothing_of_others(void **state)
{
	(void)state;
	assert_false(add_of_another(0, 1000, true));
	for (uint32_t id = 0; id < 1000; id++)
		for (size_t off = 1008; off < 64000; off += 8000)
			assert_false(add(true, id, off, 8000, true, 0));
	assert_true(add_of_another(1008, 5, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fragments_in_order_become_their_datagram, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(fragments_in_any_order_become_their_datagram,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_overlap_loses_the_datagram, set_up, tear_down),
		cmocka_unit_test_setup_teardown(data_beyond_the_last_fragment_loses_the_datagram,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_datagram_beyond_65535_bytes_is_never_made, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_ipv6_payload_beyond_65535_bytes_is_never_made,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(datagrams_do_not_mix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_a_datagram_is_dropped_in_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(too_many_datagrams_displace_the_oldest, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_flood_stays_within_its_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_displaces_nothing_of_others, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
