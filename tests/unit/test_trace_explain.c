/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why no rule allowed a packet: which rules are near, and in what each fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "local.h"
#include "policy/parse.h"
#include "reason.h"
#include "trace/explain.h"

static const char text[] =
	"version: 1\n"
	"peer_acl:\n"
	"  - {id: ssh, action: allow, source: [100.64.0.0/16], protocol: tcp,\n"
	"     destination_ports: [22, 8000-8999]}\n"
	"  - {id: odd, action: allow, source: [100.64.0.2], protocol: tcp, source_ports: [1024],\n"
	"     destination_ports: [22]}\n"
	"  - {id: dns, action: allow, source: ['set:friends'], protocol: udp,\n"
	"     destination_ports: [53]}\n"
	"  - {id: far, action: allow, source: [10.0.0.1], protocol: 47}\n"
	"  - {id: no, action: deny, source: [100.64.0.9], protocol: all}\n"
	"  - {id: mdns, action: allow, source: ['fc00::/7'], destination: [multicast], protocol: "
	"udp}\n"
	"  - {id: echo, action: allow, source: [100.64.0.5], protocol: icmp,\n"
	"     icmp_types: [echo-request, 3/4], description: to see whether it is there}\n"
	"route_acl:\n"
	"  - {id: ping, action: allow, source: [any], destination: ['2001:db8::/32'],\n"
	"     protocol: icmp}\n"
	"  - {id: lan, action: allow, source: [100.64.0.2], destination: [192.168.77.0/24],\n"
	"     protocol: tcp, destination_ports: [80]}\n"
	"sets: {friends: ['fd64::/64']}\n";

static struct trace_event event_of(const char *src, const char *dst, uint8_t l4_proto,
				   uint16_t sport, uint16_t dport, enum reason reason)
{
	struct trace_event event = {
		.l4_proto = l4_proto,
		.sport = htons(sport),
		.nat_port = htons(dport),
		.verdict = VERDICT_DROP,
		.reason = reason,
	};
	struct error error;

	assert_int_equal(addr_parse(src, &event.nat_addr, &event.ip_version, &error), 0);
	assert_int_equal(addr_parse(dst, &event.daddr, &event.ip_version, &error), 0);
	event.saddr = event.nat_addr;
	return event;
}

static struct policy *parse(void)
{
	struct policy *policy;
	struct error error;

	if (policy_parse("test.yaml", text, sizeof(text) - 1, &policy, &error))
		fail_msg("%s", error.text);
	return policy;
}

static void expect(const struct trace_event *event, const char *rule_id, const char *want)
{
	struct policy *policy = parse();
	char *got = trace_explain_text(policy, event, rule_id);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
	policy_free(policy);
}

static void the_rule_with_fewest_mismatches_comes_first(void **state)
{
	struct trace_event event = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP, 40000, 23,
					    REASON_PEER_ACL_DEFAULT);

	(void)state;
	expect(&event, NULL,
	       "Nearest rules:\n"
	       "  ssh (line 3): destination port 23 is not 22, 8000-8999\n"
	       "  odd (line 5): source port 40000 is not 1024; destination port 23 is not 22\n"
	       "  far (line 9): protocol tcp is not 47; source 100.64.0.2 is not in 10.0.0.1\n");
}

static void a_rule_of_netbirds_stands_in_no_line(void **state)
{
	static const char joined[] = "version: 1\n"
				     "peer_acl: [{id: own, action: allow, protocol: 47}]\n"
				     "netbird:\n"
				     " {\"peer_acl\":[{\"id\":\"nb/a\",\"action\":\"allow\","
				     "\"protocol\":\"udp\"},\n"
				     " {\"id\":\"nb/d\",\"action\":\"deny\"}]}\n";
	struct trace_event event = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP, 40000, 23,
					    REASON_PEER_ACL_DEFAULT);
	struct policy *policy;
	struct error error;
	char *got;

	(void)state;
	assert_int_equal(policy_parse("p", joined, sizeof(joined) - 1, &policy, &error), 0);
	got = trace_explain_text(policy, &event, NULL);
	assert_string_equal(got, "Nearest rules:\n"
				 "  own (line 2): protocol tcp is not 47\n"
				 "  nb/a (NetBird's): protocol tcp is not udp\n");
	free(got);
	event.reason = REASON_PEER_ACL_DENIED;
	got = trace_explain_text(policy, &event, "nb/d");
	assert_string_equal(got, "Denied by rule nb/d (NetBird's).\n");
	free(got);
	policy_free(policy);
}

static void sets_and_families_are_named(void **state)
{
	struct trace_event event = event_of("fd65::2", "fd64::1", IPPROTO_UDP, 40000, 53,
					    REASON_PEER_ACL_DEFAULT);
	struct trace_event routed = event_of("fd64::2", "2001:db9::1", IPPROTO_ICMPV6, 1, 1,
					     REASON_ROUTE_ACL_DEFAULT);
	struct policy *policy = parse();
	json_t *list = trace_explain(policy, &event);
	const char *rule;

	(void)state;
	rule = json_string_value(json_object_get(json_array_get(list, 0), "rule"));
	assert_string_equal(rule, "dns");
	json_decref(list);
	policy_free(policy);
	expect(&routed, NULL,
	       "Nearest rules:\n"
	       "  ping (line 15): destination 2001:db9::1 is not in 2001:db8::/32\n"
	       "  lan (line 17): protocol icmp is not tcp; source fd64::2 is not in 100.64.0.2; "
	       "destination 2001:db9::1 is not in 192.168.77.0/24\n");
}

static void a_set_that_is_empty_and_the_one_that_has_the_address_are_named(void **state)
{
	static const char sets[] = "version: 1\n"
				   "sets: {ops: [], dev: [100.64.0.0/24], lan: [10.0.0.0/8]}\n"
				   "route_acl:\n"
				   "  - {id: a, action: allow, source: ['set:ops'],\n"
				   "     destination: ['set:lan', 11.0.0.1]}\n"
				   "  - {id: b, action: allow, source: [100.64.1.0/24],\n"
				   "     destination: [11.0.0.1]}\n";
	struct trace_event event = event_of("100.64.0.2", "11.0.0.1", IPPROTO_TCP, 40000, 23,
					    REASON_ROUTE_ACL_DEFAULT);
	struct policy *policy;
	struct error error;
	char *got;

	(void)state;
	assert_int_equal(policy_parse("p", sets, sizeof(sets) - 1, &policy, &error), 0);
	got = trace_explain_text(policy, &event, NULL);
	assert_string_equal(got,
			    "Nearest rules:\n"
			    "  a (line 4): source 100.64.0.2 is not in set:ops (empty), it is in "
			    "set:dev\n"
			    "  b (line 6): source 100.64.0.2 is not in 100.64.1.0/24\n");
	free(got);
	policy_free(policy);
}

static void what_is_to_a_group_is_explained(void **state)
{
	struct trace_event event = event_of("100.64.0.2", "100.64.255.255", IPPROTO_TCP, 40000, 22,
					    REASON_PEER_ACL_DEFAULT);
	struct trace_event multicast = event_of("100.64.0.3", "224.0.0.251", IPPROTO_UDP, 40000, 22,
						REASON_PEER_ACL_DEFAULT);

	(void)state;
	event.local_kind = LOCAL_BROADCAST;
	expect(&event, NULL,
	       "Nearest rules:\n"
	       "  ssh (line 3): destination 100.64.255.255 is broadcast, and a rule without "
	       "destination admits unicast only\n"
	       "  odd (line 5): destination 100.64.255.255 is broadcast, and a rule without "
	       "destination admits unicast only; source port 40000 is not 1024\n"
	       "  far (line 9): protocol tcp is not 47; source 100.64.0.2 is not in 10.0.0.1; "
	       "destination 100.64.255.255 is broadcast, and a rule without destination admits "
	       "unicast only\n");
	multicast.local_kind = LOCAL_MULTICAST;
	expect(&multicast, NULL,
	       "Nearest rules:\n"
	       "  mdns (line 11): source 100.64.0.3 is not in fc00::/7\n"
	       "  ssh (line 3): protocol udp is not tcp; destination 224.0.0.251 is multicast, and "
	       "a "
	       "rule without destination admits unicast only\n"
	       "  dns (line 7): source 100.64.0.3 is not in set:friends; destination 224.0.0.251 "
	       "is "
	       "multicast, and a rule without destination admits unicast only; destination port 22 "
	       "is "
	       "not 53\n");
}

static void a_rule_for_what_is_routed_does_not_allow_what_is_for_this_host(void **state)
{
	static const char want[] =
		"Rule lan of route_acl (line 17) would allow it, but 192.168.77.1 is an address of "
		"this host, and\nwhat goes to it is not routed: add a peer_acl rule.\n";
	struct trace_event event = event_of("100.64.0.2", "192.168.77.1", IPPROTO_TCP, 1, 80,
					    REASON_PEER_ACL_DEFAULT);
	struct policy *policy = parse();
	char *got = trace_explain_text(policy, &event, NULL);
	json_t *json = trace_explain_not_routed(policy, &event);

	(void)state;
	assert_non_null(strstr(got, want));
	assert_string_equal(json_string_value(json_object_get(json, "rule")), "lan");
	json_decref(json);
	free(got);
	event.nat_port = htons(81);
	got = trace_explain_text(policy, &event, NULL);
	assert_null(strstr(got, "route_acl"));
	assert_null(trace_explain_not_routed(policy, &event));
	free(got);
	policy_free(policy);
}

static void icmp_types_are_explained(void **state)
{
	struct trace_event event = event_of("100.64.0.5", "100.64.0.1", IPPROTO_ICMP, 0, 0,
					    REASON_PEER_ACL_DEFAULT);
	struct policy *policy = parse();
	char *text;

	(void)state;
	event.icmp_type = 13;
	text = trace_explain_text(policy, &event, NULL);
	assert_non_null(strstr(text, "  echo (line 12, to see whether it is there): ICMP type 13/0 "
				     "is not echo-request, 3/4\n"));
	free(text);
	policy_free(policy);
}

static void a_rule_that_denies_is_named(void **state)
{
	struct trace_event event = event_of("100.64.0.9", "100.64.0.1", IPPROTO_TCP, 1, 22,
					    REASON_PEER_ACL_DENIED);

	(void)state;
	expect(&event, "no", "Denied by rule no (line 10).\n");
}

static void what_the_rule_that_decided_is_for_is_told(void **state)
{
	struct trace_event event = event_of("100.64.0.5", "100.64.0.1", IPPROTO_ICMP, 0, 0,
					    REASON_PEER_ACL_ALLOWED);

	(void)state;
	expect(&event, "echo", "Decided by rule echo (line 12): to see whether it is there\n");
}

static void other_outcomes_need_no_explanation(void **state)
{
	struct trace_event event = event_of("100.64.0.9", "100.64.0.1", IPPROTO_TCP, 1, 22,
					    REASON_MARTIAN_SOURCE);
	struct policy *policy = parse();
	json_t *list = trace_explain(policy, &event);

	(void)state;
	expect(&event, NULL, "");
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rule_with_fewest_mismatches_comes_first),
		cmocka_unit_test(sets_and_families_are_named),
		cmocka_unit_test(a_set_that_is_empty_and_the_one_that_has_the_address_are_named),
		cmocka_unit_test(a_rule_of_netbirds_stands_in_no_line),
		cmocka_unit_test(what_is_to_a_group_is_explained),
		cmocka_unit_test(a_rule_for_what_is_routed_does_not_allow_what_is_for_this_host),
		cmocka_unit_test(icmp_types_are_explained),
		cmocka_unit_test(a_rule_that_denies_is_named),
		cmocka_unit_test(what_the_rule_that_decided_is_for_is_told),
		cmocka_unit_test(other_outcomes_need_no_explanation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
