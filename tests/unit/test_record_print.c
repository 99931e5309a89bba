/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trace records as users read them: the text and the JSON that the manual promises, byte by byte.
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

#include "base/output.h"
#include "flow.h"
#include "packet/build.h"
#include "policy/parse_names.h"
#include "reason.h"
#include "trace/record_json.h"
#include "trace/record_print.h"

static union addr addr_of(const char *text)
{
	union addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text, &addr.word[3]), 1);
	return addr;
}

static struct trace_event event_of(const char *src, uint16_t sport, const char *dst, uint16_t dport,
				   uint8_t l4_proto)
{
	return (struct trace_event){
		.saddr = addr_of(src),
		.daddr = addr_of(dst),
		.sport = htons(sport),
		.dport = htons(dport),
		.ip_version = strchr(src, ':') ? IP_VERSION_6 : IP_VERSION_4,
		.l4_proto = l4_proto,
		.message[STAGE_RECEIVED] = MESSAGE_RECEIVED,
	};
}

/* A packet that opens a routed connection. */
static struct trace_event routed_syn(void)
{
	struct trace_event event = event_of("100.64.31.206", 54435, "1.1.1.1", 80, IPPROTO_TCP);

	event.tcp_flags = PACKET_TCP_SYN;
	event.ip_len = 40;
	event.rule = 1;
	event.verdict = VERDICT_FORWARD;
	event.reason = REASON_ROUTE_ACL_ALLOWED;
	event.flow_state = FLOW_STATE_SYN_RECEIVED;
	event.message[STAGE_CONNTRACK] = MESSAGE_CT_NONE;
	event.message[STAGE_ROUTING] = MESSAGE_ROUTE_ENABLED;
	event.message[STAGE_ROUTE_ACL] = MESSAGE_ACL_ALLOWED;
	event.message[STAGE_FORWARDING] = MESSAGE_FORWARD_REMOTE;
	event.message[STAGE_COMPLETED] = MESSAGE_DONE;
	return event;
}

static void expect_text(const struct trace_event *event, const char *rule_id, const char *want)
{
	char *text = record_text(event, &(struct record_names){.rule_id = rule_id});

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void expect_message(const struct trace_event *event, enum stage stage, const char *want)
{
	char message[RECORD_MESSAGE_MAX];

	assert_true(record_message(event, &(struct record_names){.rule_id = "web"}, stage, message,
				   sizeof(message)));
	assert_string_equal(message, want);
}

static void expect_json(json_t *json, const char *want)
{
	char *text = json_dumps(json, OUTPUT_JSON_FLAGS);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
	json_decref(json);
}

static void test_routed(void **state)
{
	struct trace_event event = routed_syn();

	(void)state;
	expect_text(&event, "web",
		    "\n"
		    "Packet trace 100.64.31.206:54435 -> 1.1.1.1:80 (TCP)\n"
		    "\n"
		    "Received: Received TCP packet: 100.64.31.206:54435 -> 1.1.1.1:80\n"
		    "Connection Tracking: No existing connection found\n"
		    "Routing: Routing enabled, checking ACLs\n"
		    "Route ACL: Allowed by route ACLs (web)\n"
		    "Forwarding: Forwarding to proxy-remote [proxy-remote to 1.1.1.1:80]\n"
		    "Completed: Processing completed\n"
		    "\n"
		    "Final disposition: ALLOWED\n");
}

/* Forwarded by NAT from 203.0.113.5 or 2001:db8::5. */
static struct trace_event translated(const struct trace_event *event)
{
	struct trace_event to = *event;

	to.verdict = VERDICT_FORWARD;
	to.snat_addr = addr_of(event->ip_version == IP_VERSION_4 ? "203.0.113.5" : "2001:db8::5");
	to.snat_port = htons(61007);
	strcpy(to.uplink, "eth0");
	to.message[STAGE_FORWARDING] = MESSAGE_FORWARD_NAT;
	return to;
}

static void test_by_nat(void **state)
{
	struct trace_event syn = routed_syn(), event = translated(&syn);
	struct trace_event echo = event_of("fd00::1", 3, "2001:db8::9", 4, IPPROTO_ICMPV6);
	struct record_result result = {.event = &event, .packet = ""};
	json_t *json;

	(void)state;
	expect_message(&event, STAGE_FORWARDING,
		       "Forwarding to nat [203.0.113.5:61007 to 1.1.1.1:80 via eth0]");
	json = record_json(&event, &(struct record_names){.rule_id = "web"});
	assert_string_equal(json_string_value(json_object_get(json, "by")), "nat");
	expect_json(json_incref(json_object_get(json, "nat")),
		    "{\"src\":\"203.0.113.5\",\"sport\":61007,\"uplink\":\"eth0\"}");
	json_decref(json);
	json = record_result_json(&result);
	assert_string_equal(json_string_value(json_object_get(json, "by")), "nat");
	json_decref(json);
	echo = translated(&echo);
	expect_message(&echo, STAGE_FORWARDING,
		       "Forwarding to nat [2001:db8::5 ID=61007 to 2001:db8::9 via eth0]");
	event.l4_proto = IPPROTO_GRE;
	event.sport = event.dport = event.snat_port = 0;
	expect_message(&event, STAGE_FORWARDING,
		       "Forwarding to nat [203.0.113.5 to 1.1.1.1 via eth0]");
	json = record_json(&event, &(struct record_names){.rule_id = "web"});
	expect_json(json_incref(json_object_get(json, "nat")),
		    "{\"src\":\"203.0.113.5\",\"uplink\":\"eth0\"}");
	json_decref(json);
	event.verdict = VERDICT_DROP;
	event.reason = REASON_NO_PORT;
	event.message[STAGE_FORWARDING] = MESSAGE_FORWARD_REFUSED;
	expect_message(&event, STAGE_FORWARDING,
		       "Not forwarded: no port of the uplink's address is free");
	json = record_json(&event, &(struct record_names){.rule_id = "web"});
	assert_null(json_object_get(json, "by"));
	json_decref(json);
}

static void test_denied(void **state)
{
	struct trace_event event = event_of("fd00::1", 1, "fd00::2", 53, IPPROTO_UDP);

	(void)state;
	event.verdict = VERDICT_DROP;
	event.reason = REASON_PEER_ACL_DEFAULT;
	event.message[STAGE_ROUTING] = MESSAGE_ROUTE_LOCAL;
	event.message[STAGE_PEER_ACL] = MESSAGE_PEER_BLOCKED;
	event.message[STAGE_COMPLETED] = MESSAGE_DONE_ACL;
	expect_text(&event, NULL,
		    "\n"
		    "Packet trace [fd00::1]:1 -> [fd00::2]:53 (UDP)\n"
		    "\n"
		    "Received: Received UDP packet: [fd00::1]:1 -> [fd00::2]:53\n"
		    "Routing: Packet destined for local delivery\n"
		    "Peer ACL: Blocked by peer ACL rules (<no id>)\n"
		    "Completed: Packet dropped - ACL denied\n"
		    "\n"
		    "Final disposition: DENIED\n");
}

static void test_tracked(void **state)
{
	struct trace_event tcp = event_of("10.0.0.1", 80, "10.0.0.2", 9, IPPROTO_TCP);
	struct trace_event udp = event_of("10.0.0.1", 80, "10.0.0.2", 9, IPPROTO_UDP);
	struct trace_event icmp = event_of("fd00::1", 1, "fd00::2", 7, IPPROTO_ICMPV6);

	(void)state;
	tcp.message[STAGE_CONNTRACK] = MESSAGE_CT_MATCH;
	tcp.tcp_flags = PACKET_TCP_ACK | PACKET_TCP_FIN;
	expect_message(&tcp, STAGE_CONNTRACK,
		       "Matched existing connection state "
		       "(TCP Flags: SYN=false ACK=true RST=false FIN=true)");
	tcp.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_RST;
	expect_message(&tcp, STAGE_CONNTRACK,
		       "Matched existing connection state "
		       "(TCP Flags: SYN=true ACK=false RST=true FIN=false)");
	udp.message[STAGE_CONNTRACK] = MESSAGE_CT_MATCH;
	expect_message(&udp, STAGE_CONNTRACK, "Matched existing connection state (UDP)");
	icmp.message[STAGE_CONNTRACK] = MESSAGE_CT_MATCH;
	expect_message(&icmp, STAGE_CONNTRACK,
		       "Matched existing connection state (ICMP ID=1, Seq=7)");
}

static void test_portless(void **state)
{
	struct trace_event icmp = event_of("10.0.0.1", 1, "10.0.0.2", 7, IPPROTO_ICMP);
	struct trace_event icmp6 = event_of("fd00::1", 1, "fd00::2", 7, IPPROTO_ICMPV6);
	struct trace_event foreign = event_of("10.0.0.1", 1, "10.0.0.2", 7, IPPROTO_ICMPV6);
	struct trace_event later = event_of("10.0.0.1", 0, "10.0.0.2", 0, IPPROTO_TCP);

	(void)state;
	expect_message(&icmp, STAGE_RECEIVED, "Received ICMP packet: 10.0.0.1 -> 10.0.0.2");
	icmp.message[STAGE_FORWARDING] = MESSAGE_FORWARD_REMOTE;
	expect_message(&icmp, STAGE_FORWARDING,
		       "Forwarding to proxy-remote [proxy-remote to 10.0.0.2]");
	expect_message(&icmp6, STAGE_RECEIVED, "Received ICMPv6 packet: fd00::1 -> fd00::2");
	expect_message(&foreign, STAGE_RECEIVED,
		       "Received protocol 58 packet: 10.0.0.1 -> 10.0.0.2");
	later.fragment = 1;
	expect_message(&later, STAGE_RECEIVED, "Received TCP packet: 10.0.0.1 -> 10.0.0.2");
}

static void test_nat_in(void **state)
{
	struct trace_event event = event_of("100.64.0.5", 4000, "100.64.0.1", 8080, IPPROTO_TCP);

	(void)state;
	event.nat_addr = addr_of("10.9.0.5");
	event.nat_port = htons(80);
	event.message[STAGE_NAT_PORT_IN] = MESSAGE_NAT_APPLIED;
	event.message[STAGE_NAT_ONE_IN] = MESSAGE_NAT_NONE;
	event.message[STAGE_FORWARDING] = MESSAGE_FORWARD_REMOTE;
	expect_message(&event, STAGE_RECEIVED,
		       "Received TCP packet: 100.64.0.5:4000 -> 100.64.0.1:8080");
	expect_message(&event, STAGE_NAT_PORT_IN, "Translated: 100.64.0.5:4000 -> 100.64.0.1:80");
	expect_message(&event, STAGE_NAT_ONE_IN, "No translation applies");
	event.message[STAGE_NAT_ONE_IN] = MESSAGE_NAT_APPLIED;
	expect_message(&event, STAGE_NAT_ONE_IN, "Translated: 10.9.0.5:4000 -> 100.64.0.1:80");
	expect_message(&event, STAGE_FORWARDING,
		       "Forwarding to proxy-remote [proxy-remote to 100.64.0.1:80]");
	event.message[STAGE_NAT_PORT_IN] = MESSAGE_NAT_NONE;
	expect_message(&event, STAGE_NAT_ONE_IN, "Translated: 10.9.0.5:4000 -> 100.64.0.1:8080");
}

static void test_nat_out(void **state)
{
	struct trace_event event = event_of("100.64.0.1", 80, "10.9.0.5", 4000, IPPROTO_UDP);

	(void)state;
	event.nat_addr = addr_of("100.64.0.5");
	event.nat_port = htons(8080);
	event.message[STAGE_NAT_ONE_OUT] = MESSAGE_NAT_APPLIED;
	event.message[STAGE_NAT_PORT_OUT] = MESSAGE_NAT_APPLIED;
	event.message[STAGE_COMPLETED] = MESSAGE_DONE_OUTGOING;
	expect_message(&event, STAGE_NAT_ONE_OUT, "Translated: 100.64.0.1:80 -> 100.64.0.5:4000");
	expect_message(&event, STAGE_NAT_PORT_OUT,
		       "Translated: 100.64.0.1:8080 -> 100.64.0.5:4000");
	expect_message(&event, STAGE_COMPLETED, "Packet allowed (outgoing)");
}

static void test_dropped(void **state)
{
	struct trace_event event = {
		.verdict = VERDICT_DROP,
		.reason = REASON_NOT_IP,
		.message[STAGE_RECEIVED] = MESSAGE_RECEIVED,
		.message[STAGE_COMPLETED] = MESSAGE_DONE_DROPPED,
	};

	(void)state;
	expect_text(&event, NULL,
		    "\n"
		    "Packet trace no IP addresses (non-IP)\n"
		    "\n"
		    "Received: Received non-IP packet: no IP addresses\n"
		    "Completed: Packet dropped - frame is neither IPv4, IPv6 nor ARP\n"
		    "\n"
		    "Final disposition: DENIED\n");
	expect_json(record_json(&event, &(struct record_names){.rule_id = NULL}),
		    "{\"flow\":null,\"direction\":\"ingress\","
		    "\"packet\":{\"direction\":\"in\"},\"stages\":["
		    "{\"stage\":\"Received\",\"message\":\"Received non-IP packet: no IP "
		    "addresses\",\"allowed\":true},"
		    "{\"stage\":\"Completed\",\"message\":\"Packet dropped - frame is neither "
		    "IPv4, IPv6 nor ARP\",\"allowed\":false}],"
		    "\"verdict\":\"drop\",\"reason\":\"not_ip\",\"rule\":null,"
		    "\"disposition\":\"DENIED\"}");
}

static void test_json(void **state)
{
	struct trace_event event = routed_syn();

	(void)state;
	expect_json(
		record_json(&event, &(struct record_names){.rule_id = "web", .interface = "wt0"}),
		"{\"interface\":\"wt0\",\"flow\":null,\"direction\":\"ingress\","
		"\"family\":\"ipv4\",\"packet\":{\"direction\":\"in\",\"src\":\"100.64.31.206\","
		"\"dst\":\"1.1.1.1\",\"protocol\":\"tcp\",\"length\":40,\"sport\":54435,"
		"\"dport\":80,\"flags\":[\"syn\"]},\"stages\":["
		"{\"stage\":\"Received\",\"message\":\"Received TCP packet: "
		"100.64.31.206:54435 -> 1.1.1.1:80\",\"allowed\":true},"
		"{\"stage\":\"Connection Tracking\",\"message\":\"No existing connection "
		"found\",\"allowed\":false},"
		"{\"stage\":\"Routing\",\"message\":\"Routing enabled, checking ACLs\","
		"\"allowed\":true},"
		"{\"stage\":\"Route ACL\",\"message\":\"Allowed by route ACLs (web)\","
		"\"allowed\":true},"
		"{\"stage\":\"Forwarding\",\"message\":\"Forwarding to proxy-remote "
		"[proxy-remote to 1.1.1.1:80]\",\"allowed\":true},"
		"{\"stage\":\"Completed\",\"message\":\"Processing completed\","
		"\"allowed\":true}],"
		"\"verdict\":\"forward\",\"by\":\"forwarder\","
		"\"reason\":\"route_acl_allowed\",\"rule\":\"web\","
		"\"disposition\":\"ALLOWED\"}");
}

static void test_json_icmp(void **state)
{
	struct trace_event event = event_of("fd00::1", 3, "fd00::2", 4, IPPROTO_ICMPV6);
	json_t *json;

	(void)state;
	event.direction = DIR_EGRESS;
	event.icmp_type = 128;
	event.ip_len = 48;
	json = record_json(&event, &(struct record_names){.rule_id = NULL});
	expect_json(json_incref(json_object_get(json, "packet")),
		    "{\"direction\":\"out\",\"src\":\"fd00::1\",\"dst\":\"fd00::2\","
		    "\"protocol\":\"icmp\",\"length\":48,"
		    "\"icmp\":{\"type\":128,\"code\":0,\"id\":3,\"seq\":4}}");
	json_decref(json);
}

static void test_result(void **state)
{
	struct trace_event event = event_of("100.10.0.1", 12345, "100.10.0.100", 443, IPPROTO_TCP);
	struct record_result result = {
		.event = &event,
		.rule_id = "ssh",
		.packet = "\x45\x00\xff",
		.packet_len = 3,
		.n = 12,
		.at_ns = 20100000000,
	};
	char *line;

	(void)state;
	event.reason = REASON_PEER_ACL_ALLOWED;
	event.flow_state = FLOW_STATE_SYN_RECEIVED;
	expect_json(record_result_json(&result),
		    "{\"n\":12,\"at\":20.1,\"verdict\":\"pass\",\"reason\":\"peer_acl_allowed\","
		    "\"rule\":\"ssh\",\"state\":\"syn_received\",\"packet\":\"4500ff\","
		    "\"stages\":[{\"stage\":\"Received\",\"message\":\"Received TCP packet: "
		    "100.10.0.1:12345 -> 100.10.0.100:443\",\"allowed\":true}]}");
	line = record_result_line(&result);
	assert_string_equal(line, "12: 20.100s in TCP 100.10.0.1:12345 -> 100.10.0.100:443: pass "
				  "peer_acl_allowed rule ssh state syn_received");
	free(line);
}

static void expect_details(const struct trace_event *event, const char *expected)
{
	char *text;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	record_write_details(event, file);
	fclose(file);
	assert_string_equal(text, expected);
	free(text);
}

static void test_details(void **state)
{
	struct trace_event tcp = event_of("10.0.0.1", 80, "10.0.0.2", 9, IPPROTO_TCP);
	struct trace_event icmp = event_of("fd00::1", 1, "fd00::2", 7, IPPROTO_ICMPV6);
	const struct trace_event none = {};

	(void)state;
	tcp.tcp_flags = 0x12;
	tcp.ip_len = 60;
	expect_details(&tcp, " flags syn,ack length 60");
	tcp.fragment = 1;
	expect_details(&tcp, " length 60");
	icmp.icmp_type = 1;
	icmp.icmp_code = 4;
	icmp.ip_len = 88;
	expect_details(&icmp, " type 1 code 4 length 88");
	expect_details(&none, "");
}

static void test_result_without(void **state)
{
	struct trace_event event = {.verdict = VERDICT_DROP, .reason = REASON_NOT_IP};
	struct record_result result = {.event = &event};
	char *line;

	(void)state;
	expect_json(record_result_json(&result),
		    "{\"n\":0,\"at\":0.0,\"verdict\":\"drop\",\"reason\":\"not_ip\","
		    "\"rule\":null,\"state\":null,\"packet\":\"\",\"stages\":[]}");
	line = record_result_line(&result);
	assert_string_equal(line, "0: 0.000s in non-IP no IP addresses: drop not_ip");
	free(line);
}

static void test_hostile(void **state)
{
	char rule_id[RECORD_MESSAGE_MAX * 2], message[16];
	struct trace_event event;
	char *text;

	(void)state;
	memset(&event, 0xff, sizeof(event));
	expect_text(
		&event, NULL,
		"\nPacket trace ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff (protocol 255)\n\n\nFinal disposition: "
		"DENIED\n");
	assert_string_equal(record_stage_title(STAGE_MAX), "unknown");
	assert_false(record_message(&event, &(struct record_names){.rule_id = NULL}, STAGE_MAX,
				    message, sizeof(message)));

	event = routed_syn();
	memset(rule_id, 'r', sizeof(rule_id) - 1);
	rule_id[sizeof(rule_id) - 1] = '\0';
	assert_true(record_message(&event, &(struct record_names){.rule_id = rule_id},
				   STAGE_ROUTE_ACL, message, sizeof(message)));
	assert_string_equal(message, "Allowed by rout");
	text = record_text(&event, &(struct record_names){.rule_id = rule_id});
	assert_non_null(strstr(text, "Allowed by route ACLs (rrr"));
	free(text);
}

#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		sentence, function, NULL, NULL, NULL                                               \
	}

static void addresses_are_shown_by_their_names(void **state)
{
	static const char text[] = "names: {anna: [100.64.31.206, 'fd64::2'], one: 1.1.1.1}";
	struct trace_event event = routed_syn();
	struct names names;
	const struct record_names with = {.rule_id = "web", .names = &names};
	struct error error;
	json_t *json, *packet;
	char *shown;

	(void)state;
	assert_int_equal(names_read(text, strlen(text), &names, &error), 0);
	shown = record_text(&event, &with);
	assert_non_null(strstr(shown, "\nPacket trace anna:54435 -> one:80 (TCP)\n"));
	assert_non_null(strstr(shown, "Received TCP packet: anna:54435 -> one:80\n"));
	assert_non_null(strstr(shown, "[proxy-remote to one:80]\n"));
	free(shown);
	/* scripts find what they found, and the names beside it */
	json = record_json(&event, &with);
	packet = json_object_get(json, "packet");
	assert_string_equal(json_string_value(json_object_get(packet, "src")), "100.64.31.206");
	assert_string_equal(json_string_value(json_object_get(packet, "src_name")), "anna");
	assert_string_equal(json_string_value(json_object_get(packet, "dst_name")), "one");
	json_object_del(packet, "src_name");
	json_object_del(packet, "dst_name");
	packet = record_json(&event, &(struct record_names){.rule_id = "web"});
	assert_true(json_equal(json, packet));
	json_decref(packet);
	json_decref(json);
	names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_shown_by_their_names),
		TEST("a routed opening reads as the manual shows it", test_routed),
		TEST("a packet forwarded by NAT says its uplink, address and port", test_by_nat),
		TEST("a denied packet ends with DENIED and names no rule", test_denied),
		TEST("a tracked packet shows flags, ICMP id or UDP", test_tracked),
		TEST("packets without ports show addresses alone", test_portless),
		TEST("inbound translations add up stage by stage", test_nat_in),
		TEST("outbound translations add up stage by stage", test_nat_out),
		TEST("a drop outside the ACLs explains its reason", test_dropped),
		TEST("the JSON of a trace holds packet, stages and verdict", test_json),
		TEST("the JSON of an ICMP packet holds type, code, id and sequence",
		     test_json_icmp),
		TEST("a scenario packet becomes one line of text or JSON", test_result),
		TEST("details have flags, ICMP type and length", test_details),
		TEST("no rule and no state are null in JSON", test_result_without),
		TEST("records of any content are printed without a crash", test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
