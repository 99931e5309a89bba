/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets through the programs of `routing: nat`: every byte of what comes out is compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/masquerade_fixture.h"

static void packets_are_translated_there_and_back(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	static const uint8_t links[] = {ETH_HLEN, 0};
	static const uint16_t ports[] = {61005, 40000};

	(void)state;
	need_programs();
	for (size_t i = 0; i < 2 * 2 * 3 * 2; i++) {
		struct packet_spec peer;
		struct nat nat;
		uint16_t port;

		nat_open(&nat, links[i / 12]);
		spec_set(&peer, protocols[i % 3], i / 3 % 2);
		peer.sport = peer.icmp_id = ports[i / 6 % 2];
		port = open_flow(&nat, &peer);
		if (peer.sport == 61005)
			assert_int_equal(port, 61005);
		answer_flow(&nat, &peer, port);
		nat_close(&nat);
	}
}

static void what_answers_nothing_is_left_alone(void **state)
{
	struct packet_spec peer, other;
	struct frame in, out;
	struct nat nat;

	(void)state;
	need_programs();
	nat_open(&nat, ETH_HLEN);
	spec_set(&peer, IPPROTO_UDP, false);
	peer.sport = 61005;
	open_flow(&nat, &peer);
	other = peer;
	other.saddr = peer.daddr;
	set_addr(&other.daddr, sources[0]);
	other.sport = peer.dport + 1; /* of the same host, but another port of it */
	other.dport = 61005;
	build(&other, &in);
	assert_int_equal(put_uplink(&nat, &in, &out), TC_ACT_UNSPEC);
	assert_same(&in, &out);
	other.sport = peer.dport;
	set_addr(&other.daddr, "203.0.113.6"); /* another address of this host */
	build(&other, &in);
	assert_int_equal(put_uplink(&nat, &in, &out), TC_ACT_UNSPEC);
	assert_same(&in, &out);
	nat_close(&nat);
}

/* Its flow is over with it, but it is to be told how that leaves: the server would wait. */
static void a_reset_of_who_has_just_opened_reaches_the_server(void **state)
{
	(void)state;
	need_programs();
	for (int is_6 = 0; is_6 < 2; is_6++) {
		struct packet_spec peer, sent, late;
		struct frame in, expected, out;
		struct nat nat;

		nat_open(&nat, ETH_HLEN);
		spec_set(&peer, IPPROTO_TCP, is_6);
		peer.sport = 61005;
		answer_flow(&nat, &peer, open_flow(&nat, &peer));
		peer.tcp_flags = PACKET_TCP_RST;
		peer.seq++;
		sent = peer;
		set_addr(&sent.saddr, sources[is_6]);
		sent.ttl--;
		build(&peer, &in);
		build(&sent, &expected);
		assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_REDIRECT);
		assert_same(&expected, &out);
		late = sent;
		late.saddr = sent.daddr;
		late.daddr = sent.saddr;
		late.sport = sent.dport;
		late.dport = sent.sport;
		build(&late, &in);
		assert_int_equal(put_uplink(&nat, &in, &out), TC_ACT_UNSPEC);
		nat_close(&nat);
	}
}

static void protocols_without_ports_are_translated_by_address(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_IPIP, IPPROTO_GRE, IPPROTO_ESP, IPPROTO_SCTP};
	uint64_t now_ns = NS_PER_S;
	struct nat nat;

	(void)state;
	need_programs();
	nat_open(&nat, ETH_HLEN);
	for (size_t i = 0; i < 2 * 4; i++) {
		struct packet_spec peer, sent, answer;
		struct frame in, expected, out;

		spec_set(&peer, protocols[i % 4], i / 4);
		sent = answer = peer;
		set_addr(&sent.saddr, sources[i / 4]);
		sent.ttl--;
		build(&peer, &in);
		build(&sent, &expected);
		assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_REDIRECT);
		assert_same(&expected, &out);
		answer.saddr = sent.daddr;
		answer.daddr = sent.saddr;
		build(&answer, &in);
		assert_int_equal(put_uplink(&nat, &in, &out), TC_ACT_REDIRECT);
		answer.daddr = peer.saddr;
		answer.ttl--;
		build(&answer, &expected);
		assert_same(&expected, &out);
		/* another peer has to wait until the first has done */
		peer.saddr.bytes[15]++;
		build(&peer, &in);
		assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_SHOT);
		now_ns += 86400 * NS_PER_S;
		generation_set_time(nat.generation, now_ns);
		assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_REDIRECT);
	}
	nat_close(&nat);
}

/* RFC 1812, section 5.3.4; what is in such a frame opens nothing. */
static void frames_to_groups_are_not_forwarded(void **state)
{
	static const uint8_t groups[][ETH_ALEN] = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
						   {0x33, 0x33, 0, 0, 0, 1}};
	struct packet_spec peer;
	struct frame in, out;
	struct nat nat;

	(void)state;
	need_programs();
	nat_open(&nat, ETH_HLEN);
	nat.generation->skeleton->bss->masquerade.ports[0].last = PORT_FIRST; /* one port */
	spec_set(&peer, IPPROTO_UDP, false);
	build(&peer, &in);
	for (size_t i = 0; i < 2; i++) {
		memcpy(nat.dest, groups[i], ETH_ALEN);
		assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_SHOT);
		assert_same(&in, &out);
	}
	memset(nat.dest, 0, ETH_ALEN);
	peer.saddr.bytes[15]++;
	open_flow(&nat, &peer); /* the port is still there */
	build(&peer, &in);
	memcpy(nat.dest, groups[0], ETH_ALEN);
	assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_SHOT);
	memset(nat.dest, 0, ETH_ALEN);
	assert_int_equal(put_peer(&nat, &in, &out), TC_ACT_REDIRECT); /* and the flow, too */
	nat_close(&nat);
}

/* Port unreachable by a router, of the beginning of a packet; headers as packet_build() makes them. */
static void build_error(const struct packet_spec *quoted, const union addr *from, uint8_t ttl,
			struct frame *error)
{
	uint16_t ip_len = packet_ip_header_len(quoted->ip_version), l4_len = 8 + ip_len + QUOTED_L4;
	bool is_6 = quoted->ip_version == IP_VERSION_6;
	struct packet_spec outer = *quoted;
	struct frame inner;
	uint32_t sum;

	build(quoted, &inner);
	outer.saddr = *from;
	outer.daddr = quoted->saddr;
	outer.l4_proto = packet_icmp_proto(quoted->ip_version);
	outer.icmp_type = is_6 ? 1 : 3;
	outer.icmp_code = is_6 ? 4 : 3;
	outer.payload_len = ip_len + QUOTED_L4;
	outer.ttl = ttl;
	outer.icmp_id = outer.icmp_seq = 0;
	build(&outer, error);
	memset(error->bytes + ip_len + 2, 0, 6);
	memcpy(error->bytes + ip_len + 8, inner.bytes, ip_len + QUOTED_L4);
	sum = sum_of(error->bytes + ip_len, l4_len, 0);
	if (is_6)
		sum = sum_of(error->bytes + 8, 32, sum + l4_len + IPPROTO_ICMPV6);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	error->bytes[ip_len + 2] = sum >> 8;
	error->bytes[ip_len + 3] = sum;
}

static void errors_from_the_uplink_are_translated_with_their_quotes(void **state)
{
	(void)state;
	need_programs();
	for (int is_6 = 0; is_6 < 2; is_6++) {
		struct packet_spec peer, sent;
		struct frame in, expected, out;
		union addr router;
		struct nat nat;

		nat_open(&nat, ETH_HLEN);
		set_addr(&router, routers[is_6]);
		spec_set(&peer, IPPROTO_TCP, is_6);
		peer.sport = 40000;
		sent = peer;
		sent.sport = open_flow(&nat, &peer);
		set_addr(&sent.saddr, sources[is_6]);
		build_error(&sent, &router, 60, &in);
		assert_int_equal(put_uplink(&nat, &in, &out), TC_ACT_REDIRECT);
		build_error(&peer, &router, 59, &expected);
		assert_same(&expected, &out);
		nat_close(&nat);
	}
}

/* What an answer says; the offsets of IPv4 first. */
struct told {
	uint8_t type[2];
	uint8_t code[2];
};

/* The whole sum of a checksum that is right (RFC 1071). */
static void assert_sum(const uint8_t *bytes, size_t len, uint32_t sum)
{
	sum = sum_of(bytes, len, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

/* An ICMP error of this host's about a packet, with the beginning of that. */
static void assert_told(const struct packet_spec *spec, const struct frame *sent,
			const struct frame *out, const struct told *told)
{
	bool is_6 = spec->ip_version == IP_VERSION_6;
	size_t ip_len = packet_ip_header_len(spec->ip_version);
	size_t quoted = sent->len >= ip_len + 20 ? ip_len + 20 : ip_len + 8;
	const uint8_t *icmp = out->bytes + ip_len;
	const size_t addrs = is_6 ? 8 : 12, addr_len = is_6 ? 16 : 4;
	union addr from;

	set_addr(&from, own[is_6]);
	assert_int_equal(out->len, ip_len + 8 + quoted);
	assert_memory_equal(out->bytes + addrs, from.bytes + 16 - addr_len, addr_len);
	assert_memory_equal(out->bytes + addrs + addr_len, sent->bytes + addrs, addr_len);
	assert_int_equal(icmp[0], told->type[is_6]);
	assert_int_equal(icmp[1], told->code[is_6]);
	assert_memory_equal(icmp + 8, sent->bytes, quoted);
	if (is_6) {
		assert_sum(out->bytes + 8, out->len - 8, 8 + quoted + IPPROTO_ICMPV6);
	} else {
		assert_sum(out->bytes, ip_len, 0);
		assert_sum(icmp, out->len - ip_len, 0);
	}
}

/* With a link header: a test run takes the first 14 bytes for one, and answers are made of an skb. */
static void who_sends_what_goes_no_further_is_told(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	static const struct told told[] = {
		{{11, 3}, {0, 0}}, /* time exceeded */
		{{3, 1}, {0, 0}},  /* no route */
	};
	struct nat nat;

	(void)state;
	need_programs();
	programs_open(&nat, ETH_HLEN, false);
	for (size_t i = 0; i < 2 * 2 * 3; i++) {
		struct packet_spec spec;
		struct frame in, out;
		char peer[32];

		spec_set(&spec, protocols[i % 3], i / 3 % 2);
		snprintf(peer, sizeof(peer), i / 3 % 2 ? "fd64::1:%zu" : "100.64.1.%zu", i);
		set_addr(&spec.saddr, peer);
		spec.payload_len = i % 3 == 1 ? 0 : spec.payload_len;
		spec.ttl = i < 6 ? 1 : 64;
		build(&spec, &in);
		if (put_peer(&nat, &in, &out) != TC_ACT_REDIRECT)
			fail_msg("packet %zu: no answer", i);
		assert_told(&spec, &in, &out, &told[i / 6]);
	}
	nat_close(&nat);
}

static int errors_of(const struct nat *nat, const char *peer, int packets)
{
	struct packet_spec spec;
	struct frame in, out;
	int errors = 0;

	spec_set(&spec, IPPROTO_UDP, false);
	set_addr(&spec.saddr, peer);
	spec.ttl = 1;
	build(&spec, &in);
	for (int i = 0; i < packets; i++)
		errors += put_peer(nat, &in, &out) == TC_ACT_REDIRECT;
	return errors;
}

/* The kernel's icmp_ratelimit: one a second, six at once, for each. */
static void errors_are_limited_for_each_peer(void **state)
{
	struct nat nat;

	(void)state;
	need_programs();
	programs_open(&nat, ETH_HLEN, false);
	assert_in_range(errors_of(&nat, "100.64.0.2", 100), 6, 9);
	assert_int_equal(errors_of(&nat, "100.64.0.3", 5), 5);
	nat_close(&nat);
}

/* Whether a peer's flow from a port finds one on the uplink. */
static bool opens(const struct nat *nat, const char *peer, uint16_t sport)
{
	struct packet_spec spec;
	struct frame in, out;
	int action;

	spec_set(&spec, IPPROTO_UDP, false);
	set_addr(&spec.saddr, peer);
	spec.sport = sport;
	build(&spec, &in);
	action = put_peer(nat, &in, &out);
	assert_true(action == TC_ACT_REDIRECT || action == TC_ACT_SHOT);
	return action == TC_ACT_REDIRECT;
}

/* The peers have their turns after one another, so what is left is what each can keep. */
static void a_peer_with_all_ports_gives_up_some(void **state)
{
	static const char *const names[] = {"100.64.0.2", "100.64.0.3"};
	struct nat nat;
	int opened = 0;

	(void)state;
	need_programs();
	nat_open(&nat, ETH_HLEN);
	nat.generation->skeleton->bss->masquerade.ports[0].last = PORT_FIRST + 7;
	for (int i = 0; i < 8; i++)
		assert_true(opens(&nat, names[0], PORT_FIRST + i));
	assert_false(opens(&nat, names[0], 40000)); /* not at its own cost */
	assert_true(opens(&nat, names[1], 40000));
	assert_false(opens(&nat, names[0], 40001)); /* nor back from who has less */
	for (int i = 1; i < 8; i++)
		opened += opens(&nat, names[1], 40000 + i);
	assert_in_range(opened, 1, 3); /* and not more than half */
	nat_close(&nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_translated_there_and_back),
		cmocka_unit_test(what_answers_nothing_is_left_alone),
		cmocka_unit_test(a_reset_of_who_has_just_opened_reaches_the_server),
		cmocka_unit_test(protocols_without_ports_are_translated_by_address),
		cmocka_unit_test(frames_to_groups_are_not_forwarded),
		cmocka_unit_test(errors_from_the_uplink_are_translated_with_their_quotes),
		cmocka_unit_test(who_sends_what_goes_no_further_is_told),
		cmocka_unit_test(errors_are_limited_for_each_peer),
		cmocka_unit_test(a_peer_with_all_ports_gives_up_some),
	};

	return cmocka_run_group_tests_name("masquerade", tests, NULL, NULL);
}
