/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs, by test runs: every scenario of selftests/scenarios on both hooks and both links,
 * and what becomes of a packet's bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <glob.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "packet/build.h"
#include "reason.h"
#include "unit/simulation.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define SCENARIOS "selftests/scenarios/*.yaml" /* tests run in the root of the tree */

#define SYN PACKET_TCP_SYN
#define ACK PACKET_TCP_ACK

/* Where a test runs; every combination is a test of its own. */
struct hook_and_link {
	enum policy_hook hook;
	bool ethernet;
};

/* Not those of the other link, and the TC hook alone for what only that has. */
static bool suits(const struct hook_and_link *at, const struct scenario *scenario)
{
	if (scenario->interface.ethernet && !at->ethernet)
		return false;
	return scenario->policy->mode.routing != POLICY_ROUTING_NAT || at->hook == POLICY_HOOK_TC;
}

static void move_to(struct scenario *scenario, const struct hook_and_link *at)
{
	scenario->interface.ethernet = at->ethernet;
	scenario->policy->mode.hook = at->hook;
	for (size_t i = 0; i < scenario->n_steps; i++)
		if (scenario->steps[i].kind == SCENARIO_APPLY)
			scenario->steps[i].policy->mode.hook = at->hook;
}

/* Run one scenario; returns how many expectations did not hold. */
static size_t run_scenario(const struct scenario *scenario, size_t *n_expectations)
{
	struct simulation *simulation = simulation_of(scenario, NULL);
	char why[EXPECTATION_WHY_MAX];
	struct simulation_result result;
	struct error error;
	size_t failed = 0;

	for (size_t i = 0; i < scenario->n_steps; i++) {
		const struct scenario_step *step = &scenario->steps[i];

		if (simulation_step(simulation, step, &result, &error))
			fail_msg("%s:%u: %s", scenario->path, step->position.line, error.text);
		if (step->kind == SCENARIO_APPLY || !expectation_given(&step->expect))
			continue;
		++*n_expectations;
		if (expectation_holds(&step->expect, &result.event, result.rule_id, why))
			continue;
		print_error("%s:%u: %s\n", scenario->path, step->position.line, why);
		failed++;
	}
	simulation_free(simulation);
	return failed;
}

/* Where all is emulated a scenario takes seconds: there each runs on one hook. */
static bool on_one_hook(void)
{
	const char *whole = getenv("WHOLE");

	return getenv("SLOWNESS") && (!whole || !*whole);
}

/* Of the hooks that suit a scenario, the one whose turn it is. */
static enum policy_hook hook_of(size_t index, const struct scenario *scenario)
{
	const struct hook_and_link xdp = {POLICY_HOOK_XDP, scenario->interface.ethernet};

	return suits(&xdp, scenario) && index % 2 == 0 ? POLICY_HOOK_XDP : POLICY_HOOK_TC;
}

/*
 * Whether a scenario is of this kernel's share: there each of two kernels runs every other pair of files,
 * as within a pair one runs on either hook.
 */
static bool is_of_share(size_t index)
{
	const char *share = getenv("SCENARIO_SHARE");

	return !on_one_hook() || !share || !*share || index / 2 % 2 == strtoul(share, NULL, 10) % 2;
}

static void every_scenario_holds(void **state)
{
	const struct hook_and_link *at = *state;
	size_t failed = 0, n_expectations = 0;
	struct scenario *scenario;
	struct error error;
	glob_t files;

	need_programs();
	assert_int_equal(glob(SCENARIOS, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		if (scenario_load(files.gl_pathv[i], &scenario, &error))
			fail_msg("%s", error.text);
		if (suits(at, scenario) && is_of_share(i) &&
		    (!on_one_hook() || hook_of(i, scenario) == at->hook)) {
			move_to(scenario, at);
			failed += run_scenario(scenario, &n_expectations);
		}
		scenario_free(scenario);
	}
	globfree(&files);
	print_message("%zu expectations\n", n_expectations);
	assert_true(n_expectations > (on_one_hook() ? 25 : 200));
	assert_int_equal(failed, 0);
}

/* Everything that a packet is translated by, and rules that let it pass. */
static const char rewriting[] =
	"policy:\n"
	"  version: 1\n"
	"  mode: {routing: disabled}\n"
	"  peer_acl: [{id: all, action: allow, source: [any], protocol: all}]\n"
	"  nat:\n"
	"    one_to_one:\n"
	"      - {original: 10.9.0.5, translated: 100.64.0.5}\n"
	"      - {original: \"fd00:9::5\", translated: \"fd00:64::5\"}\n"
	"    port:\n"
	"      - {protocol: tcp, port: 8080, to: 80}\n"
	"      - {protocol: udp, port: 5353, to: 53}\n"
	"interface: {addresses: [100.64.0.100/16, \"fd00:64::100/64\"], mtu: 1280}\n"
	"packets: []\n";

/* Ends of a packet, by the last part of 100.64.0.N and fd00:64::N; REAL stands for N = 5. */
enum host { PEER = 1, TRANSLATED = 5, SELF = 100, REAL = 1000 };

struct ends {
	enum host src;
	uint16_t sport;
	enum host dst;
	uint16_t dport;
	uint16_t mss;
};

/*
 * A packet given and what it must leave as, checksums included; rows follow each other in one
 * simulation.  An mss of 1 in @leaves is the greatest that the interface carries.
 */
static const struct rewrite_row {
	const char *what;
	uint8_t direction;
	uint8_t l4_proto;
	uint8_t tcp_flags;
	uint32_t payload_len;
	struct ends given;
	struct ends leaves;
	uint32_t frag_off;
	bool frag_more;
	bool no_csum;
} rewrite_rows[] = {
	/* clang-format off */
	{"a packet that nothing applies to", DIR_INGRESS, IPPROTO_TCP, SYN, 0,
	 {PEER, 999, SELF, 443, 1460}, {PEER, 999, SELF, 443, 1460}, 0, 0, 0},
	{"the destination port of a SYN", DIR_INGRESS, IPPROTO_TCP, SYN, 1,
	 {PEER, 1000, SELF, 8080, 1460}, {PEER, 1000, SELF, 80, 1460}, 0, 0, 0},
	{"source port and MSS of the answer", DIR_EGRESS, IPPROTO_TCP, SYN | ACK, 0,
	 {SELF, 80, PEER, 1000, 1460}, {SELF, 8080, PEER, 1000, 1}, 0, 0, 0},
	{"the port of data, of more bytes than a test run takes", DIR_INGRESS, IPPROTO_TCP, ACK, 9001,
	 {PEER, 1000, SELF, 8080, 0}, {PEER, 1000, SELF, 80, 0}, 0, 0, 0},
	{"an MSS that is small enough", DIR_EGRESS, IPPROTO_TCP, SYN, 0,
	 {SELF, 2000, PEER, 443, 1220}, {SELF, 2000, PEER, 443, 1220}, 0, 0, 0},
	{"an MSS behind no SYN", DIR_EGRESS, IPPROTO_TCP, ACK, 0,
	 {SELF, 2000, PEER, 443, 1460}, {SELF, 2000, PEER, 443, 1460}, 0, 0, 0},
	{"source address and destination port", DIR_INGRESS, IPPROTO_UDP, 0, 101,
	 {TRANSLATED, 1000, SELF, 5353, 0}, {REAL, 1000, SELF, 53, 0}, 0, 0, 0},
	{"the answer to both", DIR_EGRESS, IPPROTO_UDP, 0, 64,
	 {SELF, 53, REAL, 1000, 0}, {SELF, 5353, TRANSLATED, 1000, 0}, 0, 0, 0},
	{"both, with TCP", DIR_INGRESS, IPPROTO_TCP, SYN, 0,
	 {TRANSLATED, 1001, SELF, 8080, 0}, {REAL, 1001, SELF, 80, 0}, 0, 0, 0},
	{"the answer to both, with TCP", DIR_EGRESS, IPPROTO_TCP, SYN | ACK, 0,
	 {SELF, 80, REAL, 1001, 9000}, {SELF, 8080, TRANSLATED, 1001, 1}, 0, 0, 0},
	{"the source address of an echo request", DIR_INGRESS, IPPROTO_ICMP, 0, 55,
	 {TRANSLATED, 0, SELF, 0, 0}, {REAL, 0, SELF, 0, 0}, 0, 0, 0},
	{"the source address of a first fragment, not its port", DIR_INGRESS, IPPROTO_UDP, 0, 16,
	 {TRANSLATED, 7, SELF, 5353, 0}, {REAL, 7, SELF, 5353, 0}, 0, 1, 0},
	{"the source address of a later fragment", DIR_INGRESS, IPPROTO_UDP, 0, 33,
	 {TRANSLATED, 0, SELF, 0, 0}, {REAL, 0, SELF, 0, 0}, 24, 0, 0},
	{"the destination address of a later fragment", DIR_EGRESS, IPPROTO_UDP, 0, 33,
	 {SELF, 0, REAL, 0, 0}, {SELF, 0, TRANSLATED, 0, 0}, 24, 0, 0},
	{"a datagram without checksum, which stays without", DIR_INGRESS, IPPROTO_UDP, 0, 9,
	 {TRANSLATED, 1002, SELF, 5353, 0}, {REAL, 1002, SELF, 53, 0}, 0, 0, 1},
	{"the answer without checksum", DIR_EGRESS, IPPROTO_UDP, 0, 9,
	 {SELF, 53, REAL, 1002, 0}, {SELF, 5353, TRANSLATED, 1002, 0}, 0, 0, 1},
	/* clang-format on */
};

static union addr addr_of(enum host host, uint8_t ip_version)
{
	struct error error;
	uint8_t version;
	char text[64];
	union addr addr;

	if (host == REAL)
		snprintf(text, sizeof(text), ip_version == 4 ? "10.9.0.5" : "fd00:9::5");
	else
		snprintf(text, sizeof(text), ip_version == 4 ? "100.64.0.%d" : "fd00:64::%d", host);
	assert_int_equal(addr_parse(text, &addr, &version, &error), 0);
	return addr;
}

static size_t bytes_of(const struct rewrite_row *row, const struct ends *ends, uint8_t ip_version,
		       uint8_t buf[PACKET_MAX_LEN])
{
	struct packet_spec spec;
	struct error error;
	size_t len;

	packet_spec_init(&spec);
	spec.ip_version = ip_version;
	spec.l4_proto = row->l4_proto == IPPROTO_ICMP ? packet_icmp_proto(ip_version)
						      : row->l4_proto;
	spec.saddr = addr_of(ends->src, ip_version);
	spec.daddr = addr_of(ends->dst, ip_version);
	spec.sport = ends->sport;
	spec.dport = ends->dport;
	spec.tcp_flags = row->tcp_flags;
	spec.payload_len = row->payload_len;
	spec.mss = ends->mss == 1 ? (ip_version == 4 ? 1240 : 1220) : ends->mss;
	spec.is_fragment = row->frag_off || row->frag_more;
	spec.frag_id = 1;
	spec.frag_off = row->frag_off;
	spec.frag_more = row->frag_more;
	if (packet_build(&spec, buf, PACKET_MAX_LEN, &len, &error))
		fail_msg("%s: %s", row->what, error.text);
	if (row->no_csum)
		memset(buf + (ip_version == 4 ? 20 : 40) + 6, 0, 2);
	return len;
}

static struct scenario_step step_of(uint8_t *bytes, size_t len, uint8_t direction)
{
	return (struct scenario_step){
		.bytes = bytes,
		.len = (uint32_t)len,
		.ethertype = bytes[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP,
		.direction = direction,
		.kind = SCENARIO_PACKET,
	};
}

static void rewrite_rows_hold(struct simulation *simulation, uint8_t ip_version)
{
	static uint8_t given[PACKET_MAX_LEN], leaves[PACKET_MAX_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(rewrite_rows); i++) {
		const struct rewrite_row *row = &rewrite_rows[i];
		size_t len = bytes_of(row, &row->given, ip_version, given);
		struct scenario_step step = step_of(given, len, row->direction);
		struct simulation_result result = simulation_put(simulation, &step);

		if (row->no_csum && ip_version == 6) /* RFC 8200 asks for one */
			continue;
		print_message("IPv%u: %s\n", ip_version, row->what);
		assert_int_equal(result.event.verdict, VERDICT_PASS);
		assert_int_equal(result.len, bytes_of(row, &row->leaves, ip_version, leaves));
		assert_memory_equal(result.packet, leaves, result.len);
	}
}

static void packets_leave_with_every_byte_right(void **state)
{
	struct scenario *scenario;
	struct simulation *simulation;

	need_programs();
	scenario = scenario_of(rewriting);
	move_to(scenario, *state);
	simulation = simulation_of(scenario, NULL);
	rewrite_rows_hold(simulation, IP_VERSION_4);
	rewrite_rows_hold(simulation, IP_VERSION_6);
	simulation_free(simulation);
	scenario_free(scenario);
}

/*
 * Connections whose two ends know them by different addresses and ports: a port of this host's, and
 * the address of the other end.  The port is reached under its own number as well.
 */
static const char translated[] =
	"policy:\n"
	"  version: 1\n"
	"  mode: {routing: disabled}\n"
	"  peer_acl: [{id: all, action: allow, source: [any], protocol: all}]\n"
	"  nat:\n"
	"    one_to_one: [{original: 10.9.0.5, translated: 100.64.0.5}]\n"
	"    port: [{protocol: tcp, port: 8080, to: 80}]\n"
	"interface: {addresses: [100.64.0.100/16]}\n"
	"packets:\n"
	"  - {direction: in, src: 100.64.0.1, dst: 100.64.0.100, protocol: tcp, sport: 1000, "
	"dport: "
	"8080}\n"
	"  - {direction: in, src: 100.64.0.1, dst: 100.64.0.100, protocol: tcp, sport: 1001, "
	"dport: "
	"80}\n"
	"  - {direction: out, src: 100.64.0.100, dst: 100.64.0.1, protocol: tcp, sport: 80, dport: "
	"1000, "
	"flags: [syn, ack]}\n"
	"  - {direction: in, src: 100.64.0.1, dst: 100.64.0.100, protocol: tcp, sport: 1000, "
	"dport: 8080, "
	"flags: [ack], payload: 9}\n"
	"  - {direction: out, src: 100.64.0.100, dst: 100.64.0.1, protocol: tcp, sport: 80, dport: "
	"1000, "
	"flags: [ack]}\n"
	"  - {direction: out, src: 100.64.0.100, dst: 10.9.0.5, protocol: tcp, sport: 2000, dport: "
	"80}\n"
	"  - {direction: in, src: 100.64.0.5, dst: 100.64.0.100, protocol: tcp, sport: 80, dport: "
	"2000, "
	"flags: [syn, ack]}\n"
	"  - {direction: out, src: 100.64.0.100, dst: 10.9.0.5, protocol: tcp, sport: 2000, dport: "
	"80, "
	"flags: [fin, ack]}\n"
	"  - {direction: in, src: 100.64.0.5, dst: 100.64.0.100, protocol: tcp, sport: 80, dport: "
	"2000, "
	"flags: [ack]}\n"
	"  - {direction: in, src: 100.64.0.5, dst: 100.64.0.100, protocol: tcp, sport: 3000, "
	"dport: 8080}\n"
	"  - {direction: out, src: 100.64.0.100, dst: 10.9.0.5, protocol: tcp, sport: 80, dport: "
	"3000, "
	"flags: [syn, ack]}\n"
	"  - {direction: in, src: 100.64.0.5, dst: 100.64.0.100, protocol: tcp, sport: 3000, "
	"dport: 8080, "
	"flags: [ack]}\n";

/*
 * A packet of it, which acknowledges @len sequence numbers of another one and goes on after @own.
 */
static const struct {
	size_t step;
	size_t acknowledges;
	uint32_t len;
	size_t own; /* a SYN of the same end, or the packet itself, which is one */
} translated_rows[] = {
	{2, 0, 1, 2}, {3, 2, 1, 0}, {4, 3, 9, 2},   {6, 5, 1, 6},
	{7, 6, 1, 5}, {8, 7, 1, 6}, {10, 9, 1, 10}, {11, 10, 1, 9},
};

static uint32_t tcp_number(const uint8_t *packet, unsigned int off)
{
	uint32_t number;

	memcpy(&number, packet + 20 + off, sizeof(number));
	return be32toh(number);
}

static void numbers_of_both_ends_meet_behind_translation(void **state)
{
	uint32_t seq[16], ack[16];
	struct simulation *simulation;
	struct scenario *scenario;

	need_programs();
	scenario = scenario_of(translated);
	move_to(scenario, *state);
	simulation = simulation_of(scenario, NULL);
	for (size_t i = 0; i < scenario->n_steps; i++) {
		struct simulation_result result = simulation_put(simulation, &scenario->steps[i]);

		assert_int_equal(result.event.verdict, VERDICT_PASS);
		seq[i] = tcp_number(result.packet, 4);
		ack[i] = tcp_number(result.packet, 8);
	}
	for (size_t i = 0; i < ARRAY_SIZE(translated_rows); i++) {
		size_t step = translated_rows[i].step, own = translated_rows[i].own;

		print_message("packet %zu\n", step);
		assert_int_equal(ack[step],
				 seq[translated_rows[i].acknowledges] + translated_rows[i].len);
		assert_int_equal(seq[step], seq[own] + (step != own));
	}
	simulation_free(simulation);
	scenario_free(scenario);
}

static void a_packet_of_the_greatest_length_comes_back_whole(void **state)
{
	static const struct rewrite_row row = {
		.what = "65,535 bytes",
		.direction = DIR_EGRESS,
		.l4_proto = IPPROTO_UDP,
		.payload_len = PACKET_MAX_LEN - 28,
		.given = {SELF, 1, PEER, 2, 0},
	};
	static uint8_t bytes[PACKET_MAX_LEN];
	struct simulation_result result;
	struct scenario_step step;
	struct simulation *simulation;
	struct scenario *scenario;

	(void)state;
	need_programs();
	scenario = scenario_of(rewriting);
	simulation = simulation_of(scenario, NULL);
	step = step_of(bytes, bytes_of(&row, &row.given, IP_VERSION_4, bytes), DIR_EGRESS);
	assert_int_equal(step.len, PACKET_MAX_LEN);
	result = simulation_put(simulation, &step);
	assert_int_equal(result.event.reason, REASON_OUTBOUND);
	assert_int_equal(result.event.ip_len, PACKET_MAX_LEN);
	assert_int_equal(result.len, PACKET_MAX_LEN);
	assert_memory_equal(result.packet, bytes, PACKET_MAX_LEN);
	simulation_free(simulation);
	scenario_free(scenario);
}

static struct hook_and_link xdp_l3 = {POLICY_HOOK_XDP, false};
static struct hook_and_link xdp_ethernet = {POLICY_HOOK_XDP, true};
static struct hook_and_link tc_l3 = {POLICY_HOOK_TC, false};
static struct hook_and_link tc_ethernet = {POLICY_HOOK_TC, true};

#define AT(place, name, test)                                                                      \
	{                                                                                          \
		name, test, NULL, NULL, &(place)                                                   \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT(xdp_l3, "every_scenario_holds_on_xdp_without_link_header", every_scenario_holds),
		AT(xdp_ethernet, "every_scenario_holds_on_xdp_on_ethernet", every_scenario_holds),
		AT(tc_l3, "every_scenario_holds_on_tc_without_link_header", every_scenario_holds),
		AT(tc_ethernet, "every_scenario_holds_on_tc_on_ethernet", every_scenario_holds),
		AT(xdp_l3, "packets_leave_with_every_byte_right_on_xdp_without_link_header",
		   packets_leave_with_every_byte_right),
		AT(xdp_ethernet, "packets_leave_with_every_byte_right_on_xdp_on_ethernet",
		   packets_leave_with_every_byte_right),
		AT(tc_l3, "packets_leave_with_every_byte_right_on_tc_without_link_header",
		   packets_leave_with_every_byte_right),
		AT(tc_ethernet, "packets_leave_with_every_byte_right_on_tc_on_ethernet",
		   packets_leave_with_every_byte_right),
		AT(xdp_l3, "numbers_of_both_ends_meet_behind_translation_on_xdp",
		   numbers_of_both_ends_meet_behind_translation),
		AT(tc_ethernet, "numbers_of_both_ends_meet_behind_translation_on_tc_on_ethernet",
		   numbers_of_both_ends_meet_behind_translation),
		cmocka_unit_test(a_packet_of_the_greatest_length_comes_back_whole),
	};

	/* where all is emulated each costs minutes, and the link that is tested there has none */
	if (getenv("SLOWNESS"))
		cmocka_set_skip_filter("*_on_ethernet");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
