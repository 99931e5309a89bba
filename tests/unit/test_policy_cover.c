/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules that others cover together: rows of policies with all that is said about them, and random
 * policies in a world that is small enough to try every packet.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/oracle.h"
#include "policy/parse.h"
#include "review/cover.h"
#include "review/not_routed.h"

#define POLICIES 1000
#define RULES	 12

struct warnings {
	char text[8192];
	bool dead[RULES]; /* rules by their number that never decide */
};

static void on_warning(void *context, struct position position, const char *text)
{
	struct warnings *warnings = context;
	size_t used = strlen(warnings->text);
	unsigned int rule;

	snprintf(warnings->text + used, sizeof(warnings->text) - used, "%u: %s\n", position.line,
		 text);
	if (sscanf(text, "rule 'r%u' ", &rule) == 1 && !strstr(text, "partly"))
		warnings->dead[rule] = true;
}

static void check(const char *text, struct warnings *warnings, struct policy **policy)
{
	struct classifier *classifier;
	struct error error = {0};
	bool dead[64] = {0};

	memset(warnings, 0, sizeof(*warnings));
	if (policy_parse("p", text, strlen(text), policy, &error) ||
	    classifier_compile(*policy, NULL, 0, CLASSIFIER_BUDGET_BYTES, &classifier, &error) ||
	    policy_check(*policy, on_warning, warnings, dead, &error) ||
	    policy_cover(&(struct cover_input){*policy, classifier, dead, NULL}, on_warning,
			 warnings, &error))
		fail_msg("%s", error.text);
	classifier_free(classifier);
}

static const struct {
	const char *rules; /* of peer_acl, from line 3, and what follows */
	const char *warnings;
} rows[] = {
	{"  - {id: a, action: allow, source: 10.0.0.0/9}\n"
	 "  - {id: b, action: allow, source: 10.128.0.0/9}\n"
	 "  - {id: c, action: allow, source: 10.0.0.0/8, protocol: tcp}\n",
	 "5: rule 'c' is never reached: all it matches is matched before by rules 'a' in line 3, "
	 "'b' in line 4 together\n"},
	{"  - {id: a, action: allow, source: 10.0.0.0/9}\n"
	 "  - {id: b, action: allow, source: 10.128.0.0/9, protocol: udp}\n"
	 "  - {id: c, action: allow, source: 10.0.0.0/8, protocol: tcp}\n",
	 ""},
	{"  - {id: a, action: allow, source: 0.0.0.0/0}\n"
	 "  - {id: b, action: allow, source: '::/0'}\n"
	 "  - {id: c, action: allow, source: any, protocol: icmp}\n",
	 "5: rule 'c' is never reached: all it matches is matched before by rules 'a' in line 3, "
	 "'b' in line 4 together\n"},
	{"  - {id: a, action: allow, protocol: tcp}\n"
	 "  - {id: b, action: allow, protocol: udp}\n"
	 "  - {id: c, action: allow, destination_ports: [80]}\n",
	 ""}, /* of all protocols, others have no ports */
	{"  - {id: a, action: allow, source: 10.0.0.0/8, protocol: tcp}\n"
	 "  - {id: b, action: allow, source: set:s, protocol: tcp, destination_ports: [22]}\n"
	 "sets: {s: [10.1.0.0/16, 10.2.0.1]}\n",
	 "4: rule 'b' is never reached: all it matches is matched before by rule 'a' in line 3, as "
	 "sets are now\n"},
	{"  - {id: a, action: allow, protocol: tcp, destination_ports: [22-80]}\n"
	 "  - {id: d, action: deny, source: 10.0.0.0/8, protocol: tcp, destination_ports: "
	 "[80-90]}\n"
	 "  - {id: e, action: deny, source: 'fd00::/8', protocol: udp}\n"
	 "  - {id: b, action: allow, source: 10.1.0.0/16, protocol: all}\n"
	 "  - {id: c, action: allow, source: 'fc00::/7', protocol: icmp}\n",
	 "3: rule 'a' is partly overridden by deny rule 'd' in line 4\n"
	 "6: rule 'b' is partly overridden by deny rule 'd' in line 4\n"},
	{"  - {id: a, action: allow, protocol: tcp, destination_ports: [22]}\n"
	 "  - {id: d, action: deny, protocol: tcp, destination_ports: [23]}\n",
	 ""}, /* neither has what ICMP has in place of ports */
	{"  - {id: a, action: allow, source: [10.0.0.0/8, 'fd00::/8']}\n"
	 "  - {id: d, action: deny, source: 10.0.0.1}\n"
	 "  - {id: e, action: deny, source: 'fd00::1'}\n",
	 "3: rule 'a' is partly overridden by deny rule 'd' in line 4 and 1 more\n"},
	{"  - {id: a, action: allow, destination: [0.0.0.0/0, '::/0']}\n"
	 "  - {id: b, action: allow, destination: broadcast}\n"
	 "  - {id: c, action: allow, destination: multicast, source: 0.0.0.0/0}\n"
	 "  - {id: d, action: allow, destination: [any, multicast], source: 10.0.0.0/8}\n"
	 "  - {id: e, action: deny, destination: multicast}\n"
	 "  - {id: f, action: allow}\n",
	 "5: rule 'c' is never reached: all it matches is matched before by rule 'e' in line 7\n"
	 "6: rule 'd' is never reached: all it matches is matched before by rules 'e' in line 7, "
	 "'a' in line 3 together\n"
	 "8: rule 'f' is never reached: all it matches is matched before by rule 'a' in line 3, as "
	 "sets are now\n"
	 "6: rule 'd' is partly overridden by deny rule 'e' in line 7\n"},
	{"  - {id: a, action: allow, protocol: icmp, icmp_types: [8]}\n"
	 "  - {id: b, action: allow, protocol: icmp, icmp_types: ['128']}\n"
	 "  - {id: c, action: allow, protocol: icmp, icmp_types: [echo-request]}\n"
	 "  - {id: d, action: deny, protocol: icmp, icmp_types: [redirect]}\n"
	 "  - {id: e, action: allow, protocol: icmp}\n"
	 "  - {id: f, action: allow, destination_ports: [80]}\n",
	 "5: rule 'c' is never reached: all it matches is matched before by rules 'a' in line 3, "
	 "'b' in line 4 together\n"
	 "7: rule 'e' is partly overridden by deny rule 'd' in line 6\n"
	 "8: rule 'f' is partly overridden by deny rule 'd' in line 6\n"},
};

static void each_policy_gets_its_warnings(void **state)
{
	struct policy *policy;
	struct warnings warnings;
	char text[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "version: 1\npeer_acl:\n%s", rows[i].rules);
		check(text, &warnings, &policy);
		policy_free(policy);
		assert_string_equal(warnings.text, rows[i].warnings);
	}
}

static const char *any_of(const char *const *words, unsigned int n)
{
	return words[rand() % n];
}

#define WORLD "version: 1\nsets: {s: [10.0.0.3, 'fd00::2']}\npeer_acl:\n"

/* Not where a rule's parts have no family in common. */
static bool is_valid(const char *rule)
{
	struct policy *policy = NULL;
	struct error error;
	char text[512];
	bool valid;

	snprintf(text, sizeof(text), WORLD "%s", rule);
	valid = !policy_parse("p", text, strlen(text), &policy, &error);
	policy_free(policy);
	return valid;
}

/* A rule in a world of eight addresses of each family and eight ports, with a little beyond. */
static void random_rule(unsigned int number, char *text, size_t size)
{
	static const char *const sources[] = {"any",
					      "0.0.0.0/0",
					      "'::/0'",
					      "10.0.0.0/29",
					      "10.0.0.0/30",
					      "10.0.0.4/30",
					      "10.0.0.2/31",
					      "10.0.0.5",
					      "[10.0.0.0/31, 10.0.0.6/31]",
					      "[10.0.0.1, 'fd00::/126']",
					      "'fd00::/125'",
					      "'fd00::4/126'",
					      "set:s"};
	static const char *const protocols[] = {"tcp", "udp", "all", "all", "icmp", "icmp", "47"};
	static const char *const types[] = {"echo-request",   "8", "128/0",    "3/4",  "3",
					    "packet-too-big", "2", "[8, 3/4]", "'2/0'"};
	static const char *const destinations[] = {"any",
						   "any",
						   "broadcast",
						   "multicast",
						   "[any, multicast]",
						   "[0.0.0.0/0, broadcast]",
						   "[10.0.0.0/30, 'fd00::/126', multicast]",
						   "[224.0.0.0/3, 'fd00::/125', set:s]"};
	const char *protocol = any_of(protocols, 7);
	unsigned int port = rand() % 8;
	char ports[64] = "";

	if (!strcmp(protocol, "icmp") && rand() % 2)
		snprintf(ports, sizeof(ports), ", icmp_types: %s", any_of(types, 9));
	else if (rand() % 2 && strcmp(protocol, "icmp") && strcmp(protocol, "47"))
		snprintf(ports, sizeof(ports), ", destination_ports: ['%u-%u', %d]", port,
			 port + rand() % (8 - port), rand() % 8);
	snprintf(text, size,
		 "  - {id: r%u, action: %s, source: %s, destination: %s, protocol: %s%s}\n", number,
		 rand() % 3 ? "allow" : "deny", any_of(sources, 13), any_of(destinations, 8),
		 protocol, ports);
}

static void note_decision(const struct policy *policy, struct classifier_key *key, bool *decides)
{
	uint32_t found = oracle_lookup(policy, NULL, 0, key, ACL_PEER);
	uint32_t rank = 0;

	for (int allow = 0; allow <= 1 && found; allow++)
		for (size_t i = 0; i < policy->acl[ACL_PEER].n_rules; i++)
			if (policy->acl[ACL_PEER].rules[i].allow == allow && ++rank == found)
				decides[i] = true;
}

/* Address @number of the world, of nine of each family; the last is not in it. */
static union addr address(uint8_t ip_version, uint32_t number)
{
	uint32_t low = number == 8 ? 0x7777 : number;
	union addr addr = {.word = {0, 0, htonl(0xffff), htonl(0x0a000000 + low)}};

	if (ip_version == 6)
		addr = (union addr){.word = {htonl(0xfd000000), 0, 0, htonl(low)}};
	return addr;
}

/* Behind the nine there are two groups, and what is IPv4 but in none of the lists of addresses. */
static void set_destination(struct classifier_key *key, uint32_t number)
{
	bool ipv4 = key->ip_version == 4;

	key->destination = address(key->ip_version, number < 9 ? number : 0);
	key->local_kind = LOCAL_NONE;
	if (number == 9) {
		key->local_kind = ipv4 ? LOCAL_BROADCAST : LOCAL_MULTICAST;
		key->destination.bytes[0] = ipv4 ? 0 : 0xff;
	} else if (number == 10) {
		key->local_kind = LOCAL_MULTICAST;
		key->destination.bytes[ipv4 ? 12 : 0] = ipv4 ? 224 : 0xff;
	} else if (number == 11 && ipv4) {
		key->destination.bytes[12] = 250;
	}
}

static void try_every_type(const struct policy *policy, struct classifier_key *key, bool *decides)
{
	static const uint8_t types[][2] = {{8, 0}, {8, 1}, {128, 0}, {128, 1}, {3, 4},
					   {3, 0}, {2, 0}, {2, 1},   {200, 7}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		key->icmp_type = types[i][0];
		key->icmp_code = types[i][1];
		note_decision(policy, key, decides);
	}
}

static void try_every_protocol(const struct policy *policy, struct classifier_key *key,
			       bool *decides)
{
	static const uint8_t protocols[] = {1, 6, 17, 47, 58, 200};

	for (size_t p = 0; p < sizeof(protocols); p++) {
		bool ports = protocols[p] == 6 || protocols[p] == 17;

		key->l4_proto = protocols[p];
		if (protocols[p] == (key->ip_version == 4 ? 1 : 58))
			try_every_type(policy, key, decides);
		else
			for (int port = 0; port < (ports ? 9 : 1); port++) {
				key->dport = port == 8 ? 9999 : port;
				note_decision(policy, key, decides);
			}
	}
}

static void try_every_packet(const struct policy *policy, bool *decides)
{
	for (uint8_t ip_version = 4; ip_version <= 6; ip_version += 2) {
		for (uint32_t source = 0; source < 9; source++) {
			for (uint32_t destination = 0; destination < 12; destination++) {
				struct classifier_key key = {
					.ip_version = ip_version,
					.source = address(ip_version, source),
				};

				set_destination(&key, destination);
				try_every_protocol(policy, &key, decides);
			}
		}
	}
}

static void a_rule_is_warned_of_if_and_only_if_no_packet_finds_it(void **state)
{
	unsigned int dead = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < POLICIES; i++) {
		char text[4096] = WORLD;
		bool decides[RULES] = {0};
		struct policy *policy;
		struct warnings warnings;

		for (unsigned int rule = 0; rule < RULES; rule++) {
			size_t len = strlen(text);

			do
				random_rule(rule, text + len, sizeof(text) - len);
			while (!is_valid(text + len));
		}
		check(text, &warnings, &policy);
		try_every_packet(policy, decides);
		for (unsigned int rule = 0; rule < RULES; rule++) {
			dead += warnings.dead[rule];
			if (warnings.dead[rule] == decides[rule])
				fail_msg("rule r%u in:\n%s%s", rule, text, warnings.text);
		}
		policy_free(policy);
	}
	/* or this test would not be about what it says */
	assert_true(dead > POLICIES / 2 && dead < POLICIES * RULES / 2);
}

static void a_destination_that_is_an_address_of_this_host_is_named(void **state)
{
	static const char text[] =
		"version: 1\nroute_acl:\n"
		"  - {id: a, action: deny, destination: [10.0.0.0/8, 10.0.0.2]}\n"
		"  - {id: b, action: allow, destination: [10.0.0.1, 'fd00::1']}\n"
		"  - {id: c, action: allow, destination: 'fd00::1'}\n"
		"peer_acl: [{id: d, action: allow, source: 10.0.0.1}]\n";
	struct interface_address addresses[2] = {{.ip_version = 4}, {.ip_version = 6}};
	struct warnings warnings = {0};
	struct policy *policy;
	struct error error;

	(void)state;
	assert_int_equal(
		addr_parse("10.0.0.1", &addresses[0].addr, &addresses[0].ip_version, &error), 0);
	assert_int_equal(
		addr_parse("fd00::1", &addresses[1].addr, &addresses[1].ip_version, &error), 0);
	assert_int_equal(policy_parse("p", text, strlen(text), &policy, &error), 0);
	policy_check_local(policy, addresses, 2, on_warning, &warnings);
	policy_free(policy);
	assert_string_equal(warnings.text,
			    "4: rule 'b' of route_acl names 10.0.0.1, an address of this host: "
			    "traffic to it is not routed, and peer_acl decides\n"
			    "5: rule 'c' of route_acl names fd00::1, an address of this host: "
			    "traffic to it is not routed, and peer_acl decides\n");
}

/* NetBird's issues 4258 and 4606: a network is allowed, and its router cannot be reached. */
static void a_destination_that_covers_an_address_of_this_host_is_named(void **state)
{
	static const char text[] =
		"version: 1\nroute_acl:\n"
		"  - {id: any, action: allow, destination: any}\n"
		"  - {id: web, action: allow, destination: 10.0.0.0/24, protocol: tcp,\n"
		"     destination_ports: [80]}\n"
		"  - {id: ssh, action: allow, destination: 10.0.0.0/24, protocol: tcp,\n"
		"     destination_ports: [20-23]}\n"
		"  - {id: other, action: allow, destination: 10.0.1.0/24}\n"
		"  - {id: in-a-set, action: allow, destination: 'set:lan', protocol: udp}\n"
		"  - {id: thought-of, action: allow, source: 100.64.0.0/10, destination: "
		"'set:lan',\n"
		"     protocol: icmp}\n"
		"  - {id: exact, action: allow, destination: 10.0.0.1, protocol: udp}\n"
		"peer_acl:\n"
		"  - {id: a, action: allow, source: any, protocol: tcp, destination_ports: [22]}\n"
		"  - {id: b, action: allow, source: 100.64.0.9, protocol: icmp}\n"
		"sets: {lan: [10.0.0.0/16, '127.0.0.0/8']}\n";
	struct interface_address addresses[2] = {{.ip_version = 4}, {.ip_version = 4}};
	struct warnings warnings = {0};
	struct policy *policy;
	struct error error;

	(void)state;
	addr_parse("127.0.0.1", &addresses[0].addr, &addresses[0].ip_version, &error);
	addr_parse("10.0.0.1", &addresses[1].addr, &addresses[1].ip_version, &error);
	assert_int_equal(policy_parse("p", text, strlen(text), &policy, &error), 0);
	policy_check_local(policy, addresses, 2, on_warning, &warnings);
	policy_free(policy);
	assert_string_equal(
		warnings.text,
		"4: rule 'web' of route_acl covers 10.0.0.1, an address of this host: traffic to "
		"it is not routed; to allow it, add a peer_acl rule\n"
		"9: rule 'in-a-set' of route_acl covers 10.0.0.1, an address of this host: traffic "
		"to it is not routed; to allow it, add a peer_acl rule\n"
		"12: rule 'exact' of route_acl names 10.0.0.1, an address of this host: traffic to "
		"it is not routed; to allow it, add a peer_acl rule\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_policy_gets_its_warnings),
		cmocka_unit_test(a_rule_is_warned_of_if_and_only_if_no_packet_finds_it),
		cmocka_unit_test(a_destination_that_covers_an_address_of_this_host_is_named),
		cmocka_unit_test(a_destination_that_is_an_address_of_this_host_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
