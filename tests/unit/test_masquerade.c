/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets through the programs of `routing: nat`: every byte of what comes out is compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classify.h"
#include "dataplane/generation_build.h"
#include "masquerade.h"
#include "packet/build.h"
#include "policy/parse.h"
#include "shrike.skel.h"
#include "unit/simulation.h"

#define TC_ACT_UNSPEC	(-1)
#define TC_ACT_SHOT	2
#define TC_ACT_REDIRECT 7
#define FRAME_MAX	2048
#define PORT_FIRST	61000
#define PORT_LAST	61999
#define QUOTED_L4	8

static const char policy_text[] =
	"version: 1\n"
	"mode: {routing: nat}\n"
	"route_acl: [{id: all, action: allow, source: [any], destination: [any], protocol: all}]\n";

/* A frame, or what is behind its link header. */
struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

struct nat {
	struct policy *policy;
	struct generation *generation;
	uint8_t l2_len;
	uint8_t dest[ETH_ALEN]; /* link address to which packets are sent */
};

static void set_addr(union addr *addr, const char *text)
{
	memset(addr, 0, sizeof(*addr));
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
		return;
	}
	addr->bytes[10] = addr->bytes[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, &addr->word[3]), 1);
}

static const char *const peers[2] = {"100.64.0.2", "fd64::2"};
static const char *const remotes[2] = {"192.0.2.7", "2001:db8::7"};
static const char *const routers[2] = {"192.0.2.254", "2001:db8::254"};
static const char *const own[2] = {"100.64.0.1", "fd64::1"};
static const char *const sources[2] = {"203.0.113.5", "2001:db8:5::5"};

/* Programs that know one uplink; with a clock of their own they answer, and ask the kernel for routes. */
static void programs_open(struct nat *nat, uint8_t l2_len, bool virtual_clock)
{
	const struct mode mode = {
		.routing = ROUTING_NAT,
		.hook = HOOK_TC,
		.forwarder_input = FORWARDER_INPUT_TUN,
	};
	struct generation_spec spec = {
		.mode = &mode,
		.ifindex = 1,
		.mtu = 1420,
		.l2_len = l2_len,
		.virtual_clock = virtual_clock,
	};
	struct masquerade *masquerade;
	struct error error;

	if (policy_parse("test", policy_text, strlen(policy_text), &nat->policy, &error))
		fail_msg("%s", error.text);
	spec.policy = nat->policy;
	nat->l2_len = l2_len;
	memset(nat->dest, 0, sizeof(nat->dest)); /* of the device on which test runs are */
	if (generation_build(&spec, &nat->generation, &error))
		fail_msg("%s", error.text);
	masquerade = &nat->generation->skeleton->bss->masquerade;
	masquerade->uplinks[0] = (struct uplink){.ifindex = 1, .mtu = 1500, .l2_len = ETH_HLEN};
	set_addr(&masquerade->uplinks[0].addr[0], sources[0]);
	set_addr(&masquerade->uplinks[0].addr[1], sources[1]);
	masquerade->ports[0] = (struct masquerade_ports){PORT_FIRST, PORT_LAST};
	masquerade->ports[1] = (struct masquerade_ports){1, 0};
	masquerade->mtu = 1420;
	set_addr(&masquerade->own[0], own[0]);
	set_addr(&masquerade->own[1], own[1]);
	if (virtual_clock)
		generation_set_time(nat->generation, NS_PER_S);
}

static void nat_open(struct nat *nat, uint8_t l2_len)
{
	programs_open(nat, l2_len, true);
}

static void nat_close(struct nat *nat)
{
	generation_free(nat->generation);
	policy_free(nat->policy);
}

static void build(const struct packet_spec *spec, struct frame *packet)
{
	struct error error;

	if (packet_build(spec, packet->bytes, sizeof(packet->bytes), &packet->len, &error))
		fail_msg("%s", error.text);
}

/* Put a packet into a program, behind a link header; returns the verdict. */
static int put(const struct nat *nat, int prog_fd, uint8_t l2_len, const struct frame *packet,
	       struct frame *out)
{
	uint8_t in[FRAME_MAX + ETH_HLEN] = {}, back[FRAME_MAX + ETH_HLEN] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = packet->len + l2_len,
		    .data_out = back, .data_size_out = sizeof(back), .repeat = 1);
	uint16_t ethertype = htons(packet->bytes[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);

	if (l2_len) {
		memcpy(in, nat->dest, sizeof(nat->dest));
		memcpy(in + 2 * ETH_ALEN, &ethertype, sizeof(ethertype));
	}
	memcpy(in + l2_len, packet->bytes, packet->len);
	nat->generation->skeleton->bss->virtual_frame_len = packet->len + l2_len;
	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
	assert_true(opts.data_size_out >= l2_len);
	out->len = opts.data_size_out - l2_len;
	memcpy(out->bytes, back + l2_len, out->len);
	return (int)opts.retval;
}

static int put_peer(const struct nat *nat, const struct frame *packet, struct frame *out)
{
	return put(nat, nat->generation->ingress_fd, nat->l2_len, packet, out);
}

static int put_uplink(const struct nat *nat, const struct frame *packet, struct frame *out)
{
	return put(nat, nat->generation->uplink_fds[0], ETH_HLEN, packet, out);
}

static void assert_same(const struct frame *expected, const struct frame *got)
{
	assert_int_equal(got->len, expected->len);
	assert_memory_equal(got->bytes, expected->bytes, expected->len);
}

static void spec_set(struct packet_spec *spec, uint8_t l4_proto, bool is_6)
{
	packet_spec_init(spec);
	spec->ip_version = is_6 ? IP_VERSION_6 : IP_VERSION_4;
	spec->l4_proto = l4_proto == IPPROTO_ICMP ? packet_icmp_proto(spec->ip_version) : l4_proto;
	spec->tcp_flags = PACKET_TCP_SYN;
	spec->payload_len = l4_proto == IPPROTO_TCP ? 0 : 101;
	spec->ttl = 64;
	set_addr(&spec->saddr, peers[is_6]);
	set_addr(&spec->daddr, remotes[is_6]);
}

/* The port, or the identifier, of the sender in a packet. */
static uint16_t source_port(const struct frame *packet, const struct packet_spec *spec)
{
	size_t off = packet_ip_header_len(spec->ip_version);

	if (spec->l4_proto != IPPROTO_TCP && spec->l4_proto != IPPROTO_UDP)
		off += offsetof(struct icmphdr, un.echo.id);
	return packet->bytes[off] << 8 | packet->bytes[off + 1];
}

/* A flow from a peer's port; returns the port that it has on the uplink. */
static uint16_t open_flow(const struct nat *nat, const struct packet_spec *peer)
{
	struct packet_spec sent = *peer;
	bool is_6 = peer->ip_version == IP_VERSION_6;
	struct frame in, expected, out;
	uint16_t port;

	build(peer, &in);
	assert_int_equal(put_peer(nat, &in, &out), TC_ACT_REDIRECT);
	port = source_port(&out, peer);
	set_addr(&sent.saddr, sources[is_6]);
	sent.sport = sent.icmp_id = port;
	sent.ttl--;
	build(&sent, &expected);
	assert_same(&expected, &out);
	assert_in_range(port, PORT_FIRST, PORT_LAST);
	return port;
}

/* Its answer, which comes in by the uplink. */
static void answer_flow(const struct nat *nat, const struct packet_spec *peer, uint16_t port)
{
	bool is_6 = peer->ip_version == IP_VERSION_6;
	struct packet_spec answer = *peer;
	struct frame in, expected, out;

	answer.saddr = peer->daddr;
	set_addr(&answer.daddr, sources[is_6]);
	answer.sport = peer->dport;
	answer.dport = answer.icmp_id = port;
	answer.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	answer.icmp_type = is_6 ? 129 : 0;
	build(&answer, &in);
	assert_int_equal(put_uplink(nat, &in, &out), TC_ACT_REDIRECT);
	answer.daddr = peer->saddr;
	answer.dport = peer->sport;
	answer.icmp_id = peer->icmp_id;
	answer.ttl--;
	build(&answer, &expected);
	assert_same(&expected, &out);
}

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

/* The sum of RFC 1071, to go on with. */
static uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	return sum;
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
		cmocka_unit_test(packets_are_translated_there_and_back),
		cmocka_unit_test(what_answers_nothing_is_left_alone),
		cmocka_unit_test(protocols_without_ports_are_translated_by_address),
		cmocka_unit_test(frames_to_groups_are_not_forwarded),
		cmocka_unit_test(errors_from_the_uplink_are_translated_with_their_quotes),
		cmocka_unit_test(who_sends_what_goes_no_further_is_told),
		cmocka_unit_test(errors_are_limited_for_each_peer),
		cmocka_unit_test(a_peer_with_all_ports_gives_up_some),
		cmocka_unit_test(fragments_are_translated_there_and_back),
		cmocka_unit_test(options_stay_and_ports_are_found_behind_them),
	};

	return cmocka_run_group_tests_name("masquerade", tests, NULL, NULL);
}
