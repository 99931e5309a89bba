/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules made of packets match these, and no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/icmp_type.h"
#include "policy/rule_json.h"
#include "trace/suggest.h"

#define PORTS	     6
#define SOURCES	     7
#define DESTINATIONS 3
#define KINDS	     (2 * 2 * 2 * PORTS * SOURCES * DESTINATIONS)

static const uint8_t protocols[2][2] = {{IPPROTO_TCP, IPPROTO_ICMP}, {IPPROTO_TCP, IPPROTO_ICMPV6}};

static union addr address(uint8_t ip_version, unsigned int n)
{
	union addr addr = {.word = {0, 0, htonl(0xffff), htonl(0x64400000 + n)}};

	if (ip_version == IP_VERSION_6)
		addr = (union addr){.word = {htonl(0xfd640000), 0, 0, htonl(n)}};
	return addr;
}

/* Each number below KINDS is another packet. */
static struct suggest_packet packet_number(unsigned int n)
{
	unsigned int ipv6 = n / 2 % 2, protocol = n / 4 % 2;
	struct suggest_packet packet = {
		.packets = 1 + n % 5,
		.first_ns = 1000 + n,
		.last_ns = 2000 + n,
		.acl = n % 2,
		.ip_version = ipv6 ? IP_VERSION_6 : IP_VERSION_4,
		.l4_proto = protocols[ipv6][protocol],
	};

	n /= 8;
	packet.port = 80 + n % PORTS;
	packet.source = address(packet.ip_version, 3 + n / PORTS % SOURCES);
	packet.destination = address(packet.ip_version, 0x100 + n / PORTS / SOURCES);
	return packet;
}

static bool matches_address(const struct address_match *match, const union addr *addr,
			    uint8_t ip_version)
{
	for (size_t i = 0; i < match->n_prefixes; i++)
		if (prefix_contains_addr(&match->prefixes[i], addr, ip_version))
			return true;
	return false;
}

static bool matches_port(const struct policy_rule *rule, const struct suggest_packet *packet)
{
	struct port_range codes;

	for (size_t i = 0; i < rule->n_destination_ports; i++)
		if (packet->port >= rule->destination_ports[i].first &&
		    packet->port <= rule->destination_ports[i].last)
			return true;
	for (size_t i = 0; i < rule->n_icmp_types; i++)
		if (icmp_type_range(&rule->icmp_types[i], packet->ip_version, &codes) &&
		    packet->port >= codes.first && packet->port <= codes.last)
			return true;
	return false;
}

/* How many rules match a packet. */
static size_t matching(const struct suggestions *suggestions, const struct suggest_packet *packet)
{
	size_t n = 0;

	for (size_t i = 0; i < suggestions->n; i++) {
		const struct policy_rule *rule = &suggestions->list[i].rule;
		uint16_t protocol = packet->l4_proto == IPPROTO_TCP ? IPPROTO_TCP : PROTOCOL_ICMP;

		n += suggestions->list[i].acl == packet->acl && rule->protocol == protocol &&
		     matches_address(&rule->source, &packet->source, packet->ip_version) &&
		     matches_address(&rule->destination, &packet->destination,
				     packet->ip_version) &&
		     matches_port(rule, packet);
	}
	return n;
}

static void suggest(const struct suggest_packet *packets, size_t n, struct suggestions *suggestions)
{
	struct error error;

	if (suggest_rules(packets, n, suggestions, &error))
		fail_msg("%s", error.text);
}

static void rules_match_their_packets_once_and_no_others(void **state)
{
	static struct suggest_packet packets[2 * KINDS];

	(void)state;
	srand(22);
	for (int round = 0; round < 60; round++) {
		uint64_t given = 0, counted = 0;
		struct suggestions suggestions;
		bool is_in[KINDS] = {};
		size_t n = 0, kinds = 0;

		for (unsigned int i = 0; i < KINDS; i++)
			is_in[i] = rand() % 60 < round;
		for (unsigned int i = 0; i < KINDS; i++)
			for (int k = 0; is_in[i] && k <= rand() % 2; k++)
				packets[n++] = packet_number(i);
		for (size_t i = 0; i < n; i++)
			given += packets[i].packets;
		suggest(packets, n, &suggestions);
		for (unsigned int i = 0; i < KINDS; i++) {
			struct suggest_packet packet = packet_number(i);

			assert_int_equal(matching(&suggestions, &packet), is_in[i]);
		}
		for (size_t i = 0; i < suggestions.n; i++) {
			counted += suggestions.list[i].packets;
			kinds += suggestions.list[i].kinds;
		}
		assert_int_equal(counted, given);
		assert_int_equal(kinds, n);
		suggestions_free(&suggestions);
	}
}

/* Whether the rules for some packets are as expected, as JSON. */
static void assert_rules(const struct suggest_packet *packets, size_t n, const char *expected)
{
	const struct policy policy = {.n_sets = 0};
	struct suggestions suggestions;
	json_t *list = json_array();
	char *text;

	suggest(packets, n, &suggestions);
	for (size_t i = 0; i < suggestions.n; i++) {
		struct policy_rule rule = suggestions.list[i].rule;

		rule.id = (char[]){'x', 0};
		json_array_append_new(list,
				      policy_rule_json(&policy, &rule, suggestions.list[i].acl));
	}
	text = json_dumps(list, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(list);
	suggestions_free(&suggestions);
}

static void neighbours_become_prefixes_and_ranges(void **state)
{
	struct suggest_packet packets[24];
	size_t n = 0;

	(void)state;
	for (unsigned int source = 0; source < 6; source++)
		for (unsigned int port = 0; port < 4; port++)
			packets[n++] = (struct suggest_packet){
				.packets = 1,
				.source = address(IP_VERSION_4, 8 + source),
				.destination = address(IP_VERSION_4, 1),
				.port = port < 3 ? 8000 + port : 22,
				.ip_version = IP_VERSION_4,
				.l4_proto = IPPROTO_TCP,
				.acl = ACL_ROUTE,
			};
	assert_rules(packets, n,
		     "[{\"id\":\"x\",\"action\":\"allow\",\"source\":[\"100.64.0.8/30\","
		     "\"100.64.0.12/31\"],\"destination\":[\"100.64.0.1\"],\"protocol\":\"tcp\","
		     "\"destination_ports\":[22,\"8000-8002\"]}]");
}

static void groups_stand_for_their_addresses(void **state)
{
	struct suggest_packet packets[2];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		packets[i] = (struct suggest_packet){
			.packets = 1,
			.source = address(IP_VERSION_4, 2),
			.destination = {.word = {0, 0, htonl(0xffff), htonl(0xe0000001 + i)}},
			.ip_version = IP_VERSION_4,
			.l4_proto = 2,
			.acl = ACL_PEER,
			.group = GROUP_MULTICAST,
		};
	assert_rules(packets, 2,
		     "[{\"id\":\"x\",\"action\":\"allow\",\"source\":[\"100.64.0.2\"],"
		     "\"destination\":[\"multicast\"],\"protocol\":2}]");
}

static void the_rule_for_most_packets_comes_first(void **state)
{
	struct suggest_packet packets[2];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		packets[i] = (struct suggest_packet){
			.packets = 3 + i,
			.source = address(IP_VERSION_6, 2 + i),
			.destination = address(IP_VERSION_6, 1),
			.ip_version = IP_VERSION_6,
			.l4_proto = i ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			.port = 128 << 8,
		};
	packets[0].port = 0; /* ICMP of the other family is a protocol without types */
	assert_rules(packets, 2,
		     "[{\"id\":\"x\",\"action\":\"allow\",\"source\":[\"fd64::3\"],"
		     "\"destination\":[\"fd64::1\"],\"protocol\":\"icmp\","
		     "\"icmp_types\":[\"128/0\"]},"
		     "{\"id\":\"x\",\"action\":\"allow\",\"source\":[\"fd64::2\"],"
		     "\"destination\":[\"fd64::1\"],\"protocol\":1}]");
}

static void of_nothing_no_rule_is_made(void **state)
{
	(void)state;
	assert_rules(NULL, 0, "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_match_their_packets_once_and_no_others),
		cmocka_unit_test(neighbours_become_prefixes_and_ranges),
		cmocka_unit_test(groups_stand_for_their_addresses),
		cmocka_unit_test(the_rule_for_most_packets_comes_first),
		cmocka_unit_test(of_nothing_no_rule_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
