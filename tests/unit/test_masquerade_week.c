/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A week of routing by NAT, in virtual time: flows that open, end, are forgotten and displaced, ports
 * that run out, an uplink that goes and comes back with another address, policies that revoke, peers
 * that reach each other, or do not.
 * What leads back to flows is counted against the flows, again and again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "conntrack/snat_sweep.h"
#include "conntrack/sweep.h"
#include "dataplane/generation_build.h"
#include "dataplane/generation_rules.h"
#include "dataplane/masquerading.h"
#include "maps.h"
#include "masquerade.h"
#include "packet/build.h"
#include "policy/parse.h"
#include "recorder.h"
#include "shrike.skel.h"
#include "unit/simulation.h"

#define WEEK_NS		(7ull * 24 * 3600 * NS_PER_S)
#define TC_ACT_SHOT	2
#define TC_ACT_REDIRECT 7
#define FRAME_MAX	512
#define TALKS		400
#define TALKING		12
#define PEERS		50
#define REMOTES		3
#define HAIRPIN_PORTS	3
#define PORT_FIRST	61000
#define PORT_LAST	61063
#define CHECK_EVERY	150
#define ENTRIES_MAX	2048
#define PASS_STEPS	(CONNTRACK_TABLES + 1) /* of a sweep, each over a whole table */

#define LIMITS "limits: {tcp: 256, udp: 256, icmp: 128}, nat: {port_range: 61000-61063}"
#define ALLOW(what)                                                                                \
	"{id: " what ", action: allow, source: [any], destination: [any], protocol: " what "}"

static const char *const policies[] = {
	"{version: 1, mode: {routing: nat}, " LIMITS ", route_acl: [" ALLOW("all") "]}",
	"{version: 1, mode: {routing: nat}, " LIMITS ", route_acl: [" ALLOW("tcp") "]}",
	"{version: 1, mode: {routing: nat}, " LIMITS
	", route_acl: [" ALLOW("udp") ", " ALLOW("icmp") "]}",
};

#define POLICIES (sizeof(policies) / sizeof(policies[0]))

/* A peer's flow, as the two ends know it; nothing is known of one without a port. */
struct talk {
	struct packet_spec peer; /* its next packet */
	uint32_t remote_seq;
	uint16_t port; /* on the uplink; 0: it is not open */
	union addr source;
};

struct week {
	struct policy *policy[POLICIES];
	struct generation *generation;
	struct masquerade masquerade;
	struct conntrack conntrack;
	struct sweep sweep;
	struct snat_sweep snat;
	struct talk talks[TALKS];
	uint64_t now_ns;
	uint64_t state; /* of the random numbers */
	uint32_t opened, refused, answered, lost, hairpins;
};

static uint32_t draw(struct week *week, uint32_t below)
{
	week->state = week->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(week->state >> 33) % below;
}

static void set_addr(union addr *addr, const char *net, uint32_t last, bool is_6)
{
	char text[ADDR_TEXT_MAX];
	uint8_t unused;
	struct error error;

	snprintf(text, sizeof(text), is_6 ? "%s%x" : "%s%u", net, last);
	assert_int_equal(addr_parse(text, addr, &unused, &error), 0);
}

/* The programs of a policy, on the state of those in force. */
static void put_in_force(struct week *week, uint32_t index)
{
	const struct mode mode = {
		.routing = ROUTING_NAT,
		.hook = HOOK_TC,
		.forwarder_input = FORWARDER_INPUT_TUN,
	};
	struct generation *old = week->generation;
	const struct generation_spec spec = {
		.policy = week->policy[index],
		.mode = &mode,
		.ifindex = 1,
		.mtu = 1420,
		.virtual_clock = true,
		.previous = old ? &old->maps : NULL,
		.instance_previous = old ? &old->instance : NULL,
	};
	struct error error;

	if (generation_build(&spec, &week->generation, &error))
		fail_msg("%s", error.text);
	masquerading_set(week->generation, &week->masquerade);
	generation_set_time(week->generation, week->now_ns);
	if (conntrack_open(&week->generation->maps, &week->conntrack, &error))
		fail_msg("%s", error.text);
	week->sweep.fragments_fd = map_set_fd(&week->generation->maps, MAP_FRAGMENTS);
	week->snat.fds[0] = map_set_fd(&week->generation->maps, MAP_SNAT_IN4);
	week->snat.fds[1] = map_set_fd(&week->generation->maps, MAP_SNAT_IN6);
	sweep_restart(&week->sweep);
	snat_sweep_restart(&week->snat);
	generation_free(old);
}

/* The uplink has this address, or is gone. */
static void set_uplink(struct week *week, uint32_t last)
{
	struct uplink *uplink = &week->masquerade.uplinks[0];

	*uplink = (struct uplink){.ifindex = last ? 1 : 0, .mtu = 1500, .l2_len = ETH_HLEN};
	if (last) {
		set_addr(&uplink->addr[0], "203.0.113.", last, false);
		set_addr(&uplink->addr[1], "2001:db8:5::", last, true);
	}
	week->masquerade.epoch++;
	if (week->generation)
		masquerading_set(week->generation, &week->masquerade);
}

static struct week *week_begin(void)
{
	struct week *week = calloc(1, sizeof(*week));
	struct error error;

	assert_non_null(week);
	week->state = 7;
	week->now_ns = NS_PER_S;
	for (size_t i = 0; i < POLICIES; i++)
		if (policy_parse("test", policies[i], strlen(policies[i]), &week->policy[i],
				 &error))
			fail_msg("%s", error.text);
	assert_int_equal(sweep_init(&week->sweep, &error), 0);
	assert_int_equal(snat_sweep_init(&week->snat, &error), 0);
	week->masquerade.mtu = 1420;
	week->masquerade.ports[0] = (struct masquerade_ports){PORT_FIRST, PORT_LAST};
	week->masquerade.ports[1] = (struct masquerade_ports){1, 0};
	set_uplink(week, 5);
	put_in_force(week, 0);
	return week;
}

static void week_end(struct week *week)
{
	generation_free(week->generation);
	sweep_free(&week->sweep);
	snat_sweep_free(&week->snat);
	for (size_t i = 0; i < POLICIES; i++)
		policy_free(week->policy[i]);
	free(week);
}

/* One test run: a packet, behind a link header of zeroes where there is one. */
struct run {
	int prog_fd;
	uint32_t l2_len;
	uint32_t mark;
	uint8_t bytes[FRAME_MAX + ETH_HLEN];
	size_t len; /* without the link header */
};

static int run(struct week *week, struct run *run)
{
	struct __sk_buff in = {.mark = run->mark}, out = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = run->bytes,
		    .data_size_in = run->len + run->l2_len, .data_out = run->bytes,
		    .data_size_out = sizeof(run->bytes), .ctx_in = &in, .ctx_out = &out,
		    .ctx_size_in = sizeof(in), .ctx_size_out = sizeof(out));
	uint16_t ethertype = htons(run->bytes[run->l2_len] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);

	if (run->l2_len)
		memcpy(run->bytes + 2 * ETH_ALEN, &ethertype, sizeof(ethertype));
	week->generation->skeleton->bss->virtual_frame_len = run->len + run->l2_len;
	assert_int_equal(bpf_prog_test_run_opts(run->prog_fd, &opts), 0);
	run->mark = out.mark;
	return (int)opts.retval;
}

static void build(const struct packet_spec *spec, struct run *run)
{
	struct error error;

	if (packet_build(spec, run->bytes + run->l2_len, FRAME_MAX, &run->len, &error))
		fail_msg("%s", error.text);
}

/* A packet of the peer; returns its port or identifier on the uplink, 0: it did not leave. */
static uint16_t from_peer(struct week *week, const struct packet_spec *spec)
{
	struct run out = {.prog_fd = week->generation->ingress_fd};
	size_t off = packet_ip_header_len(spec->ip_version);

	build(spec, &out);
	if (run(week, &out) != TC_ACT_REDIRECT)
		return 0;
	if (spec->l4_proto != IPPROTO_TCP && spec->l4_proto != IPPROTO_UDP)
		off += 4;
	return out.bytes[off] << 8 | out.bytes[off + 1];
}

/* Whether a packet without a link header is for who sends others. */
static bool is_to(const struct run *run, const struct packet_spec *sender)
{
	bool is_6 = sender->ip_version == IP_VERSION_6;

	return !memcmp(run->bytes + (is_6 ? 24 : 16), sender->saddr.bytes + (is_6 ? 0 : 12),
		       is_6 ? 16 : 4);
}

/* A packet of the remote end; returns whether the peer gets it. */
static bool from_remote(struct week *week, const struct talk *talk, uint8_t tcp_flags)
{
	struct run in = {.prog_fd = week->generation->uplink_fds[0], .l2_len = ETH_HLEN};
	struct packet_spec spec = talk->peer;
	struct run out;

	spec.saddr = talk->peer.daddr;
	spec.daddr = talk->source;
	spec.sport = talk->peer.dport;
	spec.dport = spec.icmp_id = talk->port;
	spec.icmp_type = spec.ip_version == IP_VERSION_6 ? 129 : 0;
	spec.tcp_flags = tcp_flags;
	spec.seq = talk->remote_seq;
	spec.ack = talk->peer.seq;
	build(&spec, &in);
	if (run(week, &in) != TC_ACT_REDIRECT)
		return false;
	out = (struct run){
		.prog_fd = week->generation->egress_fd,
		.mark = in.mark,
		.len = in.len,
	};
	memcpy(out.bytes, in.bytes + in.l2_len, in.len);
	return is_to(&out, &talk->peer) && run(week, &out) != TC_ACT_SHOT;
}

/* Have a flow lead to the port that another peer may have on the uplink; few ports, so that some do. */
static void hairpin(struct week *week, struct talk *talk)
{
	talk->peer.daddr = *uplink_addr(&week->masquerade.uplinks[0], talk->peer.ip_version);
	talk->peer.sport = PORT_FIRST + draw(week, HAIRPIN_PORTS);
	talk->peer.dport = PORT_FIRST + draw(week, HAIRPIN_PORTS);
}

/* The first packet of a flow from somewhere to somewhere. */
static void talk_begin(struct week *week, struct talk *talk)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	bool is_6 = draw(week, 3) == 0, is_hairpin = draw(week, 8) == 0;
	struct packet_spec *peer = &talk->peer;

	packet_spec_init(peer);
	peer->ip_version = is_6 ? IP_VERSION_6 : IP_VERSION_4;
	peer->l4_proto = protocols[draw(week, 4)];
	if (peer->l4_proto == IPPROTO_ICMP)
		peer->l4_proto = packet_icmp_proto(peer->ip_version);
	set_addr(&peer->saddr, is_6 ? "fd64::" : "100.64.0.", 2 + draw(week, PEERS), is_6);
	set_addr(&peer->daddr, is_6 ? "2001:db8::" : "192.0.2.", 1 + draw(week, REMOTES), is_6);
	peer->sport = peer->icmp_id = PORT_FIRST - 20 + draw(week, 80);
	if (is_hairpin)
		hairpin(week, talk);
	peer->tcp_flags = PACKET_TCP_SYN;
	peer->seq = draw(week, UINT32_MAX);
	peer->has_ack = true;
	talk->source = *uplink_addr(&week->masquerade.uplinks[0], peer->ip_version);
	talk->port = from_peer(week, peer);
	peer->seq++;
	talk->remote_seq = draw(week, UINT32_MAX);
	week->opened += talk->port != 0;
	week->hairpins += talk->port && is_hairpin;
	week->refused += !talk->port;
}

/* The flow goes on: the remote end answers, and the peer does. */
static void talk_go_on(struct week *week, struct talk *talk)
{
	bool is_first = talk->peer.tcp_flags & PACKET_TCP_SYN;
	bool is_answered = from_remote(week, talk,
				       is_first ? PACKET_TCP_SYN | PACKET_TCP_ACK : PACKET_TCP_ACK);

	week->answered += is_answered;
	week->lost += !is_answered;
	talk->remote_seq += is_first;
	talk->peer.tcp_flags = PACKET_TCP_ACK;
	talk->peer.ack = talk->remote_seq;
	from_peer(week, &talk->peer);
}

/* Both ends close, one of them resets, or they are silent from now on. */
static void talk_end(struct week *week, struct talk *talk)
{
	uint32_t how = draw(week, 4);

	talk->peer.tcp_flags = PACKET_TCP_ACK | (how == 1 ? PACKET_TCP_RST : PACKET_TCP_FIN);
	if (how < 2) {
		from_peer(week, &talk->peer);
		talk->peer.seq++;
	}
	if (how == 0) {
		from_remote(week, talk, PACKET_TCP_FIN | PACKET_TCP_ACK);
		talk->peer.tcp_flags = PACKET_TCP_ACK;
		talk->peer.ack = ++talk->remote_seq;
		from_peer(week, &talk->peer);
	}
	if (how == 2)
		from_remote(week, talk, PACKET_TCP_RST | PACKET_TCP_ACK);
	talk->port = 0;
}

/* Some talk at a time, and others later. */
static void talk_something(struct week *week, uint32_t step)
{
	struct talk *talk = &week->talks[(step / 40 + draw(week, TALKING)) % TALKS];

	if (!talk->port)
		talk_begin(week, talk);
	else if (draw(week, 3))
		talk_go_on(week, talk);
	else
		talk_end(week, talk);
}

/* What happens to a host in a week. */
static void something_happens(struct week *week)
{
	static const uint32_t addresses[] = {0, 5, 5, 6};

	if (draw(week, 200) == 0)
		set_uplink(week, addresses[draw(week, 4)]);
	if (draw(week, 600) == 0)
		put_in_force(week, draw(week, POLICIES));
	if (draw(week, 100) == 0)
		for (int i = 0; i < 150; i++) /* many openings at once */
			talk_begin(week, &week->talks[draw(week, TALKS)]);
}

static size_t translated_flows(int fd)
{
	uint8_t key[MAP_BATCH_KEY_MAX];
	const void *previous = NULL;
	struct flow flow;
	size_t n = 0;

	while (!bpf_map_get_next_key(fd, previous, key)) {
		previous = key;
		if (!bpf_map_lookup_elem(fd, key, &flow) && flow.flags & FLOW_MASQUERADED)
			n++;
	}
	return n;
}

/* What an entry leads to: the remote end, and the peer's. */
struct leads_to {
	union addr remote, peer;
	__be16 remote_port, peer_port;
	uint8_t l4_proto;
};

static void set_leads_to(struct leads_to *to, const void *key, const struct snat_in *in, bool is_6)
{
	const struct flow_key4 *key4 = key;
	const struct flow_key6 *key6 = key;

	memset(to, 0, sizeof(*to));
	to->peer = in->peer;
	to->peer_port = in->port;
	to->remote_port = is_6 ? key6->port[0] : key4->port[0];
	to->l4_proto = is_6 ? key6->l4_proto : key4->l4_proto;
	if (is_6)
		to->remote = key6->addr[0];
	else
		to->remote.word[3] = key4->addr[0];
}

/* How many flows entries lead to; one that has left from two addresses has two of them. */
static size_t led_to(int fd, bool is_6)
{
	static struct leads_to seen[ENTRIES_MAX];
	uint8_t key[MAP_BATCH_KEY_MAX];
	const void *previous = NULL;
	struct snat_in in;
	size_t n = 0, i;

	while (!bpf_map_get_next_key(fd, previous, key)) {
		previous = key;
		if (bpf_map_lookup_elem(fd, key, &in))
			continue;
		assert_true(n < ENTRIES_MAX);
		set_leads_to(&seen[n], key, &in, is_6);
		for (i = 0; i < n && memcmp(&seen[i], &seen[n], sizeof(*seen)); i++)
			;
		n += i == n;
	}
	return n;
}

/* What `run` does every few seconds. */
static void sweep_all(struct week *week)
{
	struct flow_clock clock;
	struct error error;

	flow_clock_read(&week->generation->instance, &clock);
	clock.now_ns = week->now_ns;
	for (int i = 0; i < PASS_STEPS; i++)
		assert_int_equal(
			sweep_step(&week->sweep, &week->conntrack, &clock, UINT32_MAX, &error), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(snat_sweep_step(&week->snat, &week->conntrack, &error), 0);
}

/* Each translated flow is led to, and each entry leads to one; returns how many. */
static size_t check(struct week *week)
{
	size_t flows[2] = {}, total = 0;

	sweep_all(week);
	for (size_t i = 0; i < week->conntrack.n; i++) {
		const struct conntrack_table *table = &week->conntrack.tables[i];

		flows[table->ip_version == IP_VERSION_6] += translated_flows(table->fd);
	}
	for (int is_6 = 0; is_6 < 2; is_6++) {
		size_t n = led_to(week->snat.fds[is_6], is_6);

		if (n != flows[is_6])
			fail_msg("after %llu s: %zu flows over IPv%d, %zu that entries lead to",
				 (unsigned long long)(week->now_ns / NS_PER_S), flows[is_6],
				 is_6 ? 6 : 4, n);
		total += n;
	}
	return total;
}

static void a_week_leaks_no_port_and_no_entry(void **state)
{
	struct week *week;
	size_t most = 0;

	(void)state;
	need_programs();
	week = week_begin();
	for (uint32_t i = 1; week->now_ns < WEEK_NS; i++) {
		week->now_ns += draw(week, 120) * NS_PER_S;
		generation_set_time(week->generation, week->now_ns);
		something_happens(week);
		for (int talking = 0; talking < 3; talking++)
			talk_something(week, i);
		if (i % CHECK_EVERY == 0) {
			size_t n = check(week);

			most = n > most ? n : most;
		}
	}
	print_message("%u opened, %u of them to other peers' ports, %u refused, %u answers, "
		      "%u lost, %zu at once, %lu displaced\n",
		      week->opened, week->hairpins, week->refused, week->answered, week->lost, most,
		      (unsigned long)week->snat.removed);
	assert_true(week->hairpins > 10);
	assert_true(week->opened > 5000);
	assert_true(week->refused > 100);
	assert_true(week->answered > 1000);
	assert_true(week->snat.removed > 100);
	week->now_ns += WEEK_NS;
	assert_int_equal(check(week), 0);
	week_end(week);
}

/* A packet of a talk's peer leaves, from which port the remote end knows then; 0: it does not. */
static uint16_t leave(struct week *week, struct talk *talk)
{
	talk->source = *uplink_addr(&week->masquerade.uplinks[0], IP_VERSION_4);
	talk->port = from_peer(week, &talk->peer);
	return talk->port;
}

/* Another peer's flow has its port meanwhile, and keeps it. */
static void a_flow_ends_with_the_address_that_it_left_from(void **state)
{
	struct talk first = {}, other;
	struct week *week;

	(void)state;
	need_programs();
	week = week_begin();
	packet_spec_init(&first.peer);
	first.peer.ip_version = IP_VERSION_4;
	first.peer.l4_proto = IPPROTO_UDP;
	first.peer.sport = PORT_FIRST + 5;
	set_addr(&first.peer.saddr, "100.64.0.", 2, false);
	set_addr(&first.peer.daddr, "192.0.2.", 1, false);
	other = first;
	set_addr(&other.peer.saddr, "100.64.0.", 3, false);
	assert_int_equal(leave(week, &first), PORT_FIRST + 5);
	assert_true(from_remote(week, &first, 0));
	set_uplink(week, 6);
	assert_int_equal(leave(week, &other), PORT_FIRST + 5);
	assert_int_equal(leave(week, &first), 0);
	assert_true(from_remote(week, &other, 0));
	assert_int_not_equal(leave(week, &first), 0);
	assert_true(from_remote(week, &first, 0));
	week_end(week);
}

/* The kernel displaces openings, whose entries fill the map; nobody sweeps. */
static void what_a_flood_leaves_behind_makes_room(void **state)
{
	struct week *week;

	(void)state;
	need_programs();
	for (int is_6 = 0; is_6 < 2; is_6++) {
		struct packet_spec peer;

		week = week_begin();
		packet_spec_init(&peer);
		peer.ip_version = is_6 ? IP_VERSION_6 : IP_VERSION_4;
		peer.l4_proto = IPPROTO_TCP;
		peer.tcp_flags = PACKET_TCP_SYN;
		peer.sport = PORT_FIRST;
		set_addr(&peer.saddr, is_6 ? "fd64::" : "100.64.0.", 2, is_6);
		set_addr(&peer.daddr, is_6 ? "2001:db8::" : "192.0.2.", 1, is_6);
		for (uint32_t i = 0; i < 5000; i++) {
			week->now_ns += 3 * NS_PER_MS;
			generation_set_time(week->generation, week->now_ns);
			peer.daddr.word[3] = htonl(0xc6120000 + i); /* 198.18.0.0/15 */
			if (!from_peer(week, &peer))
				fail_msg("opening %u finds no port", i);
		}
		week_end(week);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_week_leaks_no_port_and_no_entry),
		cmocka_unit_test(a_flow_ends_with_the_address_that_it_left_from),
		cmocka_unit_test(what_a_flood_leaves_behind_makes_room),
	};

	return cmocka_run_group_tests_name("masquerade_week", tests, NULL, NULL);
}
