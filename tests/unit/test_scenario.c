/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Scenario files: what a good one becomes, and where exactly a bad one is said to be wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "packet/build.h"
#include "reason.h"
#include "simulate/scenario.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define POLICY "policy: {version: 1}\n"
#define ONE    POLICY "packets:\n  - {direction: in, "
#define TCP    "src: 10.0.0.1, dst: 10.0.0.2, protocol: tcp, sport: 1, dport: 2"

static struct scenario *parse(const char *text)
{
	struct scenario *scenario = NULL;
	struct error error;

	if (scenario_parse("s.yaml", text, strlen(text), &scenario, &error))
		fail_msg("%s", error.text);
	return scenario;
}

static const char manual[] = "policy:\n"
			     "  version: 1\n"
			     "  peer_acl: [{id: a, action: allow, source: any, protocol: tcp}]\n"
			     "packets:\n"
			     "  - at: 0s\n"
			     "    direction: in\n"
			     "    src: 100.10.0.1\n"
			     "    dst: 100.10.0.100\n"
			     "    protocol: tcp\n"
			     "    sport: 12345\n"
			     "    dport: 443\n"
			     "    expect: {verdict: pass, rule: ssh-from-ops, reason: "
			     "peer_acl_allowed, state: syn_received}\n"
			     "  - hex: \"4500 00FF\"\n"
			     "    ethertype: 0x8100\n"
			     "    direction: out\n"
			     "    expect: {verdict: drop}\n"
			     "  - at: 20s\n"
			     "    apply: {version: 1, limits: {tcp: 7}}\n"
			     "  - trace: true\n"
			     "    direction: in\n"
			     "    hex: 60\n"
			     "interface: {addresses: [100.10.0.100/16, \"fd00:10::100/64\"], "
			     "mtu: 1400, link: ethernet}\n"
			     "local_addresses: [192.168.1.1]\n"
			     "ip_forward: true\n";

static void test_manual(void **state)
{
	struct scenario *s = parse(manual);
	const struct scenario_step *step = s->steps;

	(void)state;
	assert_int_equal(s->n_steps, 4);
	assert_int_equal(s->policy->acl[ACL_PEER].n_rules, 1);
	assert_int_equal(s->policy->acl[ACL_PEER].rules[0].position.line, 3);
	assert_int_equal(s->interface.n_addresses, 2);
	assert_int_equal(s->interface.addresses[0].len, 16);
	assert_memory_equal(&s->interface.addresses[0].addr.word[3], "\x64\x0a\0\x64", 4);
	assert_int_equal(s->interface.addresses[1].len, 64);
	assert_int_equal(s->interface.addresses[1].addr.bytes[14], 1);
	assert_int_equal(s->interface.mtu, 1400);
	assert_true(s->interface.ethernet);
	assert_int_equal(s->n_local_addresses, 1);
	assert_int_equal(s->local_addresses[0].len, 32);
	assert_true(s->ip_forward);

	assert_int_equal(step[0].kind, SCENARIO_PACKET);
	assert_int_equal(step[0].direction, DIR_INGRESS);
	assert_int_equal(step[0].ethertype, 0x0800);
	assert_int_equal(step[0].len, 40);
	assert_memory_equal(step[0].bytes + 20, "\x30\x39\x01\xbb", 4);
	assert_int_equal(step[0].position.line, 5);
	assert_int_equal(step[0].expect.verdict, VERDICT_PASS);
	assert_string_equal(step[0].expect.rule, "ssh-from-ops");
	assert_int_equal(step[0].expect.reason, REASON_PEER_ACL_ALLOWED);
	assert_int_equal(step[0].expect.state, FLOW_STATE_SYN_RECEIVED);

	assert_int_equal(step[1].direction, DIR_EGRESS);
	assert_int_equal(step[1].ethertype, 0x8100);
	assert_int_equal(step[1].len, 4);
	assert_memory_equal(step[1].bytes, "\x45\0\0\xff", 4);
	assert_true(step[1].expect.has_verdict);
	assert_false(step[1].expect.has_rule || step[1].expect.has_reason ||
		     step[1].expect.has_state);

	assert_int_equal(step[2].kind, SCENARIO_APPLY);
	assert_int_equal(step[2].at_ns, 20000000000);
	assert_int_equal(step[2].policy->limits.tcp, 7);
	assert_string_equal(step[2].policy->text, "{\"version\": 1, \"limits\": {\"tcp\": 7}}\n");
	assert_int_equal(step[3].kind, SCENARIO_TRACE);
	assert_int_equal(step[3].at_ns, 20000000000);
	assert_int_equal(step[3].ethertype, 0x86dd);
	assert_false(expectation_given(&step[3].expect));
	scenario_free(s);
}

static void test_defaults(void **state)
{
	struct scenario *s = parse(POLICY "packets: []\n");

	(void)state;
	assert_int_equal(s->n_steps, 0);
	assert_int_equal(s->interface.n_addresses, 0);
	assert_int_equal(s->interface.mtu, 1280);
	assert_false(s->interface.ethernet);
	assert_false(s->ip_forward);
	scenario_free(s);
}

static void test_fields(void **state)
{
	struct scenario *s = parse(
		POLICY
		"packets:\n"
		"  - {direction: in, src: fd00::1, dst: fd00::2, protocol: icmp, ttl: 255,\n"
		"     icmp: {type: 129, code: 1, id: 513, seq: 772}, payload: 2}\n"
		"  - {direction: in, " TCP ", flags: [fin, ack], mss: 1460}\n"
		"  - {direction: in, " TCP ", flags: []}\n"
		"  - {direction: in, src: 10.0.0.1, dst: 10.0.0.2, protocol: udp, payload: 8,\n"
		"     fragment: {id: 7, offset: 1480, more: true}}\n"
		"  - {direction: in, src: 10.0.0.1, dst: 10.0.0.2, protocol: 47}\n"
		"  - {direction: in, src: 10.0.0.1, dst: 10.0.0.2, protocol: icmp}\n"
		"  - {direction: in, hex: \"\"}\n"
		"  - {direction: in, " TCP ", seq: 4294967295, ack: 16909060}\n");

	(void)state;
	assert_int_equal(s->steps[0].len, 40 + 8 + 2);
	assert_int_equal(s->steps[0].ethertype, 0x86dd);
	assert_memory_equal(s->steps[0].bytes + 6, "\x3a\xff", 2);
	assert_memory_equal(s->steps[0].bytes + 40, "\x81\x01", 2);
	assert_memory_equal(s->steps[0].bytes + 44, "\x02\x01\x03\x04\0\x01", 6);
	assert_int_equal(s->steps[1].len, 44);
	assert_int_equal(s->steps[1].bytes[33], PACKET_TCP_FIN | PACKET_TCP_ACK);
	assert_memory_equal(s->steps[1].bytes + 40, "\x02\x04\x05\xb4", 4);
	assert_int_equal(s->steps[2].bytes[33], 0);
	assert_int_equal(s->steps[3].len, 28);
	assert_memory_equal(s->steps[3].bytes + 4, "\0\x07\x20\xb9", 4);
	assert_int_equal(s->steps[4].len, 20);
	assert_int_equal(s->steps[4].bytes[9], 47);
	assert_int_equal(s->steps[5].bytes[20], 8);
	assert_int_equal(s->steps[6].len, 0);
	assert_memory_equal(s->steps[7].bytes + 24, "\xff\xff\xff\xff\x01\x02\x03\x04", 8);
	assert_true(s->steps[7].has_seq && s->steps[7].has_ack);
	assert_int_equal(s->steps[7].tcp_off, 20);
	scenario_free(s);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} times[] = {
		{"0s", 0},
		{"7.5s", 7500000000},
		{"22500ms", 22500000000},
		{"1h1s", 3601000000000},
		{"1e+06s", 1000000000000000},
	};
	char text[1024] = POLICY "packets:\n";
	struct scenario *s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(times); i++)
		sprintf(text + strlen(text), "  - {at: %s, apply: {version: 1}}\n", times[i].text);
	s = parse(text);
	for (i = 0; i < ARRAY_SIZE(times); i++)
		assert_int_equal(s->steps[i].at_ns, times[i].ns);
	scenario_free(s);
}

static void test_no_rule(void **state)
{
	struct scenario *s = parse(ONE "hex: 45, expect: {rule: null, state: null}}\n");
	struct trace_event event = {.verdict = VERDICT_DROP, .reason = REASON_NOT_IP};
	char why[EXPECTATION_WHY_MAX];

	(void)state;
	assert_true(s->steps[0].expect.has_rule);
	assert_true(expectation_holds(&s->steps[0].expect, &event, NULL, why));
	assert_string_equal(why, "");
	event.flow_state = FLOW_STATE_UDP;
	assert_false(expectation_holds(&s->steps[0].expect, &event, "none", why));
	assert_string_equal(why, "rule none, expected none; state udp, expected none");
	scenario_free(s);
}

static void test_expectation(void **state)
{
	struct scenario *s = parse(ONE "hex: 45, expect: {verdict: forward, rule: web, reason: "
				       "established, state: closed}}\n");
	const struct expectation *expect = &s->steps[0].expect;
	struct trace_event event = {
		.verdict = VERDICT_FORWARD,
		.reason = REASON_ESTABLISHED,
		.flow_state = FLOW_STATE_NONE,
	};
	char why[EXPECTATION_WHY_MAX];

	(void)state;
	assert_true(expectation_holds(expect, &event, "web", why));
	event.verdict = VERDICT_PASS;
	event.reason = REASON_OUTBOUND;
	event.flow_state = FLOW_STATE_TIME_WAIT;
	assert_false(expectation_holds(expect, &event, NULL, why));
	assert_string_equal(why, "verdict pass, expected forward; rule none, expected web; reason "
				 "outbound, expected established; state time_wait, expected none");
	scenario_free(s);
}

static const struct {
	const char *text;
	const char *error;
} bad[] = {
	{"[]", "s.yaml:1:1: expected a mapping of keys to values, not a list"},
	{"packets: []\n", "s.yaml:1:1: key 'policy' is missing"},
	{POLICY, "s.yaml:1:1: key 'packets' is missing"},
	{POLICY "packets: 3\n", "s.yaml:2:10: expected a list, not a single value"},
	{POLICY "packets: []\nspeed: 1\n", "s.yaml:3:1: unknown key 'speed'"},
	{"policy: []\npackets: []\n", "s.yaml:1:9: expected a policy or the path of one"},
	{"policy:\n  version: 1\n  mode: {hook: xpd}\npackets: []\n",
	 "s.yaml:3:16: expected auto, xdp or tc, not 'xpd'"},
	{"policy: no-such-file.yaml\npackets: []\n",
	 "s.yaml:1:9: no-such-file.yaml: No such file or directory"},
	{POLICY "packets:\n  - 3\n",
	 "s.yaml:3:5: expected a mapping of keys to values, not a single value"},
	{POLICY "packets:\n  - {hex: 45}\n", "s.yaml:3:5: key 'direction' is missing"},
	{ONE "hex: 45, colour: red}\n", "s.yaml:3:30: unknown key 'colour'"},
	{ONE "hex: 45, direction: in}\n", "s.yaml:3:30: duplicate key 'direction'"},
	{ONE "hex: 4}\n", "s.yaml:3:26: hex: digit 2 is not one of a pair of hex digits"},
	{ONE "hex: 4z}\n", "s.yaml:3:26: hex: digit 2 is not one of a pair of hex digits"},
	{ONE "hex: [45]}\n", "s.yaml:3:26: expected hex digits, not a list"},
	{ONE "hex: 45, ttl: 3}\n", "s.yaml:3:30: 'ttl' and 'hex' exclude each other"},
	{ONE "hex: 45, ethertype: 0x800}\n", "s.yaml:3:30: 'ethertype' is only for link: ethernet"},
	{ONE "dst: 1.2.3.4, protocol: udp}\n", "s.yaml:3:5: key 'src' is missing"},
	{ONE "src: 1.2.3.4, dst: ::1, protocol: udp, sport: 1, dport: 1}\n",
	 "s.yaml:3:40: src and dst are not of the same family"},
	{ONE "src: 1.2.3, dst: ::1}\n", "s.yaml:3:26: '1.2.3' is not an address"},
	{ONE "src: ::1, dst: ::1, protocol: udp, dport: 1}\n",
	 "s.yaml:3:5: key 'sport' is missing"},
	{ONE "src: ::1, dst: ::1, protocol: all}\n",
	 "s.yaml:3:51: 'all' is not the protocol of a packet (tcp, udp, icmp or 0-255)"},
	{ONE "src: ::1, dst: ::1, protocol: icmp, dport: 1}\n",
	 "s.yaml:3:57: 'dport' is only for tcp and udp"},
	{ONE "src: ::1, dst: ::1, protocol: icmp, mss: 1}\n", "s.yaml:3:57: 'mss' is only for tcp"},
	{ONE "src: ::1, dst: ::1, protocol: udp, sport: 1, dport: 1, seq: 1}\n",
	 "s.yaml:3:76: 'seq' is only for tcp"},
	{ONE "src: ::1, dst: ::1, protocol: icmp, ack: 1}\n", "s.yaml:3:57: 'ack' is only for tcp"},
	{ONE "hex: 45, seq: 3}\n", "s.yaml:3:30: 'seq' and 'hex' exclude each other"},
	{ONE "hex: 45, ack: 3}\n", "s.yaml:3:30: 'ack' and 'hex' exclude each other"},
	{ONE TCP ", seq: 4294967296}\n",
	 "s.yaml:3:91: '4294967296' is not a number from 0 to 4294967295"},
	{ONE TCP ", ack: -1}\n", "s.yaml:3:91: '-1' is not a number from 0 to 4294967295"},
	{ONE TCP ", icmp: {type: 3}}\n", "s.yaml:3:86: 'icmp' is only for icmp"},
	{ONE TCP ", mss: 0}\n", "s.yaml:3:91: '0' is not a number from 1 to 65535"},
	{ONE TCP ", ttl: 256}\n", "s.yaml:3:91: '256' is not a number from 0 to 255"},
	{ONE TCP ", flags: [sin]}\n",
	 "s.yaml:3:94: expected fin, syn, rst, psh, ack, urg, ece or cwr, not 'sin'"},
	{ONE TCP ", fragment: {offset: 9}}\n",
	 "s.yaml:3:5: fragment offset 9: must be a multiple of 8, at most 65528"},
	{ONE TCP ", payload: 65500}\n",
	 "s.yaml:3:5: payload of 65500 bytes: the packet would have 65540, at most 65535 fit"},
	{ONE "hex: 45, expect: {verdict: allow}}\n",
	 "s.yaml:3:48: expected pass, drop or forward, not 'allow'"},
	{ONE "hex: 45, expect: {reason: because}}\n",
	 "s.yaml:3:47: 'because' is not the name of a reason"},
	{ONE "hex: 45, expect: {state: open}}\n",
	 "s.yaml:3:46: 'open' is not the name of a connection state or null"},
	{ONE "hex: 45, expect: {rule: \"\"}}\n", "s.yaml:3:45: '' is not a rule id (1-63 bytes)"},
	{ONE "hex: 45, expect: {rules: a}}\n", "s.yaml:3:39: unknown key 'rules'"},
	{POLICY "packets:\n  - {at: 2s, apply: {version: 1}}\n  - {at: 1999ms, apply: "
		"{version: 1}}\n",
	 "s.yaml:4:10: '1999ms' is before the time of the previous entry"},
	{POLICY "packets:\n  - {at: -1s, apply: {version: 1}}\n",
	 "s.yaml:3:10: '-1s' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{POLICY "packets:\n  - {at: 1e99s, apply: {version: 1}}\n",
	 "s.yaml:3:10: '1e99s' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{POLICY "packets:\n  - {apply: {version: 2}}\n", "s.yaml:3:23: version must be 1"},
	{POLICY "packets:\n  - {apply: {version: 1}, hex: 45}\n", "s.yaml:3:27: unknown key 'hex'"},
	{POLICY "interface: {link: l2}\npackets: []\n",
	 "s.yaml:2:19: expected l3 or ethernet, not 'l2'"},
	{POLICY "uplink: {addresses: [203.0.113.5/24]}\npackets: []\n",
	 "s.yaml:2:9: key 'name' is missing"},
	{POLICY "uplink: {name: a-name-of-16-char, addresses: []}\npackets: []\n",
	 "s.yaml:2:16: 'a-name-of-16-char' is no name of a device"},
	{ONE "hex: 45, interface: eth0}\n", "s.yaml:3:41: no 'uplink' is named 'eth0'"},
	{POLICY "uplink: {name: eth0, addresses: []}\npackets:\n"
		"  - {direction: out, hex: 45, interface: eth0}\n",
	 "s.yaml:4:42: what an uplink has is packets with 'direction: in' alone"},
	{POLICY "interface: {mtu: 67}\npackets: []\n",
	 "s.yaml:2:18: '67' is not a number from 68 to 65535"},
	{POLICY "interface: {addresses: [10.0.0.1/33]}\npackets: []\n",
	 "s.yaml:2:25: '33' is not a number from 0 to 32"},
	{POLICY "local_addresses: [10.0.0.1/33]\npackets: []\n",
	 "s.yaml:2:19: '33' is not a number from 0 to 32"},
};

static void test_bad(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct scenario *scenario = (void *)&bad;
		struct error error = {0};

		assert_int_equal(scenario_parse("s.yaml", bad[i].text, strlen(bad[i].text),
						&scenario, &error) < 0,
				 1);
		assert_ptr_equal(scenario, &bad);
		assert_true(error.invalid_input);
		assert_string_equal(error.text, bad[i].error);
	}
}

static void test_long_hex(void **state)
{
	static char text[sizeof(ONE) + 2 * 65536 + 64];
	struct scenario *scenario;
	struct error error;
	size_t len;

	(void)state;
	len = (size_t)sprintf(text, "%shex: \"", ONE);
	memset(text + len, 'a', 2 * 65535);
	strcpy(text + len + 2 * 65535, "\"}\n");
	scenario = parse(text);
	assert_int_equal(scenario->steps[0].len, 65535);
	scenario_free(scenario);
	strcpy(text + len + 2 * 65535, "aa\"}\n");
	assert_int_equal(scenario_parse("s.yaml", text, strlen(text), &scenario, &error), -EINVAL);
	assert_string_equal(error.text, "s.yaml:3:26: hex: a packet has at most 65535 bytes");
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/scenario-XXXXXX", path[64], policy[64], want[128];
	struct scenario *scenario;
	struct error error;

	(void)state;
	assert_non_null(mkdtemp(dir));
	sprintf(path, "%s/s.yaml", dir);
	sprintf(policy, "%s/wt0.yaml", dir);
	write_file(path, "policy: wt0.yaml\npackets: [{apply: wt0.yaml}]\n");
	write_file(policy, "version: 1\nlimits: {udp: 9}\n");
	assert_int_equal(scenario_load(path, &scenario, &error), 0);
	assert_int_equal(scenario->policy->limits.udp, 9);
	assert_string_equal(scenario->policy->path, policy);
	assert_int_equal(scenario->steps[0].policy->limits.udp, 9);
	scenario_free(scenario);

	write_file(policy, "version: 1\nlimits: {udb: 9}\n");
	assert_int_equal(scenario_load(path, &scenario, &error), -EINVAL);
	sprintf(want, "%s:2:10: unknown key 'udb'", policy);
	assert_string_equal(error.text, want);
	unlink(policy);
	unlink(path);
	assert_int_equal(scenario_load(path, &scenario, &error), -ENOENT);
	sprintf(want, "%s: No such file or directory", path);
	assert_string_equal(error.text, want);
	rmdir(dir);
}

#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		sentence, function, NULL, NULL, NULL                                               \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("the scenario of the manual becomes these steps", test_manual),
		TEST("what a scenario leaves out has its default", test_defaults),
		TEST("the fields of a packet land in its bytes", test_fields),
		TEST("times may have fractions, units and exponents", test_times),
		TEST("an expected rule of null means no rule", test_no_rule),
		TEST("everything that came otherwise is listed", test_expectation),
		TEST("a bad scenario is refused with its line and column", test_bad),
		TEST("hex packets have at most 65535 bytes", test_long_hex),
		TEST("policies are found beside the scenario", test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
