/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fragments and packets with options through the programs of `routing: nat`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/masquerade_fixture.h"

/* Both fragments of a datagram, one after the other; the later one has no ports of its own. */
static void set_fragment(struct packet_spec *spec, bool is_later)
{
	spec->is_fragment = true;
	spec->frag_id = 4711;
	spec->frag_more = !is_later;
	spec->frag_off = is_later ? 1008 : 0;
	spec->payload_len = is_later ? 99 : 1000;
}

/* What is put into a program comes out with other ends, and nothing else of it changes. */
static void assert_translated(const struct nat *nat, bool by_uplink, const struct packet_spec *from,
			      const struct packet_spec *to)
{
	struct frame in, expected, out;

	build(from, &in);
	build(to, &expected);
	assert_int_equal(by_uplink ? put_uplink(nat, &in, &out) : put_peer(nat, &in, &out),
			 TC_ACT_REDIRECT);
	assert_same(&expected, &out);
}

static void fragments_are_translated_there_and_back(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_ICMP};

	(void)state;
	need_programs();
	for (size_t i = 0; i < 2 * 2 * 2; i++) {
		struct packet_spec peer, sent, answer, got;
		bool is_6 = i / 2 % 2;
		struct nat nat;

		nat_open(&nat, i / 4 ? ETH_HLEN : 0);
		spec_set(&peer, protocols[i % 2], is_6);
		peer.sport = peer.icmp_id = 61005;
		sent = peer;
		set_addr(&sent.saddr, sources[is_6]);
		sent.ttl--;
		answer = peer;
		answer.saddr = peer.daddr;
		answer.daddr = sent.saddr;
		answer.sport = peer.dport;
		answer.dport = peer.sport;
		answer.icmp_type = is_6 ? 129 : 0;
		got = answer;
		got.daddr = peer.saddr;
		got.ttl--;
		for (int later = 0; later < 2; later++) {
			set_fragment(&peer, later);
			set_fragment(&sent, later);
			assert_translated(&nat, false, &peer, &sent);
		}
		for (int later = 0; later < 2; later++) {
			set_fragment(&answer, later);
			set_fragment(&got, later);
			assert_translated(&nat, true, &answer, &got);
		}
		nat_close(&nat);
	}
}

/*
 * A router alert behind the IPv4 header, or a hop-by-hop header with one (RFC 2113, RFC 2711): the sum
 * of a pseudo header does not cover them.
 */
static void add_options(struct frame *packet)
{
	static const uint8_t alert4[] = {0x94, 4, 0, 0};
	uint8_t alert6[] = {packet->bytes[6], 0, 5, 2, 0, 0, 1, 0};
	bool is_6 = packet->bytes[0] >> 4 == 6;
	size_t at = is_6 ? 40 : 20, added = is_6 ? sizeof(alert6) : sizeof(alert4);
	uint16_t len = packet->len + added - (is_6 ? 40 : 0);
	uint32_t sum;

	memmove(packet->bytes + at + added, packet->bytes + at, packet->len - at);
	memcpy(packet->bytes + at, is_6 ? alert6 : alert4, added);
	packet->len += added;
	packet->bytes[is_6 ? 4 : 2] = len >> 8;
	packet->bytes[is_6 ? 5 : 3] = len;
	if (is_6) {
		packet->bytes[6] = 0;
		return;
	}
	packet->bytes[0]++;
	packet->bytes[10] = packet->bytes[11] = 0;
	sum = sum_of(packet->bytes, at + added, 0);
	sum = ~((sum & 0xffff) + (sum >> 16));
	packet->bytes[10] = sum >> 8;
	packet->bytes[11] = sum;
}

static void options_stay_and_ports_are_found_behind_them(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

	(void)state;
	need_programs();
	for (size_t i = 0; i < 2 * 3; i++) {
		struct frame in, expected, out;
		struct packet_spec peer, sent;
		bool is_6 = i / 3;
		struct nat nat;

		nat_open(&nat, ETH_HLEN);
		spec_set(&peer, protocols[i % 3], is_6);
		peer.sport = peer.icmp_id = 61005;
		sent = peer;
		set_addr(&sent.saddr, sources[is_6]);
		sent.ttl--;
		build(&peer, &in);
		build(&sent, &expected);
		add_options(&in);
		add_options(&expected);
		assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_REDIRECT);
		assert_same(&expected, &out);
		sent.daddr = peer.saddr;
		sent.saddr = peer.daddr;
		sent.sport = peer.dport;
		sent.dport = peer.sport;
		sent.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
		sent.icmp_type = is_6 ? 129 : 0;
		build(&sent, &expected);
		sent.ttl++;
		set_addr(&sent.daddr, sources[is_6]);
		build(&sent, &in);
		add_options(&in);
		add_options(&expected);
		assert_int_equal(put_uplink(&nat, &in, &out), TC_ACT_REDIRECT);
		assert_same(&expected, &out);
		nat_close(&nat);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_are_translated_there_and_back),
		cmocka_unit_test(options_stay_and_ports_are_found_behind_them),
	};

	return cmocka_run_group_tests_name("masquerade_fragments", tests, NULL, NULL);
}
