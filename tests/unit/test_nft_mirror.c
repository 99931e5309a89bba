/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's tables in nftables, made by nft(8) in a namespace of the test's own, and what becomes of
 * them: a row is a rule, and the rule of a policy, or why there is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netbird/nft_mirror.h"
#include "unit/namespace.h"

#define ANSWERS	     "ct state established,related counter accept"
#define FILTER(hook) "type filter hook " hook " priority filter; policy accept;"

struct row {
	const char *family;
	const char *chain;
	const char *rule;
	const char *becomes; /* in which list, action, source, destination, protocol, ports */
	const char *why;     /* it is refused */
};

#define INPUT "netbird-acl-input-rules"
#define ROUTE "netbird-rt-fwd"

static const struct row rows[] = {
	{"ip", INPUT, "ip protocol tcp ip saddr 100.64.0.2 th dport 22 accept",
	 "peer_acl allow [\"100.64.0.2\"] - \"tcp\" [22]", NULL},
	{"ip", INPUT, "ip protocol udp ip saddr @nb0000001 th dport 5000-5010 accept",
	 "peer_acl allow [\"100.64.0.2\",\"100.64.0.3\"] - \"udp\" [\"5000-5010\"]", NULL},
	{"ip", INPUT, "ip protocol udp th dport 22054 accept",
	 "peer_acl allow [\"0.0.0.0/0\"] - \"udp\" [22054]", NULL},
	{"ip", INPUT, "ip protocol icmp drop", "peer_acl deny [\"0.0.0.0/0\"] - \"icmp\" -", NULL},
	{"ip", INPUT, "ip protocol 47 accept", "peer_acl allow [\"0.0.0.0/0\"] - 47 -", NULL},
	{"ip", INPUT, "accept", "peer_acl allow [\"0.0.0.0/0\"] - \"all\" -", NULL},
	{"ip6", INPUT, "ip6 nexthdr icmpv6 ip6 saddr fd64::2 accept",
	 "peer_acl allow [\"fd64::2\"] - \"icmp\" -", NULL},
	{"ip6", INPUT, "accept", "peer_acl allow [\"::/0\"] - \"all\" -", NULL},
	{"ip", ROUTE, "ip saddr 100.64.0.0/12 ip daddr 192.168.64.0/20 counter accept",
	 "route_acl allow [\"100.64.0.0/12\"] [\"192.168.64.0/20\"] \"all\" -", NULL},
	{"ip", ROUTE, "ip daddr @nb-0000000a meta l4proto tcp th dport 80 counter accept",
	 "route_acl allow [\"0.0.0.0/0\"] [\"set:nb-0000000a\"] \"tcp\" [80]", NULL},
	{"ip", ROUTE, "ip saddr @nb-0000000b counter drop",
	 "route_acl deny [\"10.0.0.0/8\"] [\"any\"] \"all\" -", NULL},
	{"ip", INPUT, "ip saddr @empty accept", "nothing", NULL},
	/* what is not understood */
	{"ip", INPUT, "ip saddr != 100.64.0.2 accept", NULL, "the expression 'cmp'"},
	{"ip", INPUT, "ip saddr != @nb0000001 accept", NULL, "the expression 'lookup'"},
	{"ip", INPUT, "tcp sport 22 accept", NULL, "the expression 'payload'"},
	{"ip", INPUT, "tcp dport { 22, 80 } accept", NULL, "the expression 'lookup'"},
	{"ip", INPUT, "tcp dport != 22 accept", NULL, "the expression 'cmp'"},
	{"ip", INPUT, "tcp flags syn accept", NULL, "the expression 'payload'"},
	{"ip", INPUT, "limit rate 1/second accept", NULL, "the expression 'limit'"},
	{"ip", INPUT, "ip ttl 64 accept", NULL, "the expression 'payload'"},
	{"ip", INPUT, "ip daddr 100.64.0.1 accept", NULL, "a destination"},
	{"ip", INPUT, "meta mark 7 accept", NULL, "a rule that is none of addresses and ports"},
	{"ip", INPUT, "ip protocol tcp", NULL, "a rule that is none of addresses and ports"},
	{"ip", INPUT, "reject", NULL, "the expression 'reject'"},
	{"ip", INPUT, "th dport 22 accept", NULL, "a protocol with these ports"},
	{"ip", INPUT, "ip protocol icmpv6 accept", NULL, "a protocol with these ports"},
	{"ip", INPUT, "ip saddr @timed accept", NULL, "the set"},
	{"ip", INPUT, "ip saddr 100.64.0.2 accept; add rule ip netbird " INPUT " drop", NULL,
	 "a rule that denies behind one that allows"},
	{"ip", INPUT, "ct state new accept", NULL, "a rule that is none of addresses and ports"},
	{"ip", ROUTE, "ip daddr @nb0000001 accept", NULL, "a set of destinations"},
	{"ip", "netbird-acl-input-filter", "accept", NULL, "the way to its rules"},
	{"ip", "netbird-acl-forward-filter", "iifname eth0 accept", NULL, "the way to its rules"},
};

static struct error error;

static void make_family(const char *family, const char *address, const char *members,
			const char *prefix)
{
	char command[4096];

	snprintf(
		command, sizeof(command),
		"nft 'add table %1$s netbird;"
		"add chain %1$s netbird " INPUT "; add chain %1$s netbird " ROUTE ";"
		"add chain %1$s netbird netbird-mangle-forward { " FILTER(
			"forward") " };"
				   "add chain %1$s netbird netbird-acl-input-filter { " FILTER(
					   "input") " };"
						    "add chain %1$s netbird "
						    "netbird-acl-forward-filter { " FILTER(
							    "forward") " };"
								       "add set %1$s netbird "
								       "nb0000001 { type %2$s; "
								       "flags dynamic; elements = "
								       "{ %3$s } };"
								       "add set %1$s netbird "
								       "nb-0000000a { type %2$s; "
								       "flags interval; };"
								       "add set %1$s netbird "
								       "nb-0000000b { type %2$s; "
								       "flags interval; elements = "
								       "{ %4$s } };"
								       "add set %1$s netbird empty "
								       "{ type %2$s; };"
								       "add set %1$s netbird timed "
								       "{ type %2$s; flags "
								       "timeout; };"
								       "add rule %1$s "
								       "netbird " INPUT " " ANSWERS
								       ";"
								       "add rule %1$s "
								       "netbird " ROUTE " " ANSWERS
								       ";"
								       "add rule %1$s netbird "
								       "netbird-mangle-forward tcp "
								       "flags syn counter;"
								       "add rule %1$s netbird "
								       "netbird-acl-input-filter "
								       "iifname wt0 jump " INPUT ";"
								       "add rule %1$s netbird "
								       "netbird-acl-input-filter "
								       "iifname wt0 drop;"
								       "add rule %1$s netbird "
								       "netbird-acl-forward-filter "
								       "meta mark 0x1bd20 accept;"
								       "add rule %1$s netbird "
								       "netbird-acl-forward-filter "
								       "iifname wt0 jump " ROUTE ";"
								       "add rule %1$s netbird "
								       "netbird-acl-forward-filter "
								       "iifname wt0 drop'",
		family, address, members, prefix);
	run(command);
}

static void make_tables(void)
{
	make_family("ip", "ipv4_addr", "100.64.0.2, 100.64.0.3", "10.0.0.0/8");
	make_family("ip6", "ipv6_addr", "fd64::2", "fd00::/8");
}

static uint32_t expected; /* of what is mirrored next */

static json_t *mirror(void)
{
	struct nft_mirrored mirrored;
	json_t *policy;

	if (nft_mirror_read("wt0", expected, &mirrored, &error))
		return NULL;
	expected = mirrored.has;
	policy = json_loadb(mirrored.text, mirrored.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(policy);
	assert_true(mirrored.generation > 0);
	free(mirrored.text);
	return policy;
}

/* The rules as rows have them. */
static void describe(const json_t *policy, char *text, size_t size)
{
	static const char *const lists[] = {"peer_acl", "route_acl"};
	static const char *const keys[] = {"source", "destination", "protocol",
					   "destination_ports"};
	const json_t *rule;
	size_t i;

	snprintf(text, size, "nothing");
	for (int l = 0; l < 2; l++)
		json_array_foreach (json_object_get(policy, lists[l]), i, rule) {
			snprintf(text, size, "%s %s", lists[l],
				 json_string_value(json_object_get(rule, "action")));
			for (int k = 0; k < 4; k++) {
				char *value = json_dumps(json_object_get(rule, keys[k]),
							 JSON_COMPACT | JSON_ENCODE_ANY);
				size_t used = strlen(text);

				snprintf(text + used, size - used, " %s", value ? value : "-");
				free(value);
			}
		}
}

static void a_rule_is_carried_exactly_or_refused_by_name(void **state)
{
	char command[512], text[512], refused[512];

	(void)state;
	need_root();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		json_t *policy;

		run("nft flush ruleset");
		make_tables();
		expected = 0;
		snprintf(command, sizeof(command), "nft 'add rule %s netbird %s %s'", row->family,
			 row->chain, row->rule);
		run(command);
		policy = mirror();
		if (!policy == !row->becomes && !policy) {
			snprintf(refused, sizeof(refused), "%s is not understood", row->why);
			if (!strstr(error.text, refused))
				fail_msg("%s: %s", row->rule, error.text);
			continue;
		}
		if (!policy)
			fail_msg("%s: %s", row->rule, error.text);
		describe(policy, text, sizeof(text));
		if (!row->becomes || strcmp(text, row->becomes))
			fail_msg("%s: %s", row->rule, text);
		json_decref(policy);
	}
}

static void what_is_not_there_whole_is_refused(void **state)
{
	(void)state;
	need_root();
	expected = 0;
	assert_null(mirror());
	assert_int_equal(error.code, ENOENT);
	make_tables();
	json_decref(mirror());
	expected = 0;
	run("nft delete table ip6 netbird"); /* NetBird has none without IPv6 */
	json_decref(mirror());
	run("nft 'add chain ip netbird another'");
	assert_null(mirror());
	assert_non_null(
		strstr(error.text, "another of table ip netbird: the chain is not understood"));
	run("nft 'delete chain ip netbird another; flush chain ip netbird "
	    "netbird-acl-forward-filter'");
	assert_null(mirror());
	assert_non_null(strstr(error.text, "the way to its rules is not understood"));
}

/* Refuse what is there by that sentence. */
static void refuses(const char *why)
{
	assert_null(mirror());
	assert_int_equal(error.code, ENODATA);
	if (!strstr(error.text, why))
		fail_msg("%s", error.text);
}

static void half_of_what_was_there_is_refused(void **state)
{
	(void)state;
	need_root();
	expected = 0;
	make_tables();
	json_decref(mirror());
	run("nft delete table ip6 netbird");
	refuses("table ip6 netbird is not there, the other one is");
	run("nft flush ruleset");
	make_tables();
	run("nft flush chain ip6 netbird " ROUTE);
	refuses(ROUTE " of table ip6 netbird lets no answers pass any more");
	run("nft 'add rule ip6 netbird " ROUTE " " ANSWERS "; flush chain ip netbird " INPUT "'");
	refuses(INPUT " of table ip netbird lets no answers pass any more");
	run("nft delete table ip netbird");
	refuses("table ip netbird is not there, the other one is");
	expected = 0; /* which never happens with a NetBird that is up */
	refuses("table ip netbird is not there, the other one is");
}

static void a_port_that_is_translated_is_one_of_the_policy(void **state)
{
	json_t *policy;
	char *nat;

	(void)state;
	need_root();
	expected = 0;
	make_tables();
	if (system("nft 'add chain ip netbird netbird-rt-redirect "
		   "{ type nat hook prerouting priority dstnat; }'")) {
		print_message("needs chains of type nat\n");
		skip();
	}
	run("nft 'add rule ip netbird netbird-rt-redirect iifname wt0 meta l4proto udp th dport "
	    "5353 "
	    "ip daddr 100.64.0.1 dnat to 100.64.0.1:22054;"
	    "add rule ip netbird netbird-rt-redirect iifname != wt0 meta l4proto tcp th dport 80 "
	    "dnat to 100.64.0.2:8080'");
	policy = mirror();
	assert_non_null(policy);
	nat = json_dumps(json_object_get(policy, "nat"), JSON_COMPACT);
	assert_string_equal(nat, "{\"port\":[{\"protocol\":\"udp\",\"port\":5353,\"to\":22054,"
				 "\"address\":\"100.64.0.1\"}]}");
	free(nat);
	json_decref(policy);
	run("nft 'add rule ip netbird netbird-rt-redirect iifname wt0 meta l4proto tcp th dport 80 "
	    "ip daddr 100.64.0.1 dnat to 192.168.77.2:8080'");
	assert_null(mirror());
	assert_non_null(strstr(error.text, "a translation to another host is not understood"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_rule_is_carried_exactly_or_refused_by_name,
				       namespace_setup),
		cmocka_unit_test_setup(what_is_not_there_whole_is_refused, namespace_setup),
		cmocka_unit_test_setup(half_of_what_was_there_is_refused, namespace_setup),
		cmocka_unit_test_setup(a_port_that_is_translated_is_one_of_the_policy,
				       namespace_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
