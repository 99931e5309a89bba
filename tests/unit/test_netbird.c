/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rules of NetBird's network maps made into those of policies. */
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

#include "netbird/proto.h"
#include "netbird_map.h"
#include "rule.h"

/* @rules: the list's rules as compact JSON with ' for "; @note: NULL: nothing is noted */
struct row {
	const char *fields;
	const char *rules;
	const char *note;
};

static void run_rows(const char *list, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		import_fields(rows[i].fields);
		expect_part(rows[i].fields, list, rows[i].rules);
		if (rows[i].note ? !is_noted(rows[i].note) : json_array_size(import.notes) > 0)
			fail_msg("%s: noted %s", rows[i].fields,
				 json_dumps(import.notes, JSON_COMPACT));
		check_and_free();
		check_yaml(rows[i].fields);
	}
}

#define PEER(fields) "'FirewallRules': [{'PolicyID': 'YWI=', " fields "}]"
#define TCP_22	     "'Protocol': 'TCP', 'PortInfo': {'port': 22}"

static const struct row peer_rules[] = {
	{PEER("'PeerIP': '100.64.0.2', " TCP_22),
	 "[{'id':'nb/ab/in/tcp/22','action':'allow','source':['100.64.0.2'],'protocol':'tcp',"
	 "'destination_ports':[22]}]",
	 NULL},
	{PEER("'peer_ip': '100.64.0.2', 'protocol': 3, 'action': 1, 'direction': 0"),
	 "[{'id':'nb/ab/in/drop/udp','action':'deny','source':['100.64.0.2'],'protocol':'udp'}]",
	 NULL},
	{PEER("'PeerIP': '0.0.0.0', 'Protocol': 'ALL'"),
	 "[{'id':'nb/ab/in/all','action':'allow','source':['any'],'protocol':'all'}]", NULL},
	{PEER("'PeerIP': '::', 'Protocol': 'ICMP', 'PortInfo': {'port': 7}"),
	 "[{'id':'nb/ab/in/icmp','action':'allow','source':['any'],'protocol':'icmp'}]", NULL},
	{PEER("'sourcePrefixes': ['ZEAAACA=', 'ZEABABg=', 'AAAAACA='], 'PeerIP': "
	      "'1.2.3.4', " TCP_22),
	 "[{'id':'nb/ab/in/tcp/22','action':'allow','source':['any'],'protocol':'tcp',"
	 "'destination_ports':[22]}]",
	 NULL},
	{PEER("'sourcePrefixes': ['ZEAAAiA=', 'ZEABBRg=', '/QAAAAAAAAAAAAAAAAAACYA='], "
	      "'Protocol': 'TCP', 'PortInfo': {'range': {'start': 80, 'end': 90}}"),
	 "[{'id':'nb/ab/in/tcp/80-90','action':'allow','source':['100.64.0.2','100.64.1.0/24',"
	 "'fd00::9'],'protocol':'tcp','destination_ports':['80-90']}]",
	 NULL},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'Port': '8080'"),
	 "[{'id':'nb/ab/in/tcp/8080','action':'allow','source':['100.64.0.2'],'protocol':'tcp',"
	 "'destination_ports':[8080]}]",
	 NULL},
	{PEER("'PeerIP': '100.64.0.2', 'Direction': 'OUT', " TCP_22), "[]",
	 "1 rules about what this host sends"},
	/* nothing is allowed that the map does not allow */
	{PEER("'PeerIP': '100.64.0.300', " TCP_22), "[]", "no address"},
	{PEER("'sourcePrefixes': ['ZEAAAiE='], " TCP_22), "[]", "no prefix"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'UNKNOWN'"), "[]", "protocol"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'NETBIRD_SSH'"), "[]", "protocol"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'CUSTOM', 'customProtocol': 256"), "[]",
	 "protocol"},
	{PEER("'PeerIP': '100.64.0.2'"), "[]", "protocol"},
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'MAYBE', " TCP_22), "[]", "action"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'PortInfo': {'port': 65536}"), "[]",
	 "ports do not exist"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'Port': 'http'"), "[]", "ports"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'PortInfo': {'range': {'start': "
	      "9, 'end': 8}}"),
	 "[]", "ports"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'CUSTOM', 'customProtocol': 132, "
	      "'PortInfo': {'port': 1}"),
	 "[]", "NetBird skips"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'ALL', 'PortInfo': {'port': 22}"),
	 "[{'id':'nb/ab/in/all/22','action':'allow','source':['100.64.0.2'],'protocol':'all',"
	 "'destination_ports':[22]}]",
	 "here they hold"},
	/* NetBird skips rules for protocols by number */
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'CUSTOM', 'customProtocol': 132"), "[]",
	 "NetBird skips such rules; the rule is left out"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'PortInfo': {'range': {'start': 0, "
	      "'end': 100}}"),
	 "[{'id':'nb/ab/in/tcp/1-100','action':'allow','source':['100.64.0.2'],'protocol':'tcp',"
	 "'destination_ports':['1-100']}]",
	 "only the range is allowed"},
	/* nor is anything denied less */
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'CUSTOM', 'customProtocol': "
	      "132"),
	 "[{'id':'nb/ab/in/drop/132','action':'deny','source':['100.64.0.2'],'protocol':132}]",
	 NULL},
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'TCP', 'PortInfo': {'range': "
	      "{'start': 0, 'end': 100}}"),
	 "[{'id':'nb/ab/in/drop/tcp','action':'deny','source':['100.64.0.2'],'protocol':'tcp'}]",
	 "as it denies, so does this policy"},
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'TCP', 'PortInfo': {'range': "
	      "{'start': 1000, 'end': 0}}"),
	 "[{'id':'nb/ab/in/drop/tcp','action':'deny','source':['100.64.0.2'],'protocol':'tcp'}]",
	 "denies more"},
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'UNKNOWN'"),
	 "[{'id':'nb/ab/in/drop/all','action':'deny','source':['100.64.0.2'],'protocol':'all'}]",
	 "denies more"},
	{PEER("'PeerIP': 'x', 'Action': 'DROP', 'Protocol': 'TCP', 'PortInfo': {'port': "
	      "70000}"),
	 "[{'id':'nb/ab/in/drop/tcp','action':'deny','source':['any'],'protocol':'tcp'}]",
	 "denies more"},
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'ALL', 'PortInfo': "
	      "{'port': 22}"),
	 "[{'id':'nb/ab/in/drop/all','action':'deny','source':['100.64.0.2'],'protocol':'all'}]",
	 NULL},
};

static void test_peer_rules(void **state)
{
	(void)state;
	run_rows("peer_acl", peer_rules, sizeof(peer_rules) / sizeof(*peer_rules));
}

#define ROUTE(fields) "'routesFirewallRules': [{'PolicyID': 'YWI=', " fields "}]"
#define HTTPS	      "'protocol': 'TCP', 'portInfo': {'port': 443}"

static void test_route_rules(void **state)
{
	static const struct row rows[] = {
		{ROUTE("'sourceRanges': ['100.64.0.9/24', '100.64.1.1/32'], 'destination': "
		       "'10.0.0.0/8', " HTTPS),
		 "[{'id':'nb/ab/rt/10.0.0.0/8/tcp/443','action':'allow','source':['100.64.0.0/"
		 "24','100.64.1.1'],"
		 "'destination':['10.0.0.0/8'],'protocol':'tcp','destination_ports':[443]}]",
		 NULL},
		{ROUTE("'sourceRanges': ['0.0.0.0/0'], 'destination': '0.0.0.0/0', 'protocol': "
		       "'ALL', 'action': 'DROP'"),
		 "[{'id':'nb/ab/rt/drop/0.0.0.0/0/all','action':'deny','source':['0.0.0.0/"
		 "0'],'destination':"
		 "['0.0.0.0/0'],'protocol':'all'}]",
		 NULL},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'isDynamic': true, 'destination': "
		       "'192.0.2.0/32', 'domains': ['a.example', '*.b.example', "
		       "'a.example'], " HTTPS),
		 "[{'id':'nb/ab/rt/nb-96fc842d/tcp/"
		 "443','action':'allow','source':['100.64.1.1'],'destination':"
		 "['set:nb-96fc842d'],'protocol':'tcp','destination_ports':"
		 "[443]}]",
		 "sets that are empty: 1,"},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'isDynamic': true, 'RouteID': "
		       "'r 1', " HTTPS),
		 "[{'id':'nb/ab/rt/dynamic-r_1/tcp/"
		 "443','action':'allow','source':['100.64.1.1'],'destination':"
		 "['set:dynamic-r_1'],'protocol':'tcp','destination_ports':[443]}]",
		 "domains that this peer does not resolve: 1;"},
		{ROUTE("'sourceRanges': [], 'destination': '10.0.0.0/8', " HTTPS), "[]",
		 "no source"},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'destination': 'fd00::/8', " HTTPS),
		 "[]", "different families"},
		{ROUTE("'sourceRanges': ['100.64.1.1/33'], 'destination': '10.0.0.0/8', " HTTPS),
		 "[]", "'100.64.1.1/33' is no prefix"},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'destination': 'example.com', " HTTPS),
		 "[]", "no prefix"},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'destination': 'x', 'action': 'DROP', "
		       "'protocol': 'TCP', 'portInfo': {'range': {'start': 1}}"),
		 "[{'id':'nb/ab/rt/drop/any/"
		 "tcp','action':'deny','source':['100.64.1.1'],'destination':['any'],"
		 "'protocol':'tcp'}]",
		 "denies more"},
	};

	(void)state;
	run_rows("route_acl", rows, sizeof(rows) / sizeof(*rows));
}

/* ---- ids ---- */

#define DNS(peer)  "{'PolicyID': 'cA==', 'PeerIP': '" peer "', 'Protocol': 'UDP', 'Port': '53'}"
#define PING	   "{'PolicyID': 'cC0x', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'}"
#define OTHER_PING "{'PolicyID': 'cCAx', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'}" /* "p 1" */
#define ALIAS_PING "{'PolicyID': 'cF8x', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'}" /* "p_1" */
#define NOBODYS	   "{'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'}"
#define DENY	   "{'PolicyID': 'cA==', 'PeerIP': '100.64.0.9', 'Protocol': 'ALL', 'Action': 'DROP'}"

/* "ID=ACTION SOURCES|" of each rule, in the order of the policy */
static char *describe_rules(const char *fields)
{
	static const char *const lists[] = {"peer_acl", "route_acl"};
	char *text = NULL;
	size_t len, i;
	FILE *file = open_memstream(&text, &len);
	json_t *rule;

	import_fields(fields);
	for (int list = 0; list < 2; list++)
		json_array_foreach (json_object_get(policy, lists[list]), i, rule)
			fprintf(file, "%s=%s|", json_string_value(json_object_get(rule, "id")),
				json_string_value(json_object_get(rule, "action")));
	fclose(file);
	check_and_free();
	return text;
}

static void test_ids_are_made_of_what_a_rule_says(void **state)
{
	char *rules = describe_rules("'FirewallRules': [" SSH("100.64.0.2") "," DNS(
		"100.64.0.2") "," PING "," DENY "," NOBODYS
			      "], 'routesFirewallRules': [" ROUTED(
				      "100.64.0.2/32",
				      "10.0.0.0/8") "," ROUTED("fd00::2/128",
							       "2001:db8:1111:2222:3333:4444:5555:"
							       "6666/128") "]");

	(void)state;
	assert_string_equal(rules,
			    "nb/p/in/drop/all=deny|nb/p/in/tcp/22=allow|nb/p/in/udp/53=allow|"
			    "nb/p-1/in/icmp=allow|nb/peer/in/icmp=allow|"
			    "nb/p/rt/10.0.0.0/8/tcp/443=allow|"
			    "nb/p/rt/2001:db8:1111:2222:3333:4444:5555:6666/tcp/443=allow|");
	free(rules);
}

static void test_ids_do_not_depend_on_the_order_of_the_map_or_on_its_doubles(void **state)
{
	char *rules[3];

	(void)state;
	rules[0] = describe_rules(
		"'FirewallRules': [" SSH("100.64.0.2") "," SSH("100.64.0.3") "," DNS(
			"100.64.0.2") "," PING "," NOBODYS "],"
				      "'routesFirewallRules': [" ROUTED(
					      "100.64.0.2/32",
					      "10.0.0.0/8") "," ROUTED("100.64.0.3/32",
								       "10.0.0.0/8") "]");
	rules[1] = describe_rules(
		"'FirewallRules': [" NOBODYS "," PING
		"," DNS("100.64.0.2") "," SSH("100.64.0.3") "," SSH("100.64.0.2") "," SSH(
			"100.64.0.2") "],"
				      "'routesFirewallRules': [" ROUTED(
					      "100.64.0.3/32",
					      "10.0.0.0/8") "," ROUTED("100.64.0.2/32",
								       "10.0.0.0/8") "]");
	assert_string_equal(rules[0], rules[1]);
	/* nor on who the peers are, or on what else there is */
	rules[2] = describe_rules(
		"'FirewallRules': [" NOBODYS "," SSH("100.64.7.7") "," PING "," DNS(
			"100.64.0.2") "],"
				      "'routesFirewallRules': [" ROUTED("100.64.7.7/32",
									"10.0.0.0/8") "]");
	assert_string_equal(rules[0], rules[2]);
	for (int i = 0; i < 3; i++)
		free(rules[i]);
}

/* Whether every rule of the first map that the second one has as well is called the same. */
static void expect_ids_of_first_in_second(const char *first, const char *second)
{
	char *few = describe_rules(first), *many = describe_rules(second);

	for (char *id = strtok(few, "|"); id; id = strtok(NULL, "|"))
		if (!strstr(many, id))
			fail_msg("%s is missing in %s", id, many);
	free(few);
	free(many);
}

static void test_a_rule_keeps_its_id_whatever_comes_or_goes(void **state)
{
	(void)state;
	expect_ids_of_first_in_second("'FirewallRules': [" SSH("100.64.0.2") "," PING "]",
				      "'FirewallRules': [" DENY "," OTHER_PING "," ALIAS_PING
				      "," DNS("100.64.0.4") "," SSH("100.64.0.1") "," PING "]");
	/* policies whose names look the same in an id are told apart by something of their own */
	expect_ids_of_first_in_second("'FirewallRules': [" OTHER_PING "]",
				      "'FirewallRules': [" ALIAS_PING "," OTHER_PING "]");
	expect_ids_of_first_in_second("'FirewallRules': [" ALIAS_PING "]",
				      "'FirewallRules': [" OTHER_PING "," ALIAS_PING "]");
}

#define POOL   48
#define ROUNDS 300

/* A rule that no other one of the pool is like: its port is its number, and its peer is random. */
static void write_pool_rule(FILE *file, unsigned int n, unsigned int peer, bool routed)
{
	/* of these the last four look the same in an id, or are too long for one */
	static const char *const policies[] = {
		"cA==",
		"cA==",
		"",
		"cq1web0policy0000006",
		"cCAx",
		"cF8x",
		"p\\u00e4",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
	};
	static const char *const destinations[] = {"10.0.0.0/8", "192.168.255.128/25"};
	const char *policy_id = policies[n % 8], *action = n % 5 ? "ACCEPT" : "DROP";

	if (routed)
		fprintf(file,
			"{'PolicyID': '%s', 'action': '%s', 'sourceRanges': ['100.64.0.%u/32'], "
			"'destination': '%s', 'protocol': 'UDP', 'portInfo': {'port': %u}}",
			policy_id, action, peer, destinations[n / 8 % 2], n + 1);
	else
		fprintf(file,
			"{'PolicyID': '%s', 'Action': '%s', 'PeerIP': '100.64.0.%u', 'Protocol': "
			"'TCP', 'Port': '%u'}",
			policy_id, action, peer, n + 1);
}

/* A map of some rules of the pool, in any order, some of them for several peers. */
static char *random_map(void)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	for (int routed = 0; routed < 2; routed++) {
		fprintf(file, routed ? "], 'routesFirewallRules': [" : "'FirewallRules': [");
		for (int i = 0, n = rand() % POOL; i < n; i++) {
			fputs(i ? "," : "", file);
			write_pool_rule(file, rand() % POOL, rand() % 200, routed);
		}
	}
	fputs("]", file);
	fclose(file);
	return text;
}

/* Whether the rules of a list are called as they were in the maps before. */
static void expect_known_ids(const char *list, char ids[POOL + 1][RULE_ID_MAX])
{
	const json_t *rule;
	size_t i;

	json_array_foreach (json_object_get(policy, list), i, rule) {
		const char *id = json_string_value(json_object_get(rule, "id"));
		size_t port = json_integer_value(
			json_array_get(json_object_get(rule, "destination_ports"), 0));

		assert_in_range(strlen(id), 1, RULE_ID_MAX - 1);
		if (!ids[port][0])
			strcpy(ids[port], id);
		assert_string_equal(ids[port], id);
	}
}

static void test_ids_stay_over_any_change_of_the_map(void **state)
{
	static char ids[2][POOL + 1][RULE_ID_MAX];

	(void)state;
	srand(20);
	for (int round = 0; round < ROUNDS; round++) {
		char *fields = random_map();

		import_fields(fields);
		expect_known_ids("peer_acl", ids[0]);
		expect_known_ids("route_acl", ids[1]);
		check_and_free(); /* two rules of one id would be no policy */
		free(fields);
	}
	assert_string_equal(ids[0][2], "nb/p/in/tcp/2");
	assert_string_equal(ids[1][1], "nb/p/rt/drop/10.0.0.0/8/udp/1");
}

static void test_long_ids_are_shortened_to_63_bytes(void **state)
{
	char *rules;

	(void)state;
	/* of a policy of 36 bytes: first the destination, of which 8 digits are left */
	rules = describe_rules(
		"'routesFirewallRules': [{'PolicyID': '01234567-89ab-cdef-0123-456789abcdef',"
		"'sourceRanges': ['100.64.0.2/32'], 'destination': '172.16.200.0/24', 'protocol': "
		"'TCP', 'portInfo': {'port': 443}}]");
	assert_string_equal(rules, "nb/01234567-89ab-cdef-0123-456789abcdef/rt/c538888d/tcp/443="
				   "allow|");
	free(rules);
	/* then the policy, too */
	rules = describe_rules(
		"'routesFirewallRules': [{'PolicyID': '01234567-89ab-cdef-0123-456789abcdef',"
		"'sourceRanges': ['100.64.0.2/32'], 'destination': '172.16.200.0/24', 'protocol': "
		"'TCP', 'action': 'DROP', 'portInfo': {'range': {'start': 10000, 'end': 20000}}}]");
	assert_string_equal(rules, "nb/a23d006b/rt/drop/c538888d/tcp/10000-20000=deny|");
	free(rules);
}

static void test_ids_and_sets_of_any_text_are_usable(void **state)
{
	(void)state;
	/* bytes that are no text, an id as plain text, and one that is far too long */
	import_fields(
		"'FirewallRules': ["
		"{'PolicyID': '/wABAg==', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'},"
		"{'PolicyID': 'p\\n\\u00e4 \\\\', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'},"
		"{'PolicyID': '--------------------------------------------------------------"
		"---------------------------------', 'PeerIP': '100.64.0.2', 'Protocol': "
		"'ICMP'}],"
		"'routesFirewallRules': [{'sourceRanges': ['100.64.0.2/32'], 'protocol': 'TCP',"
		"'isDynamic': true, 'domains': ['', 'a\\nb', 'a_b', "
		"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', "
		"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', "
		"'\\\"#: {', 17]}]");
	assert_int_equal(json_array_size(json_object_get(policy, "peer_acl")), 3);
	check_and_free();
}

static void test_bytes_are_base64(void **state)
{
	static const struct {
		const char *text;
		ssize_t n;
		const char *bytes;
	} rows[] = {
		{"", 0, ""},
		{"YQ==", 1, "a"},
		{"YQ", 1, "a"},
		{"YWI=", 2, "ab"},
		{"YWJj", 3, "abc"},
		{"_-8=", 2, "\xff\xef"},
		{"/+8", 2, "\xff\xef"},
		{"Y", -EINVAL, ""},
		{"Y*==", -EINVAL, ""},
		{"YWJjZA==", -EINVAL, ""}, /* more than there is room for */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *value = json_string(rows[i].text);
		uint8_t bytes[3];

		assert_int_equal(proto_bytes(value, bytes, sizeof(bytes)), rows[i].n);
		if (rows[i].n > 0)
			assert_memory_equal(bytes, rows[i].bytes, rows[i].n);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_rules),
		cmocka_unit_test(test_route_rules),
		cmocka_unit_test(test_ids_are_made_of_what_a_rule_says),
		cmocka_unit_test(test_ids_do_not_depend_on_the_order_of_the_map_or_on_its_doubles),
		cmocka_unit_test(test_a_rule_keeps_its_id_whatever_comes_or_goes),
		cmocka_unit_test(test_ids_stay_over_any_change_of_the_map),
		cmocka_unit_test(test_long_ids_are_shortened_to_63_bytes),
		cmocka_unit_test(test_ids_and_sets_of_any_text_are_usable),
		cmocka_unit_test(test_bytes_are_base64),
	};

	return cmocka_run_group_tests_name("netbird", tests, NULL, NULL);
}
