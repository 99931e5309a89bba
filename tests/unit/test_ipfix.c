/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IPFIX messages, byte by byte: RFC 7011, RFC 5103 and IANA's registry. */
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
#include "flowlog/ipfix.h"

#define OFFSET_NS UINT64_C(1700000000000000000)

static struct flow_event event_of(const char *src, const char *dst)
{
	struct flow_event event = {
		.time_ns = 1500000000,
		.created_ns = 1000000000,
		.packets = {7, 5},
		.bytes = {0x700, 0x500},
		.rule = 3,
		.ifindex = 9,
		.port = {htons(4242), htons(53)},
		.type = FLOW_EVENT_END,
		.cause = FLOW_CAUSE_TIMEOUT,
		.direction = DIR_INGRESS,
		.l4_proto = IPPROTO_UDP,
	};
	struct error error;

	assert_int_equal(addr_parse(src, &event.addr[0], &event.ip_version, &error), 0);
	assert_int_equal(addr_parse(dst, &event.addr[1], &event.ip_version, &error), 0);
	return event;
}

static struct ipfix empty(uint16_t max)
{
	return (struct ipfix){.domain = 9, .max = max, .offset_ns = OFFSET_NS};
}

static uint16_t load16(const uint8_t *from)
{
	return from[0] << 8 | from[1];
}

/* The template of a kind of records in a message, NULL: it has none. */
static const uint8_t *find_template(const struct ipfix *ipfix, uint16_t id)
{
	for (size_t n = 0; n < ipfix->n; n++) {
		const uint8_t *at = ipfix->data + ipfix->messages[n].off + IPFIX_HEADER;
		const uint8_t *end = at + ipfix->messages[n].len - IPFIX_HEADER;

		while (at < end) {
			const uint8_t *set_end = at + load16(at + 2);
			bool is_options = load16(at) == IPFIX_OPTIONS_SET;

			for (at += IPFIX_SET_HEADER; at < set_end;) {
				const uint8_t *found = at;
				uint16_t fields = load16(at + 2);

				at += is_options ? 6 : 4;
				for (; fields; fields--)
					at += load16(at) & 0x8000 ? 8 : 4;
				if (load16(found) == id)
					return found;
			}
		}
	}
	return NULL;
}

static void expect_bytes(const uint8_t *got, const char *hex)
{
	char text[1024];
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(text, hex);
}

static void a_message_has_a_header_of_16_bytes(void **state)
{
	struct flow_event event = event_of("100.64.0.2", "100.64.0.1");
	const struct flow_event_names names = {.rule_id = "dns"};
	struct ipfix ipfix = empty(IPFIX_MESSAGE_MAX);

	(void)state;
	assert_int_equal(ipfix_add_event(&ipfix, &event, &names), 0);
	assert_int_equal(ipfix.n, 1);
	/* version 10, length, export time, sequence number, observation domain (RFC 7011, 3.1) */
	expect_bytes(ipfix_stamp(&ipfix, 0, 0x11223344, 0x55667788), "000a006f1122334455667788"
								     "00000009");
	assert_int_equal(ipfix.messages[0].len, 0x6f);
	assert_int_equal(ipfix.messages[0].records, 1);
	ipfix_free(&ipfix);
}

static void an_end_is_written_as_its_template_says(void **state)
{
	struct flow_event event = event_of("100.64.0.2", "100.64.0.1");
	const struct flow_event_names names = {.rule_id = "dns"};
	struct ipfix templates = empty(IPFIX_MESSAGE_MAX), ipfix = empty(IPFIX_MESSAGE_MAX);
	const uint8_t *record;

	(void)state;
	assert_int_equal(ipfix_add_templates(&templates), 0);
	assert_non_null(find_template(&templates, 260));
	expect_bytes(find_template(&templates, 260), "01040014"
						     "00980008" /* flowStartMilliseconds */
						     "00990008" /* flowEndMilliseconds */
						     "00080004" /* sourceIPv4Address */
						     "000c0004" /* destinationIPv4Address */
						     "00070002" /* sourceTransportPort */
						     "000b0002" /* destinationTransportPort */
						     "00040001" /* protocolIdentifier */
						     "00200002" /* icmpTypeCodeIPv4 */
						     "000a0004" /* ingressInterface */
						     "000e0004" /* egressInterface */
						     "003d0001" /* flowDirection */
						     "00ef0001" /* biflowDirection */
						     "00020008" /* packetDeltaCount */
						     "00010008" /* octetDeltaCount */
						     "8002000800007279" /* reverse (RFC 5103) */
						     "8001000800007279"
						     "00e90001" /* firewallEvent */
						     "00880001" /* flowEndReason */
						     "00940008" /* flowId */
						     "012e0008" /* selectorId */);
	assert_int_equal(ipfix_add_event(&ipfix, &event, &names), 0);
	record = ipfix.data + IPFIX_HEADER;
	expect_bytes(record, "0104005f"		/* set 260, 95 bytes */
			     "0000018bcfe56be8" /* 1700000001000 ms */
			     "0000018bcfe56ddc" /* 1700000001500 ms */
			     "64400002"
			     "64400001" /* addresses */
			     "1092"
			     "0035"
			     "11"
			     "0000" /* ports, UDP, no ICMP type */
			     "00000009"
			     "00000000" /* arrived by interface 9 */
			     "00"
			     "01" /* ingress, the source opened it */
			     "0000000000000007"
			     "0000000000000700"
			     "0000000000000005"
			     "0000000000000500"
			     "02"
			     "01" /* flow deleted, idle timeout */);
	ipfix_free(&templates);
	ipfix_free(&ipfix);
}

static void drops_have_counters_of_their_own(void **state)
{
	struct flow_event event = event_of("fd64::2", "fd64::1");
	const struct flow_event_names names = {};
	struct ipfix templates = empty(IPFIX_MESSAGE_MAX), ipfix = empty(IPFIX_MESSAGE_MAX);

	(void)state;
	event.type = FLOW_EVENT_DROP;
	event.rule = 0;
	assert_int_equal(ipfix_add_templates(&templates), 0);
	expect_bytes(find_template(&templates, 265), "0109000f"
						     "0098000800990008"
						     "001b0010" /* sourceIPv6Address */
						     "001c0010" /* destinationIPv6Address */
						     "00070002000b000200040001"
						     "008b0002" /* icmpTypeCodeIPv6 */
						     "000a0004000e0004003d0001"
						     "00850008" /* droppedPacketDeltaCount */
						     "00840008" /* droppedOctetDeltaCount */
						     "00e90001012e0008");
	assert_int_equal(ipfix_add_event(&ipfix, &event, &names), 0);
	expect_bytes(ipfix.data + IPFIX_HEADER, "0109005d"
						"0000018bcfe56be80000018bcfe56ddc"
						"fd640000000000000000000000000002"
						"fd640000000000000000000000000001"
						"10920035110000"
						"000000090000000000"
						"00000000000000070000000000000700"
						"03" /* flow denied */
						"0000000000000000");
	/* what was no IP packet has no addresses */
	event.ip_version = 0;
	ipfix_clear(&ipfix);
	assert_int_equal(ipfix_add_event(&ipfix, &event, &names), 0);
	assert_int_equal(load16(ipfix.data + IPFIX_HEADER), 266);
	assert_int_equal(ipfix.len - IPFIX_HEADER - IPFIX_SET_HEADER,
			 8 + 8 + 4 + 4 + 1 + 8 + 8 + 1 + 8);
	ipfix_free(&templates);
	ipfix_free(&ipfix);
}

static void what_an_uplink_translates_is_named(void **state)
{
	struct flow_event event = event_of("100.64.0.2", "192.0.2.1");
	struct masquerade masquerade = {.uplinks = {[1] = {.ifindex = 4, .name = "eth0"}}};
	const struct flow_event_names names = {.masquerade = &masquerade};
	struct ipfix templates = empty(IPFIX_MESSAGE_MAX), ipfix = empty(IPFIX_MESSAGE_MAX);
	struct error error;
	uint8_t ip_version;

	(void)state;
	assert_int_equal(
		addr_parse("203.0.113.7", &masquerade.uplinks[1].addr[0], &ip_version, &error), 0);
	event.type = FLOW_EVENT_START;
	event.uplink = 2;
	event.snat_port = htons(50000);
	assert_int_equal(ipfix_add_templates(&templates), 0);
	expect_bytes(find_template(&templates, 258), "01020011"
						     "0098000800990008"
						     "00080004000c0004"
						     "00070002000b00020004000100200002"
						     "000a0004000e0004003d000100ef0001"
						     "00e90001" /* firewallEvent */
						     "00940008"
						     "012e0008"
						     "00e10004" /* postNATSourceIPv4Address */
						     "00e30002" /* postNAPTSourceTransportPort */);
	assert_int_equal(ipfix_add_event(&ipfix, &event, &names), 0);
	expect_bytes(ipfix.data + IPFIX_HEADER, "01020044"
						"0000018bcfe56be80000018bcfe56ddc"
						"64400002c0000201"
						"10920035110000"
						"00000009000000040001"
						"01" /* flow created */);
	expect_bytes(ipfix.data + ipfix.len - 6, "cb007107c350");
	ipfix_free(&templates);
	ipfix_free(&ipfix);
}

static void rules_and_statistics_are_options(void **state)
{
	struct ipfix ipfix = empty(IPFIX_MESSAGE_MAX), templates = empty(IPFIX_MESSAGE_MAX);
	const struct ipfix_statistics statistics = {1, 2, 3, 4, 5};

	(void)state;
	assert_int_equal(ipfix_add_templates(&templates), 0);
	/* one scope field of two (RFC 7011, 3.4.2.2); a text of any length */
	expect_bytes(find_template(&templates, 268), "010c00020001012e0008014fffff");
	expect_bytes(find_template(&templates, 269), "010d00060001009500040029000800"
						     "2a00080028000800a4000800a60008");
	assert_int_equal(ipfix_add_rule(&ipfix, 7, "ssh"), 0);
	assert_int_equal(ipfix_add_statistics(&ipfix, &statistics), 0);
	expect_bytes(ipfix.data + IPFIX_HEADER,
		     "010c0010"
		     "000000000000000703737368"
		     "010d0030"
		     "00000009"
		     "0000000000000001000000000000000200000000000000030000000000000004"
		     "0000000000000005");
	assert_int_equal(ipfix.messages[0].records, 2);
	ipfix_free(&ipfix);
	ipfix_free(&templates);
}

static void messages_are_no_longer_than_the_path_takes(void **state)
{
	struct flow_event event = event_of("fd64::2", "fd64::1");
	const struct flow_event_names names = {};
	struct ipfix ipfix = empty(IPFIX_MESSAGE_MIN);
	uint32_t records = 0;

	(void)state;
	assert_int_equal(ipfix_add_templates(&ipfix), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ipfix_add_event(&ipfix, &event, &names), 0);
	for (size_t i = 0; i < ipfix.n; i++) {
		const struct ipfix_message *message = &ipfix.messages[i];

		assert_in_range(message->len, IPFIX_HEADER + IPFIX_SET_HEADER, IPFIX_MESSAGE_MIN);
		assert_int_equal(load16(ipfix.data + message->off + 2), message->len);
		records += message->records;
	}
	/* templates are none (RFC 7011, 3.1) */
	assert_int_equal(records, 100);
	ipfix_free(&ipfix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_a_header_of_16_bytes),
		cmocka_unit_test(an_end_is_written_as_its_template_says),
		cmocka_unit_test(drops_have_counters_of_their_own),
		cmocka_unit_test(what_an_uplink_translates_is_named),
		cmocka_unit_test(rules_and_statistics_are_options),
		cmocka_unit_test(messages_are_no_longer_than_the_path_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
