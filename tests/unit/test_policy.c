/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy files that are right, the defaults, and input that is nothing at all.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/value.h"
#include "policy/icmp_type.h"
#include "policy/parse.h"
#include "policy/policy.h"

#define V1 "version: 1\n"

/* The file of the manual: all keys, with the defaults where there are any. */
static const char full_yaml[] =
	"version: 1\n"
	"mode:\n"
	"  stateful: true             # connection tracking\n"
	"  routing: auto\n"
	"  native_acl: enforce\n"
	"  netstack: false\n"
	"  local_forwarding: false\n"
	"  forwarder_input: auto\n"
	"  hook: auto\n"
	"peer_acl:\n"
	"  - id: ssh-from-ops\n"
	"    action: allow\n"
	"    source: [100.64.31.206, 100.64.40.0/24]\n"
	"    protocol: tcp\n"
	"    source_ports: [1024-65535]\n"
	"    destination_ports: [22, 8000-8999]\n"
	"route_acl:\n"
	"  - id: web\n"
	"    action: allow\n"
	"    source: [100.64.0.0/10]\n"
	"    destination: [10.0.0.0/8, set:corp]\n"
	"    protocol: tcp\n"
	"    destination_ports: [80, 443]\n"
	"sets:\n"
	"  corp: [172.20.0.0/16, \"2001:db8:20::/48\"]\n"
	"nat:\n"
	"  one_to_one: [{original: 10.9.0.5, translated: 100.64.0.5}]\n"
	"  port: [{protocol: tcp, port: 8080, to: 80}]\n"
	"limits: {tcp: 65536, udp: 16384, icmp: 2048, fragments: 16384}\n"
	"timeouts: {tcp_established: 3h, tcp_handshake: 60s, tcp_fin_wait: 60s, tcp_close_wait: "
	"60s,\n"
	"           tcp_last_ack: 30s, tcp_time_wait: 240s, udp: 30s, icmp: 30s, fragment: 30s}\n"
	"mss_clamp: true\n";

static const char full_json[] =
	"{\n\t\"version\": 1, \"mode\": {\"stateful\": true, \"routing\": \"auto\",\n"
	"\t\"native_acl\": \"enforce\", \"netstack\": false, \"local_forwarding\": false,\n"
	"\t\"forwarder_input\": \"auto\", \"hook\": \"auto\"},\n"
	"\"peer_acl\": [{\"id\": \"ssh-from-ops\", \"action\": \"allow\",\n"
	"  \"source\": [\"100.64.31.206\", \"100.64.40.0/24\"], \"protocol\": \"tcp\",\n"
	"  \"source_ports\": [\"1024-65535\"], \"destination_ports\": [22, \"8000-8999\"]}],\n"
	"\"route_acl\":[{\"id\":\"web\",\"action\":\"allow\",\"source\":[\"100.64.0.0/10\"],"
	"\"destination\":[\"10.0.0.0/8\",\"set:corp\"],\"protocol\":\"tcp\","
	"\"destination_ports\":[80,443]}],\n"
	"\"sets\": {\"corp\": [\"172.20.0.0/16\", \"2001:db8:20::/48\"]},\n"
	"\"nat\": {\"one_to_one\": [{\"original\": \"10.9.0.5\", \"translated\": "
	"\"100.64.0.5\"}],\n"
	"  \"port\": [{\"protocol\": \"tcp\", \"port\": 8080, \"to\": 80}]},\n"
	"\"limits\": {\"tcp\": 65536, \"udp\": 16384, \"icmp\": 2048, \"fragments\": 16384},\n"
	"\"timeouts\": {\"tcp_established\": \"3h\", \"tcp_handshake\": 60, \"tcp_fin_wait\": 60,\n"
	"  \"tcp_close_wait\": 60, \"tcp_last_ack\": 30, \"tcp_time_wait\": 240, \"udp\": 30,\n"
	"  \"icmp\": 30, \"fragment\": 30}, \"mss_clamp\": true}\n";

static struct policy *parse_ok(const char *text)
{
	struct policy *policy = NULL;
	struct error error = {0};

	if (policy_parse("p", text, strlen(text), &policy, &error))
		fail_msg("%s in:\n%s", error.text, text);
	return policy;
}

static void assert_match(const struct address_match *match, bool any, const char *prefixes,
			 size_t n_sets)
{
	char text[1024] = "", one[PREFIX_TEXT_MAX];
	size_t i;

	for (i = 0; i < match->n_prefixes; i++) {
		strcat(text, i ? " " : "");
		strcat(text, prefix_format(&match->prefixes[i], one, sizeof(one)));
	}
	assert_int_equal(match->any, any);
	assert_string_equal(text, prefixes);
	assert_int_equal(match->n_sets, n_sets);
}

static void assert_defaults(const struct policy *policy)
{
	assert_true(policy->mode.stateful);
	assert_int_equal(policy->mode.routing, POLICY_ROUTING_AUTO);
	assert_true(policy->mode.native_acl);
	assert_false(policy->mode.netstack);
	assert_false(policy->mode.local_forwarding);
	assert_int_equal(policy->mode.forwarder_input, POLICY_FORWARDER_INPUT_AUTO);
	assert_int_equal(policy->mode.hook, POLICY_HOOK_AUTO);
	assert_int_equal(policy->limits.tcp, 65536);
	assert_int_equal(policy->limits.udp, 16384);
	assert_int_equal(policy->limits.icmp, 2048);
	assert_int_equal(policy->limits.fragments, 16384);
	assert_int_equal(policy->timeouts.tcp_established, 10800 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_handshake, 60 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_fin_wait, 60 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_close_wait, 60 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_last_ack, 30 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_time_wait, 240 * NS_PER_S);
	assert_int_equal(policy->timeouts.udp, 30 * NS_PER_S);
	assert_int_equal(policy->timeouts.udp_stream, 120 * NS_PER_S);
	assert_int_equal(policy->timeouts.icmp, 30 * NS_PER_S);
	assert_int_equal(policy->timeouts.fragment, 30 * NS_PER_S);
	assert_true(policy->mss_clamp);
}

static void assert_no_rules(const struct policy *policy)
{
	assert_int_equal(policy->acl[ACL_PEER].n_rules, 0);
	assert_int_equal(policy->acl[ACL_ROUTE].n_rules, 0);
	assert_int_equal(policy->n_sets, 0);
	assert_int_equal(policy->n_one_to_one, 0);
	assert_int_equal(policy->n_nat_port, 0);
}

static void assert_full(const struct policy *policy)
{
	const struct policy_rule *rule = &policy->acl[ACL_PEER].rules[0];

	assert_defaults(policy);
	assert_int_equal(policy->acl[ACL_PEER].n_rules, 1);
	assert_string_equal(rule->id, "ssh-from-ops");
	assert_true(rule->allow);
	assert_match(&rule->source, false, "100.64.31.206 100.64.40.0/24", 0);
	assert_match(&rule->destination, true, "", 0);
	assert_int_equal(rule->protocol, 6);
	assert_int_equal(rule->n_source_ports, 1);
	assert_int_equal(rule->source_ports[0].first, 1024);
	assert_int_equal(rule->source_ports[0].last, 65535);
	assert_int_equal(rule->n_destination_ports, 2);
	assert_int_equal(rule->destination_ports[0].first, 22);
	assert_int_equal(rule->destination_ports[0].last, 22);
	assert_int_equal(rule->destination_ports[1].first, 8000);
	assert_int_equal(rule->destination_ports[1].last, 8999);

	rule = &policy->acl[ACL_ROUTE].rules[0];
	assert_int_equal(policy->acl[ACL_ROUTE].n_rules, 1);
	assert_match(&rule->source, false, "100.64.0.0/10", 0);
	assert_match(&rule->destination, false, "10.0.0.0/8", 1);
	assert_int_equal(rule->destination.sets[0], 0);

	assert_int_equal(policy->n_sets, 1);
	assert_string_equal(policy->sets[0].name, "corp");
	assert_int_equal(policy->sets[0].n_prefixes, 2);
	assert_int_equal(policy->sets[0].prefixes[1].ip_version, 6);
	assert_int_equal(policy->n_one_to_one, 1);
	assert_int_equal(policy->one_to_one[0].ip_version, 4);
	assert_memory_equal(&policy->one_to_one[0].translated.word[3], "\144\100\0\5", 4);
	assert_int_equal(policy->n_nat_port, 1);
	assert_int_equal(policy->nat_port[0].ip_version, 0);
	assert_int_equal(policy->nat_port[0].l4_proto, 6);
	assert_int_equal(policy->nat_port[0].port, 8080);
	assert_int_equal(policy->nat_port[0].to, 80);
}

static void the_defaults_are_those_of_the_manual(void **state)
{
	struct policy *policy = policy_default();

	(void)state;
	assert_non_null(policy);
	assert_null(policy->path);
	assert_defaults(policy);
	assert_no_rules(policy);
	policy_free(policy);
	policy = parse_ok(V1);
	assert_defaults(policy);
	assert_no_rules(policy);
	policy_free(policy);
}

static void yaml_and_json_say_the_same(void **state)
{
	struct policy *yaml = parse_ok(full_yaml), *json = parse_ok(full_json);

	(void)state;
	assert_full(yaml);
	assert_full(json);
	assert_int_equal(yaml->acl[ACL_PEER].rules[0].position.line, 11);
	assert_int_equal(yaml->acl[ACL_PEER].rules[0].position.column, 5);
	assert_string_equal(yaml->text, full_yaml);
	assert_int_equal(yaml->text_len, strlen(full_yaml));
	assert_string_equal(yaml->path, "p");
	policy_free(yaml);
	policy_free(json);
}

static void every_key_of_mode_limits_and_timeouts_is_read(void **state)
{
	struct policy *policy = parse_ok(
		V1 "mode: {stateful: false, routing: userspace, native_acl: skip, netstack: TRUE,\n"
		   "  local_forwarding: True, forwarder_input: af_xdp, hook: 'tc'}\n"
		   "limits: {tcp: 1, udp: 2, icmp: 3, fragments: 16777216}\n"
		   "timeouts: {tcp_established: 1h30m, tcp_handshake: 500ms, tcp_fin_wait: 1,\n"
		   "  tcp_close_wait: 2s, tcp_last_ack: 3m, tcp_time_wait: 1ms, udp: 1h1m1s1ms,\n"
		   "  udp_stream: 2h, icmp: 8784h, fragment: '7'}\n"
		   "mss_clamp: false\n");

	(void)state;
	assert_false(policy->mode.stateful);
	assert_int_equal(policy->mode.routing, POLICY_ROUTING_USERSPACE);
	assert_false(policy->mode.native_acl);
	assert_true(policy->mode.netstack);
	assert_true(policy->mode.local_forwarding);
	assert_int_equal(policy->mode.forwarder_input, POLICY_FORWARDER_INPUT_AF_XDP);
	assert_int_equal(policy->mode.hook, POLICY_HOOK_TC);
	assert_int_equal(policy->limits.tcp, 1);
	assert_int_equal(policy->limits.udp, 2);
	assert_int_equal(policy->limits.icmp, 3);
	assert_int_equal(policy->limits.fragments, 16777216);
	assert_int_equal(policy->timeouts.tcp_established, 5400 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_handshake, NS_PER_S / 2);
	assert_int_equal(policy->timeouts.tcp_fin_wait, NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_close_wait, 2 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_last_ack, 180 * NS_PER_S);
	assert_int_equal(policy->timeouts.tcp_time_wait, NS_PER_S / 1000);
	assert_int_equal(policy->timeouts.udp, 3661 * NS_PER_S + NS_PER_S / 1000);
	assert_int_equal(policy->timeouts.udp_stream, 7200 * NS_PER_S);
	assert_int_equal(policy->timeouts.icmp, 366 * 86400 * NS_PER_S);
	assert_int_equal(policy->timeouts.fragment, 7 * NS_PER_S);
	assert_false(policy->mss_clamp);
	policy_free(policy);
}

static void sources_and_destinations_mean_what_they_list(void **state)
{
	static const struct {
		const char *keys, *source, *destination;
		bool any_source, any_destination;
		size_t source_sets;
	} rows[] = {
		{"", "", "", true, true, 0},
		{"source: any", "", "", true, true, 0},
		{"source: []", "", "", false, true, 0},
		{"destination: []", "", "", true, false, 0},
		{"source: 10.0.0.1", "10.0.0.1", "", false, true, 0},
		{"source: 10.0.0.1/32", "10.0.0.1", "", false, true, 0},
		{"source: 0.0.0.0/0", "0.0.0.0/0", "", false, true, 0},
		{"source: '::/0'", "::/0", "", false, true, 0},
		{"source: ['::1', 10.0.0.0/8]", "::1 10.0.0.0/8", "", false, true, 0},
		{"source: set:s", "", "", false, true, 1},
		{"source: [set:s, 10.0.0.1, set:s]", "10.0.0.1", "", false, true, 2},
		{"destination: ['2001:DB8:0::/32']", "", "2001:db8::/32", true, false, 0},
		{"source: [10.0.0.1, '::1']\n    destination: '::2'", "10.0.0.1 ::1", "::2", false,
		 false, 0},
		{"source: set:s\n    destination: '::2'", "", "::2", false, false, 1},
	};
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_rule *rule;
		struct policy *policy;

		snprintf(text, sizeof(text),
			 V1 "route_acl:\n  - id: a\n    action: deny\n    %s\nsets: {s: []}\n",
			 rows[i].keys);
		policy = parse_ok(text);
		rule = &policy->acl[ACL_ROUTE].rules[0];
		assert_false(rule->allow);
		assert_match(&rule->source, rows[i].any_source, rows[i].source,
			     rows[i].source_sets);
		assert_match(&rule->destination, rows[i].any_destination, rows[i].destination, 0);
		policy_free(policy);
	}
}

static void groups_are_destinations_of_peer_acl(void **state)
{
	static const struct {
		const char *keys;
		bool any;
		const char *prefixes;
		uint8_t groups;
	} rows[] = {
		{"", true, "", 0},
		{"destination: any", true, "", 0},
		{"destination: [any, broadcast]", true, "", GROUP_BROADCAST},
		{"destination: multicast", false, "", GROUP_MULTICAST},
		{"destination: [broadcast, 100.64.0.1, multicast, broadcast]", false, "100.64.0.1",
		 GROUP_BROADCAST | GROUP_MULTICAST},
		{"destination: ['fd00::/8', 224.0.0.251]", false, "fd00::/8 224.0.0.251", 0},
		{"source: ['fd00::1']\n    destination: multicast", false, "", GROUP_MULTICAST},
		{"destination: []", false, "", 0},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct address_match *match;
		struct policy *policy;

		snprintf(text, sizeof(text), V1 "peer_acl:\n  - id: a\n    action: allow\n    %s\n",
			 rows[i].keys);
		policy = parse_ok(text);
		match = &policy->acl[ACL_PEER].rules[0].destination;
		assert_match(match, rows[i].any, rows[i].prefixes, 0);
		assert_int_equal(match->groups, rows[i].groups);
		policy_free(policy);
	}
}

static void icmp_types_are_names_or_numbers(void **state)
{
	static const struct {
		const char *text;
		const char *printed; /* NULL: as it is written */
		int first4, last4;   /* type << 8 | code, -1: IPv4 has none */
		int first6, last6;
	} rows[] = {
		{"echo-request", NULL, 0x800, 0x8ff, 0x8000, 0x80ff},
		{"echo-reply/0", NULL, 0, 0, 0x8100, 0x8100},
		{"8", NULL, 0x800, 0x8ff, 0x800, 0x8ff},
		{"128/0", NULL, 0x8000, 0x8000, 0x8000, 0x8000},
		{"3/4", NULL, 0x304, 0x304, 0x304, 0x304},
		{"255/255", NULL, 0xffff, 0xffff, 0xffff, 0xffff},
		{"003", "3", 0x300, 0x3ff, 0x300, 0x3ff},
		{"destination-unreachable", NULL, 0x300, 0x3ff, 0x100, 0x1ff},
		{"ttl-exceeded", "time-exceeded", 0xb00, 0xbff, 0x300, 0x3ff},
		{"parameter-problem/1", NULL, 0xc01, 0xc01, 0x401, 0x401},
		{"router-advertisement", NULL, 0x900, 0x9ff, 0x8600, 0x86ff},
		{"redirect", NULL, 0x500, 0x5ff, 0x8900, 0x89ff},
		{"timestamp-request", NULL, 0xd00, 0xdff, -1, -1},
		{"fragmentation-needed", NULL, 0x304, 0x304, -1, -1},
		{"packet-too-big", NULL, -1, -1, 0x200, 0x2ff},
		{"neighbour-solicitation", "nd-neighbor-solicit", -1, -1, 0x8700, 0x87ff},
		{"mld-listener-query", NULL, -1, -1, 0x8200, 0x82ff},
		{"mld2-listener-report", NULL, -1, -1, 0x8f00, 0x8fff},
	};
	char text[512], printed[ICMP_TYPE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_rule *rule;
		struct policy *policy;
		struct port_range range;

		snprintf(text, sizeof(text),
			 V1
			 "peer_acl:\n  - {id: a, action: allow, protocol: icmp, icmp_types: %s}\n",
			 rows[i].text);
		policy = parse_ok(text);
		rule = &policy->acl[ACL_PEER].rules[0];
		assert_int_equal(rule->n_icmp_types, 1);
		assert_string_equal(icmp_type_format(rule->icmp_types, printed, sizeof(printed)),
				    rows[i].printed ? rows[i].printed : rows[i].text);
		assert_int_equal(icmp_type_range(rule->icmp_types, 4, &range), rows[i].first4 >= 0);
		if (rows[i].first4 >= 0) {
			assert_int_equal(range.first, rows[i].first4);
			assert_int_equal(range.last, rows[i].last4);
		}
		assert_int_equal(icmp_type_range(rule->icmp_types, 6, &range), rows[i].first6 >= 0);
		if (rows[i].first6 >= 0) {
			assert_int_equal(range.first, rows[i].first6);
			assert_int_equal(range.last, rows[i].last6);
		}
		policy_free(policy);
	}
}

static void protocols_are_names_or_numbers(void **state)
{
	static const struct {
		const char *keys;
		uint16_t protocol;
		uint16_t first, last; /* of destination_ports, 0: none */
	} rows[] = {
		{"", PROTOCOL_ALL, 0, 0},
		{"protocol: all", PROTOCOL_ALL, 0, 0},
		{"protocol: tcp", 6, 0, 0},
		{"protocol: udp", 17, 0, 0},
		{"protocol: icmp", PROTOCOL_ICMP, 0, 0},
		{"protocol: icmpv6", 58, 0, 0},
		{"protocol: 58", 58, 0, 0},
		{"protocol: 1", 1, 0, 0},
		{"protocol: 0", 0, 0, 0},
		{"protocol: 255", 255, 0, 0},
		{"protocol: '6'\n    destination_ports: 80", 6, 80, 80},
		{"protocol: 17\n    destination_ports: [0-65535]", 17, 0, 65535},
		{"destination_ports: 65535", PROTOCOL_ALL, 65535, 65535},
	};
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_rule *rule;
		struct policy *policy;

		snprintf(text, sizeof(text), V1 "peer_acl:\n  - id: a\n    action: allow\n    %s\n",
			 rows[i].keys);
		policy = parse_ok(text);
		rule = &policy->acl[ACL_PEER].rules[0];
		assert_int_equal(rule->protocol, rows[i].protocol);
		assert_int_equal(rule->n_destination_ports, rows[i].last != 0);
		if (rows[i].last) {
			assert_int_equal(rule->destination_ports[0].first, rows[i].first);
			assert_int_equal(rule->destination_ports[0].last, rows[i].last);
		}
		policy_free(policy);
	}
}

/* Parses whatever it is; the sanitizers and the assertions in it are the test. */
static void parse_anything(const char *text, size_t len)
{
	struct policy *policy = NULL;
	struct error error = {0};
	/* its own allocation, so that a read beyond the end is seen */
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	if (policy_parse("p", copy, len, &policy, &error)) {
		assert_null(policy);
		assert_true(error.invalid_input);
		assert_int_equal(strncmp(error.text, "p:", 2), 0);
		assert_null(strchr(error.text, '\n'));
	} else {
		assert_non_null(policy);
	}
	policy_free(policy);
	free(copy);
}

static void a_policy_cut_short_anywhere_is_read_or_refused(void **state)
{
	size_t len;

	(void)state;
	for (len = 0; len <= strlen(full_yaml); len++)
		parse_anything(full_yaml, len);
	for (len = 0; len <= strlen(full_json); len++)
		parse_anything(full_json, len);
}

static void random_bytes_are_read_or_refused(void **state)
{
	static const char alphabet[] = "ab:-[]{}, \n\t#&*!|>'\"%@`?\\01/.~";
	uint32_t random = 1;
	char text[sizeof(full_yaml)];
	size_t i, n, len;

	(void)state;
	for (n = 0; n < 6000; n++) {
		len = n % 400;
		memcpy(text, full_yaml, sizeof(text));
		for (i = 0; i < len; i++) {
			random = random * 1664525 + 1013904223;
			if (n % 3 == 0) /* any bytes */
				text[i] = (char)(random >> 24);
			else if (n % 3 == 1) /* the characters that mean something */
				text[i] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
			else if (i < 4) /* a policy with a few wrong bytes */
				text[(random >> 8) % (sizeof(text) - 1)] =
					alphabet[(random >> 20) % (sizeof(alphabet) - 1)];
		}
		parse_anything(text, n % 3 == 2 ? sizeof(text) - 1 : len);
	}
}

static void files_that_cannot_be_read_give_the_cause(void **state)
{
	struct policy *policy = NULL;
	struct error error = {0};

	(void)state;
	assert_int_equal(policy_load("/nonexistent/policy", &policy, &error), -ENOENT);
	assert_string_equal(error.text, "/nonexistent/policy: No such file or directory");
	assert_false(error.invalid_input);
	assert_int_equal(policy_load("/", &policy, &error), -EISDIR);
	assert_string_equal(error.text, "/: is a directory, not a file");
	assert_int_equal(policy_load("/dev/null", &policy, &error), -EINVAL);
	assert_string_equal(error.text, "/dev/null:1:1: the file is empty");
	assert_int_equal(policy_load("/dev/zero", &policy, &error), -EINVAL);
	assert_string_equal(error.text, "/dev/zero: larger than 67108864 bytes");
	assert_null(policy);
}

static void a_dash_is_standard_input(void **state)
{
	struct policy *policy = NULL;
	struct error error = {0};
	int ends[2], saved;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], full_yaml, strlen(full_yaml)), strlen(full_yaml));
	close(ends[1]);
	saved = dup(STDIN_FILENO);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(policy_load("-", &policy, &error), 0);
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_full(policy);
	assert_string_equal(policy->path, "-");
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_the_manual),
		cmocka_unit_test(yaml_and_json_say_the_same),
		cmocka_unit_test(every_key_of_mode_limits_and_timeouts_is_read),
		cmocka_unit_test(sources_and_destinations_mean_what_they_list),
		cmocka_unit_test(groups_are_destinations_of_peer_acl),
		cmocka_unit_test(icmp_types_are_names_or_numbers),
		cmocka_unit_test(protocols_are_names_or_numbers),
		cmocka_unit_test(a_policy_cut_short_anywhere_is_read_or_refused),
		cmocka_unit_test(random_bytes_are_read_or_refused),
		cmocka_unit_test(files_that_cannot_be_read_give_the_cause),
		cmocka_unit_test(a_dash_is_standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
