/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* NetBird's network maps made into policies. */
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

#include "netbird/import.h"
#include "netbird/proto.h"
#include "policy/parse.h"
#include "policy/policy.h"

static struct netbird_import import;
static struct error error;

/* The map is written with ' for ". */
static json_t *read_map(const char *fields)
{
	char text[4096];
	json_t *root;

	snprintf(text, sizeof(text), "{'NetworkMap': {'firewallRulesIsEmpty': true, %s}}", fields);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	return root;
}

static void import_fields(const char *fields)
{
	json_t *root = read_map(fields);

	assert_int_equal(netbird_import(root, &import, &error), 0);
	json_decref(root);
}

/* What is made has to be a policy in both forms, whatever it was made from. */
static void check_and_free(void)
{
	struct policy *policy;
	char *text;
	size_t len;

	assert_int_equal(netbird_write(&import, &text, &len, &error), 0);
	if (policy_parse("yaml", text, len, &policy, &error))
		fail_msg("%s\n%s", error.text, text);
	policy_free(policy);
	free(text);
	text = json_dumps(import.policy, 0);
	if (policy_parse("json", text, strlen(text), &policy, &error))
		fail_msg("%s\n%s", error.text, text);
	policy_free(policy);
	free(text);
	netbird_import_free(&import);
}

static bool is_noted(const char *words)
{
	const json_t *note;
	size_t i;

	json_array_foreach (import.notes, i, note)
		if (strstr(json_string_value(note), words))
			return true;
	return false;
}

/* @rules: the list's rules as compact JSON with ' for "; @note: NULL: nothing is noted */
struct row {
	const char *fields;
	const char *rules;
	const char *note;
};

static void run_rows(const char *list, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text;

		import_fields(rows[i].fields);
		text = json_dumps(json_object_get(import.policy, list), JSON_COMPACT);
		for (char *c = text; *c; c++)
			*c = *c == '"' ? '\'' : *c;
		if (strcmp(text, rows[i].rules))
			fail_msg("%s:\nexpected %s\ngot      %s", rows[i].fields, rows[i].rules,
				 text);
		if (rows[i].note ? !is_noted(rows[i].note) : json_array_size(import.notes) > 0)
			fail_msg("%s: noted %s", rows[i].fields,
				 json_dumps(import.notes, JSON_COMPACT));
		free(text);
		check_and_free();
	}
}

#define PEER(fields) "'FirewallRules': [{'PolicyID': 'YWI=', " fields "}]"
#define TCP_22	     "'Protocol': 'TCP', 'PortInfo': {'port': 22}"

static const struct row peer_rules[] = {
	{PEER("'PeerIP': '100.64.0.2', " TCP_22),
	 "[{'id':'ab-1','action':'allow','source':['100.64.0.2'],'protocol':'tcp',"
	 "'destination_ports':[22]}]",
	 NULL},
	{PEER("'peer_ip': '100.64.0.2', 'protocol': 3, 'action': 1, 'direction': 0"),
	 "[{'id':'ab-1','action':'deny','source':['100.64.0.2'],'protocol':'udp'}]", NULL},
	{PEER("'PeerIP': '0.0.0.0', 'Protocol': 'ALL'"),
	 "[{'id':'ab-1','action':'allow','source':['any'],'protocol':'all'}]", NULL},
	{PEER("'PeerIP': '::', 'Protocol': 'ICMP', 'PortInfo': {'port': 7}"),
	 "[{'id':'ab-1','action':'allow','source':['any'],'protocol':'icmp'}]", NULL},
	{PEER("'sourcePrefixes': ['ZEAAACA=', 'ZEABABg=', 'AAAAACA='], 'PeerIP': "
	      "'1.2.3.4', " TCP_22),
	 "[{'id':'ab-1','action':'allow','source':['any'],'protocol':'tcp',"
	 "'destination_ports':[22]}]",
	 NULL},
	{PEER("'sourcePrefixes': ['ZEAAAiA=', 'ZEABBRg=', '/QAAAAAAAAAAAAAAAAAACYA='], "
	      "'Protocol': 'TCP', 'PortInfo': {'range': {'start': 80, 'end': 90}}"),
	 "[{'id':'ab-1','action':'allow','source':['100.64.0.2','100.64.1.0/24',"
	 "'fd00::9'],'protocol':'tcp','destination_ports':['80-90']}]",
	 NULL},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'Port': '8080'"),
	 "[{'id':'ab-1','action':'allow','source':['100.64.0.2'],'protocol':'tcp',"
	 "'destination_ports':[8080]}]",
	 NULL},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'CUSTOM', 'customProtocol': 132"),
	 "[{'id':'ab-1','action':'allow','source':['100.64.0.2'],'protocol':132}]", NULL},
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
	 "[]", "without ports"},
	{PEER("'PeerIP': '100.64.0.2', 'Protocol': 'ALL', 'PortInfo': {'port': 22}"),
	 "[{'id':'ab-1','action':'allow','source':['100.64.0.2'],'protocol':'all',"
	 "'destination_ports':[22]}]",
	 "here they hold"},
	/* nor is anything denied less */
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'UNKNOWN'"),
	 "[{'id':'ab-1','action':'deny','source':['100.64.0.2'],'protocol':'all'}]", "denies more"},
	{PEER("'PeerIP': 'x', 'Action': 'DROP', 'Protocol': 'TCP', 'PortInfo': {'port': "
	      "70000}"),
	 "[{'id':'ab-1','action':'deny','source':['any'],'protocol':'tcp'}]", "denies more"},
	{PEER("'PeerIP': '100.64.0.2', 'Action': 'DROP', 'Protocol': 'ALL', 'PortInfo': "
	      "{'port': 22}"),
	 "[{'id':'ab-1','action':'deny','source':['100.64.0.2'],'protocol':'all'}]", NULL},
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
		 "[{'id':'ab-1','action':'allow','source':['100.64.0.0/24','100.64.1.1'],"
		 "'destination':['10.0.0.0/8'],'protocol':'tcp','destination_ports':[443]}]",
		 NULL},
		{ROUTE("'sourceRanges': ['0.0.0.0/0'], 'destination': '0.0.0.0/0', 'protocol': "
		       "'ALL', 'action': 'DROP'"),
		 "[{'id':'ab-1','action':'deny','source':['0.0.0.0/0'],'destination':"
		 "['0.0.0.0/0'],'protocol':'all'}]",
		 NULL},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'isDynamic': true, 'destination': "
		       "'192.0.2.0/32', 'domains': ['a.example', '*.b.example', "
		       "'a.example'], " HTTPS),
		 "[{'id':'ab-1','action':'allow','source':['100.64.1.1'],'destination':"
		 "['set:*.b.example','set:a.example'],'protocol':'tcp','destination_ports':"
		 "[443]}]",
		 "set a.example is empty"},
		{ROUTE("'sourceRanges': ['100.64.1.1/32'], 'isDynamic': true, 'RouteID': "
		       "'r 1', " HTTPS),
		 "[{'id':'ab-1','action':'allow','source':['100.64.1.1'],'destination':"
		 "['set:dynamic-r_1'],'protocol':'tcp','destination_ports':[443]}]",
		 "set dynamic-r_1 is empty"},
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
		 "[{'id':'ab-1','action':'deny','source':['100.64.1.1'],'destination':['any'],"
		 "'protocol':'tcp'}]",
		 "denies more"},
	};

	(void)state;
	run_rows("route_acl", rows, sizeof(rows) / sizeof(*rows));
}

static void test_ids_are_unique_and_do_not_depend_on_the_order_of_the_map(void **state)
{
	static const char *const orders[] = {
		"'FirewallRules': ["
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'Port': '22'},"
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.3', 'Protocol': 'TCP', 'Port': '22'},"
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.2', 'Protocol': 'UDP', 'Port': '53'},"
		"{'PolicyID': 'cC0x', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'},"
		"{'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'}],"
		"'routesFirewallRules': [{'PolicyID': 'cA==', 'sourceRanges': ['100.64.0.2/32'], "
		"'destination': '10.0.0.0/8', 'protocol': 'ALL'}]",
		"'FirewallRules': ["
		"{'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'},"
		"{'PolicyID': 'cC0x', 'PeerIP': '100.64.0.2', 'Protocol': 'ICMP'},"
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.2', 'Protocol': 'UDP', 'Port': '53'},"
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.3', 'Protocol': 'TCP', 'Port': '22'},"
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.3', 'Protocol': 'TCP', 'Port': '22'},"
		"{'PolicyID': 'cA==', 'PeerIP': '100.64.0.2', 'Protocol': 'TCP', 'Port': '22'}],"
		"'routesFirewallRules': [{'PolicyID': 'cA==', 'sourceRanges': ['100.64.0.2/32'], "
		"'destination': '10.0.0.0/8', 'protocol': 'ALL'}]",
	};
	char *texts[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		import_fields(orders[i]);
		texts[i] = json_dumps(import.policy, JSON_COMPACT);
		assert_int_equal(json_array_size(json_object_get(import.policy, "peer_acl")), 4);
		check_and_free();
	}
	assert_string_equal(texts[0], texts[1]);
	assert_non_null(strstr(texts[0], "\"p-3\""));
	assert_non_null(strstr(texts[0], "\"p-1-1\""));
	assert_non_null(strstr(texts[0], "\"peer-1\""));
	free(texts[0]);
	free(texts[1]);
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
	assert_int_equal(json_array_size(json_object_get(import.policy, "peer_acl")), 3);
	check_and_free();
}

static void test_forwarding_to_this_host_translates_ports(void **state)
{
	static const char own[] = "'peerConfig': {'address': '100.64.0.5/16', 'address_v6': "
				  "'/QAAAAAAAAAAAAAAAAAABUA='}, 'forwardingRules': [{%s}]";
	static const struct {
		const char *rule;
		const char *nat; /* NULL: none, and noted as: */
		const char *note;
	} rows[] = {
		{"'protocol': 'TCP', 'destinationPort': {'port': 8080}, 'translatedAddress': "
		 "'ZEAABQ==', 'translatedPort': {'port': 80}",
		 "{'port':[{'protocol':'tcp','port':8080,'to':80}]}", NULL},
		{"'protocol': 'ALL', 'destinationPort': {'range': {'start': 5, 'end': 6}}, "
		 "'translatedAddress': '/QAAAAAAAAAAAAAAAAAABQ==', 'translatedPort': {'range': "
		 "{'start': 7, 'end': 8}}",
		 "{'port':[{'protocol':'tcp','port':5,'to':7},{'protocol':'tcp','port':6,'to':8},"
		 "{'protocol':'udp','port':5,'to':7},{'protocol':'udp','port':6,'to':8}]}",
		 NULL},
		{"'protocol': 'TCP', 'destinationPort': {'port': 8080}, 'translatedAddress': "
		 "'ZEAABg==', 'translatedPort': {'port': 80}",
		 NULL, "another host"},
		{"'protocol': 'TCP', 'destinationPort': {'port': 8080}, 'translatedAddress': "
		 "'ZEAABQ==', 'translatedPort': {'range': {'start': 1, 'end': 9}}",
		 NULL, "differ in length"},
		{"'protocol': 'ICMP', 'translatedAddress': 'ZEAABQ=='", NULL, "neither TCP"},
		{"'protocol': 'TCP', 'destinationPort': {'port': 8080}, 'translatedAddress': "
		 "'ZEAAB', 'translatedPort': {'port': 80}",
		 NULL, "no address"},
		{"'protocol': 'TCP', 'destinationPort': {'range': {'start': 1, 'end': 9}}, "
		 "'translatedAddress': 'ZEAABQ==', 'translatedPort': {'range': {'start': 1, 'end': "
		 "9}}",
		 NULL, "stay as they are"},
		{"'protocol': 'TCP', 'destinationPort': {'range': {'start': 1, 'end': 65534}}, "
		 "'translatedAddress': 'ZEAABQ==', 'translatedPort': {'range': {'start': 2, 'end': "
		 "65535}}",
		 NULL, "more than 1024"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *nat;
		char fields[1024], *text;

		snprintf(fields, sizeof(fields), own, rows[i].rule);
		import_fields(fields);
		nat = json_object_get(import.policy, "nat");
		assert_int_equal(!nat, !rows[i].nat);
		if (nat) {
			text = json_dumps(nat, JSON_COMPACT);
			for (char *c = text; *c; c++)
				*c = *c == '"' ? '\'' : *c;
			assert_string_equal(text, rows[i].nat);
			free(text);
		}
		assert_true(!rows[i].note || is_noted(rows[i].note));
		check_and_free();
	}
}

static void test_a_map_without_peer_rules_allows_nothing_and_says_so(void **state)
{
	json_t *root = json_pack("{s:{s:[]}}", "NetworkMap", "FirewallRules");

	(void)state;
	assert_int_equal(netbird_import(root, &import, &error), 0);
	json_decref(root);
	assert_int_equal(json_array_size(json_object_get(import.policy, "peer_acl")), 0);
	assert_true(is_noted("allows everything"));
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
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *root = json_loads(rows[i].text, 0, NULL);

		assert_int_equal(netbird_import(root, &import, &error), -EINVAL);
		assert_true(error.invalid_input);
		if (!strstr(error.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, error.text);
		json_decref(root);
	}
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
		cmocka_unit_test(test_ids_are_unique_and_do_not_depend_on_the_order_of_the_map),
		cmocka_unit_test(test_ids_and_sets_of_any_text_are_usable),
		cmocka_unit_test(test_forwarding_to_this_host_translates_ports),
		cmocka_unit_test(test_a_map_without_peer_rules_allows_nothing_and_says_so),
		cmocka_unit_test(test_what_is_no_map_is_refused),
		cmocka_unit_test(test_bytes_are_base64),
	};

	return cmocka_run_group_tests_name("netbird", tests, NULL, NULL);
}
