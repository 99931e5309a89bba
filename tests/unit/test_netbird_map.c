/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* NetBird's network maps as a whole made into policies. */
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
#include <sys/resource.h>
#include <time.h>

#include "netbird_map.h"

static void test_forwarding_is_left_out_as_it_is_not_for_what_peers_send(void **state)
{
	(void)state;
	import_fields(
		"'peerConfig': {'address': '100.64.0.5/16'}, 'forwardingRules': [{'protocol': "
		"'TCP', 'destinationPort': {'port': 8080}, 'translatedAddress': 'ZEAABQ==', "
		"'translatedPort': {'port': 80}}]");
	assert_null(json_object_get(policy, "nat"));
	assert_true(is_noted("forwarding rules are left out: 1;"));
	check_and_free();
}

/* ---- routes to domains ---- */

#define RESOLVING                                                                                  \
	"'peerConfig': {'address': '100.64.0.5/16', 'RoutingPeerDnsResolutionEnabled': %s}"
#define TO_DOMAIN                                                                                  \
	"'routesFirewallRules': [{'PolicyID': 'YWI=', 'sourceRanges': ['100.64.0.2/32'], "         \
	"'isDynamic': true, 'domains': ['a.example'], 'destination': '192.0.2.0/32', 'protocol': " \
	"'ALL'}, {'PolicyID': 'YWI=', 'sourceRanges': ['fd00::2/128'], 'isDynamic': true, "        \
	"'RouteID': 'r', 'protocol': 'ALL'}]"

static void import_domains(bool resolves, const struct netbird_options *options)
{
	char fields[2048];

	snprintf(fields, sizeof(fields), RESOLVING "," TO_DOMAIN, resolves ? "true" : "false");
	import_with(fields, options);
}

static void test_the_dns_forwarder_is_open_where_a_peer_resolves_domains(void **state)
{
	static const char rules[] =
		"[{'id':'nb/dns-forwarder/in/tcp/5353','action':'allow','source':['any'],"
		"'protocol':'tcp','destination_ports':[5353]},"
		"{'id':'nb/dns-forwarder/in/tcp/22054','action':'allow','source':['any'],"
		"'protocol':'tcp','destination_ports':[22054]},"
		"{'id':'nb/dns-forwarder/in/udp/5353','action':'allow','source':['any'],"
		"'protocol':'udp','destination_ports':[5353]},"
		"{'id':'nb/dns-forwarder/in/udp/22054','action':'allow','source':['any'],"
		"'protocol':'udp','destination_ports':[22054]}]";

	(void)state;
	import_domains(true, &known);
	expect_part("resolves", "peer_acl", rules);
	expect_part("resolves", "nat",
		    "{'port':[{'protocol':'tcp','port':5353,'to':22054,'address':'100.64.0.5'},"
		    "{'protocol':'udp','port':5353,'to':22054,'address':'100.64.0.5'}]}");
	check_and_free();
	import_domains(false, &known);
	expect_part("does not", "peer_acl", "[]");
	expect_part("does not", "nat", "none");
	check_and_free();
	/* a route is enough */
	import_fields("'peerConfig': {'RoutingPeerDnsResolutionEnabled': true}, 'remotePeers': "
		      "[{'wgPubKey': 'k'}], 'Routes': [{'Peer': 'me', 'Domains': ['a.example']}]");
	expect_part("route", "peer_acl", rules);
	check_and_free();
	import_fields("'peerConfig': {'RoutingPeerDnsResolutionEnabled': true}, 'remotePeers': "
		      "[{'wgPubKey': 'k'}], 'Routes': [{'Peer': 'k', 'Domains': ['a.example']}]");
	expect_part("route of another", "peer_acl", "[]");
	check_and_free();
}

static void test_domains_that_are_not_resolved_are_any_address_only_if_asked(void **state)
{
	struct netbird_options any = known;

	(void)state;
	any.dynamic_any = true;
	import_domains(false, &known);
	expect_part("not asked", "sets", "{'nb-b8e74533':[],'dynamic-r':[]}");
	assert_true(is_noted("does not resolve: 2;"));
	assert_true(is_noted("--dynamic any"));
	check_and_free();
	import_domains(false, &any);
	expect_part("asked", "sets", "none");
	expect_part("asked", "route_acl",
		    "[{'id':'nb/ab/rt/any/all','action':'allow','source':['100.64.0.2','fd00::2'],"
		    "'destination':['any'],'protocol':'all'}]");
	check_and_free();
	/* what NetBird resolves is no more than that */
	import_domains(true, &any);
	expect_part("resolved", "sets", "{'nb-b8e74533':[]}");
	assert_string_equal("a.example", json_string_value(json_array_get(
						 json_object_get(import.sets, "nb-b8e74533"), 0)));
	check_and_free();
}

/* ---- what the map does not say ---- */

static void test_block_settings_are_asked_for_or_honoured(void **state)
{
	static const char rules[] = "'FirewallRules': [" SSH(
		"100.64.0.2") "], 'routesFirewallRules': [" ROUTED("100.64.0.2/32",
								   "10.0.0.0/8") "]";
	struct netbird_options options = {.json = true};
	struct prefix lan = {};

	(void)state;
	assert_int_equal(prefix_parse("192.168.1.0/24", &lan, &error), 0);
	import_with(rules, &options);
	assert_true(is_noted("--block-inbound or --block-lan-access"));
	check_and_free();

	options = known;
	options.block_inbound = NETBIRD_ON;
	import_with(rules, &options);
	expect_part("blocks", "peer_acl", "[]");
	expect_part("blocks", "route_acl", "[]");
	check_and_free();

	options = known;
	options.block_lan_access = NETBIRD_ON;
	options.lan = &lan;
	options.n_lan = 1;
	import_with(rules, &options);
	expect_part("blocks the LAN", "route_acl",
		    "[{'id':'nb/block-lan-access/rt/drop/192.168.1.0/24/all','action':'deny',"
		    "'source':['any'],'destination':['192.168.1.0/24'],'protocol':'all'},"
		    "{'id':'nb/p/rt/10.0.0.0/8/tcp/443','action':'allow','source':['100.64.0.2'],"
		    "'destination':['10.0.0.0/8'],'protocol':'tcp','destination_ports':[443]}]");
	check_and_free();
}

static void test_routes_are_read_for_what_a_policy_cannot_say(void **state)
{
	(void)state;
	import_fields("'remotePeers': [{'wgPubKey': 'k'}], 'Routes': [{'Peer': 'me', 'NetID': "
		      "'lan', 'Masquerade': true}, {'Peer': 'me', 'NetID': 'plain', 'Masquerade': "
		      "false}, {'Peer': 'k', 'NetID': 'theirs', 'Masquerade': false}]");
	assert_true(is_noted("without masquerade: 1 (plain);"));
	assert_false(is_noted("routes nothing"));
	check_and_free();
	import_fields("'remotePeers': [{'wgPubKey': 'k'}], 'Routes': [{'Peer': 'k'}]");
	assert_true(is_noted("this peer routes nothing"));
	check_and_free();
	import_fields("'remotePeers': [{'wgPubKey': 'k'}]");
	assert_int_equal(json_array_size(import.notes), 0);
	check_and_free();
}

static void test_a_rule_that_is_left_out_has_one_note_and_leaves_no_set(void **state)
{
	(void)state;
	import_fields("'routesFirewallRules': [{'PolicyID': 'YWI=', 'sourceRanges': ['x', 'y'], "
		      "'isDynamic': true, 'domains': ['a.example'], 'action': 'MAYBE', 'protocol': "
		      "'NONE', 'portInfo': {'port': 70000}}]");
	assert_int_equal(json_array_size(import.notes), 1);
	expect_part("left out", "sets", "none");
	check_and_free();
}

/* ---- names ---- */

static void test_peers_are_named_by_their_first_label_or_whole(void **state)
{
	static const char peers[] =
		"'peerConfig': {'fqdn': 'Router.netbird.cloud', 'address': '100.64.0.1/16', "
		"'address_v6': '/WQAAAAAAAAAAAAAAAAAAUA='}, 'remotePeers': ["
		"{'fqdn': 'anna.netbird.cloud', 'allowedIps': ['100.64.0.2/32', 'fd64::2/128', "
		"'10.0.0.0/8']},"
		"{'fqdn': 'db.a.example', 'allowedIps': ['100.64.0.3/32']},"
		"{'fqdn': 'db.b.example', 'allowedIps': ['100.64.0.4/32']},"
		"{'fqdn': 'any.a.example', 'allowedIps': ['100.64.0.5/32']},"
		"{'fqdn': '10.a.example', 'allowedIps': ['100.64.0.6/32']},"
		"{'fqdn': 'self', 'allowedIps': ['100.64.0.7/32']},"
		"{'fqdn': 'b\\u00e4r.a.example', 'allowedIps': ['100.64.0.8/32']},"
		"{'fqdn': '', 'allowedIps': ['100.64.0.9/32']}],"
		"'offlinePeers': [{'fqdn': 'anna.netbird.cloud', 'allowedIps': ['100.64.0.2/32']}]";

	(void)state;
	import_fields(peers);
	expect_part(peers, "names",
		    "{'10.a.example':['100.64.0.6'],'anna':['100.64.0.2','fd64::2'],"
		    "'any.a.example':['100.64.0.5'],'db.a.example':['100.64.0.3'],"
		    "'db.b.example':['100.64.0.4'],'router':['100.64.0.1','fd64::1']}");
	check_and_free();
	check_yaml(peers);
}

static void test_a_map_without_peer_rules_allows_nothing_and_says_so(void **state)
{
	(void)state;
	assert_int_equal(import_text("{\"NetworkMap\": {\"FirewallRules\": []}}", &known), 0);
	policy = json_loads(import.text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(policy, "peer_acl")), 0);
	assert_true(is_noted("allows everything"));
	assert_true(is_noted("routes everything"));
	check_and_free();
	import_fields("'FirewallRules': []");
	assert_int_equal(json_array_size(import.notes), 0);
	check_and_free();
}

static void test_what_is_no_map_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} rows[] = {
		{"{}", "no NetworkMap"},
		{"[]", "no NetworkMap"},
		{"{\"NetworkMap\": null}", "no NetworkMap"},
		{"{\"NetworkMap\": 7}", "no NetworkMap"},
		{"{\"NetworkMap\": null, \"NetworkMapEnvelope\": {\"full\": {}}}", "components"},
		{"{\"NetworkMap\": {\"FirewallRules\": {}}}", "FirewallRules is not a list"},
		{"{\"NetworkMap\": {\"FirewallRules\": [{}, 7]}}",
		 "FirewallRules[1] is not an object"},
		{"{\"NetworkMap\": {\"forwardingRules\": [[]]}}", "not an object"},
		{"{\"NetworkMap\": {}, \"NetworkMapEnvelope\": {\"full\": {}}}", "components"},
		{"", "map:1:1: "},
		{"{\n \"a\": 1,\n \"a\": 2}", "map:3:2: duplicate object key"},
		{"{\"NetworkMap\": {\"FirewallRules\": [{\"a\": 1, \"a\": 2}]}}", "duplicate"},
		{"{\"NetworkMap\": {\"FirewallRules\": [{}", "map:1:37: "},
		{"{\"NetworkMap\": {\"FirewallRules\": [{},]}}", "map:1:39: "},
		{"{\"NetworkMap\": {\"FirewallRules\": [],}}", "a key in quotes"},
		{"{\"NetworkMap\" {}}", "':' is expected"},
		{"{\"NetworkMap\": {}} {}", "map:1:20: nothing more is expected"},
		{"{\"NetworkMap\": {", "a key in quotes"},
		{"{\"NetworkMap\": {}", "',' or '}' is expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(import_text(rows[i].text, &known), -EINVAL);
		assert_true(error.invalid_input);
		if (strncmp(error.text, "map:", 4) || !strstr(error.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, error.text);
	}
}

/* ---- size ---- */

#define MANY 100000

/* A map of so many rules, each with a policy of its own, as bundles are indented. */
static char *large_map(size_t *len)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, len);

	fputs("{\n \"NetworkMap\": {\n  \"FirewallRules\": [", file);
	for (int i = 0; i < MANY; i++)
		fprintf(file,
			"%s\n   {\n    \"PeerIP\": \"100.64.%d.%d\",\n    \"Direction\": \"IN\",\n"
			"    \"Action\": \"ACCEPT\",\n    \"Protocol\": \"TCP\",\n"
			"    \"Port\": \"22\",\n    \"PortInfo\": {\n     \"port\": 22\n    },\n"
			"    \"PolicyID\": \"cq%018d\",\n    \"customProtocol\": 0,\n"
			"    \"sourcePrefixes\": [\n     \"ZEAAAiA=\"\n    ]\n   }",
			i ? "," : "", i >> 8 & 255, i & 255, i);
	fputs("\n  ]\n }\n}\n", file);
	fclose(file);
	return text;
}

static void test_a_hundred_thousand_rules_take_two_seconds_and_200_mb(void **state)
{
	size_t len;
	char *text = large_map(&len);
	clock_t before = clock();
	struct rusage usage;

	(void)state;
	(void)before;
	(void)usage;
	assert_int_equal(
		netbird_import(&(struct netbird_map){"map", text, len}, &known, &import, &error),
		0);
#ifndef __SANITIZE_ADDRESS__ /* which makes everything slow and large */
	assert_true((clock() - before) / CLOCKS_PER_SEC < 2);
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_in_range(usage.ru_maxrss, 0, 200 * 1024);
#endif
	assert_non_null(strstr(import.text, "\"nb/cq000000000000099999/in/tcp/22\""));
	netbird_import_free(&import);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwarding_is_left_out_as_it_is_not_for_what_peers_send),
		cmocka_unit_test(test_the_dns_forwarder_is_open_where_a_peer_resolves_domains),
		cmocka_unit_test(test_domains_that_are_not_resolved_are_any_address_only_if_asked),
		cmocka_unit_test(test_block_settings_are_asked_for_or_honoured),
		cmocka_unit_test(test_routes_are_read_for_what_a_policy_cannot_say),
		cmocka_unit_test(test_a_rule_that_is_left_out_has_one_note_and_leaves_no_set),
		cmocka_unit_test(test_peers_are_named_by_their_first_label_or_whole),
		cmocka_unit_test(test_a_map_without_peer_rules_allows_nothing_and_says_so),
		cmocka_unit_test(test_what_is_no_map_is_refused),
		cmocka_unit_test(test_a_hundred_thousand_rules_take_two_seconds_and_200_mb),
	};

	return cmocka_run_group_tests_name("netbird map", tests, NULL, NULL);
}
