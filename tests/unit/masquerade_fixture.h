/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs of `routing: nat` with one uplink, and packets put through them.
 */
#ifndef TESTS_UNIT_MASQUERADE_FIXTURE_H
#define TESTS_UNIT_MASQUERADE_FIXTURE_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
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
#include "recorder.h"
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

static inline void set_addr(union addr *addr, const char *text)
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
static inline void programs_open(struct nat *nat, uint8_t l2_len, bool virtual_clock)
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

static inline void nat_open(struct nat *nat, uint8_t l2_len)
{
	programs_open(nat, l2_len, true);
}

static inline void nat_close(struct nat *nat)
{
	generation_free(nat->generation);
	policy_free(nat->policy);
}

static inline void build(const struct packet_spec *spec, struct frame *packet)
{
	struct error error;

	if (packet_build(spec, packet->bytes, sizeof(packet->bytes), &packet->len, &error))
		fail_msg("%s", error.text);
}

/* Put a packet into a program, behind a link header; returns the verdict. */
static inline int put(const struct nat *nat, int prog_fd, uint8_t l2_len,
		      const struct frame *packet, struct frame *out)
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

static inline int put_peer(const struct nat *nat, const struct frame *packet, struct frame *out)
{
	return put(nat, nat->generation->ingress_fd, nat->l2_len, packet, out);
}

static inline int put_uplink(const struct nat *nat, const struct frame *packet, struct frame *out)
{
	return put(nat, nat->generation->uplink_fds[0], ETH_HLEN, packet, out);
}

static inline void assert_same(const struct frame *expected, const struct frame *got)
{
	assert_int_equal(got->len, expected->len);
	assert_memory_equal(got->bytes, expected->bytes, expected->len);
}

static inline void spec_set(struct packet_spec *spec, uint8_t l4_proto, bool is_6)
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
static inline uint16_t source_port(const struct frame *packet, const struct packet_spec *spec)
{
	size_t off = packet_ip_header_len(spec->ip_version);

	if (spec->l4_proto != IPPROTO_TCP && spec->l4_proto != IPPROTO_UDP)
		off += offsetof(struct icmphdr, un.echo.id);
	return packet->bytes[off] << 8 | packet->bytes[off + 1];
}

/* A flow from a peer's port; returns the port that it has on the uplink. */
static inline uint16_t open_flow(const struct nat *nat, const struct packet_spec *peer)
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
static inline void answer_flow(const struct nat *nat, const struct packet_spec *peer, uint16_t port)
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

/* The sum of RFC 1071, to go on with. */
static inline uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	return sum;
}

#endif /* TESTS_UNIT_MASQUERADE_FIXTURE_H */
