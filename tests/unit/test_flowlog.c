/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow log's records as text, drops that are summed up, and sizes of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/value.h"
#include "conntrack/event_print.h"
#include "flowlog/aggregate.h"
#include "flowlog/ipfix_sink.h"
#include "flowlog/record.h"
#include "reason.h"

#define OFFSET_NS UINT64_C(1700000000000000000)

static struct flow_event event_of(enum flow_event_type type, uint64_t time_ns)
{
	struct flow_event event = {
		.time_ns = time_ns,
		.packets = {1, 0},
		.bytes = {60, 0},
		.port = {htons(4242), htons(22)},
		.type = type,
		.reason = type == FLOW_EVENT_DROP ? REASON_PEER_ACL_DEFAULT : 0,
		.direction = DIR_INGRESS,
		.l4_proto = IPPROTO_TCP,
	};
	struct error error;

	assert_int_equal(addr_parse("100.64.0.2", &event.addr[0], &event.ip_version, &error), 0);
	assert_int_equal(addr_parse("100.64.0.1", &event.addr[1], &event.ip_version, &error), 0);
	return event;
}

static void expect_record(const struct flow_event *event, const char *rule_id, const char *want)
{
	const struct flow_event_names names = {
		.interface = "wt0", .rule_id = rule_id, .offset_ns = OFFSET_NS};
	json_t *json = record_of_event(event, &names);
	struct text text = {};

	json_object_del(json, "flow");
	assert_int_equal(text_append_json(&text, json), 0);
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.data, want, text.len);
	free(text.data);
}

static void a_record_has_what_its_type_has(void **state)
{
	struct flow_event event = event_of(FLOW_EVENT_START, 1500000000);

	(void)state;
	event.created_ns = 1000000000;
	expect_record(&event, "ssh",
		      "{\"schema\":2,\"type\":\"start\",\"interface\":\"wt0\","
		      "\"time\":\"2023-11-14T22:13:21.500Z\",\"direction\":\"ingress\","
		      "\"protocol\":\"tcp\",\"family\":\"ipv4\",\"src\":\"100.64.0.2\",\"dst\":"
		      "\"100.64.0.1\","
		      "\"sport\":4242,\"dport\":22,\"rule\":\"ssh\","
		      "\"opener\":{\"packets\":1,\"bytes\":60},"
		      "\"answerer\":{\"packets\":0,\"bytes\":0}}\n");
	event.type = FLOW_EVENT_END;
	event.cause = FLOW_CAUSE_RESET;
	event.packets[1] = 7;
	event.bytes[1] = 700;
	expect_record(&event, NULL,
		      "{\"schema\":2,\"type\":\"end\",\"interface\":\"wt0\","
		      "\"time\":\"2023-11-14T22:13:21.500Z\",\"direction\":\"ingress\","
		      "\"protocol\":\"tcp\",\"family\":\"ipv4\",\"src\":\"100.64.0.2\",\"dst\":"
		      "\"100.64.0.1\","
		      "\"sport\":4242,\"dport\":22,\"rule\":null,\"cause\":\"reset\","
		      "\"since\":\"2023-11-14T22:13:21.000Z\","
		      "\"opener\":{\"packets\":1,\"bytes\":60},"
		      "\"answerer\":{\"packets\":7,\"bytes\":700}}\n");
}

static void drops_of_one_kind_are_summed_up(void **state)
{
	struct aggregates *drops = calloc(1, sizeof(*drops));
	struct flow_event drop = event_of(FLOW_EVENT_DROP, 1000000000);

	(void)state;
	assert_non_null(drops);
	assert_true(aggregates_add(drops, &drop));
	drop.time_ns = 1500000000;
	drop.bytes[0] = 40;
	assert_true(aggregates_add(drops, &drop));
	assert_int_equal(drops->n, 1);
	assert_int_equal(drops->list[0].sum.port[0], htons(4242));
	drop.port[0] = htons(4243);
	assert_true(aggregates_add(drops, &drop));
	assert_int_equal(drops->n, 1);
	expect_record(&drops->list[0].sum, NULL,
		      "{\"schema\":2,\"type\":\"drop\",\"interface\":\"wt0\","
		      "\"time\":\"2023-11-14T22:13:21.500Z\",\"direction\":\"ingress\","
		      "\"protocol\":\"tcp\",\"family\":\"ipv4\",\"src\":\"100.64.0.2\",\"dst\":"
		      "\"100.64.0.1\","
		      "\"dport\":22,\"rule\":null,\"reason\":\"peer_acl_default\","
		      "\"since\":\"2023-11-14T22:13:21.000Z\","
		      "\"opener\":{\"packets\":3,\"bytes\":140}}\n");
	/* for another reason, or to another port, they are another kind */
	drop.reason = REASON_PEER_ACL_DENIED;
	assert_true(aggregates_add(drops, &drop));
	drop.port[1] = htons(23);
	assert_true(aggregates_add(drops, &drop));
	assert_int_equal(drops->n, 3);
	free(drops);
}

static void who_has_no_room_says_so(void **state)
{
	struct aggregates *drops = calloc(1, sizeof(*drops));
	struct flow_event drop = event_of(FLOW_EVENT_DROP, 1000000000);

	(void)state;
	assert_non_null(drops);
	for (int i = 0; i < AGGREGATES_MAX; i++) {
		drop.addr[0].word[2] = i;
		assert_true(aggregates_add(drops, &drop));
	}
	assert_true(aggregates_add(drops, &drop)); /* one of these */
	drop.addr[0].word[2] = AGGREGATES_MAX;
	assert_false(aggregates_add(drops, &drop));
	aggregates_clear(drops);
	assert_true(aggregates_add(drops, &drop));
	assert_int_equal(drops->n, 1);
	free(drops);
}

static void losses_are_a_record(void **state)
{
	const struct flow_log_losses losses = {1, 2, 3};
	const char *want = "{\"schema\":2,\"type\":\"loss\",\"interface\":\"wt0\","
			   "\"time\":\"2023-11-14T22:13:20.000Z\",\"lost_events\":1,"
			   "\"unsampled_drops\":2,\"unfollowed_connections\":3}\n";
	struct text text = {};

	(void)state;
	assert_int_equal(text_append_json(&text, record_of_losses(&losses, "wt0", OFFSET_NS)), 0);
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.data, want, text.len);
	free(text.data);
}

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* 0: an error */
	} sizes[] = {
		{"1", 1},	   {"512K", 512 << 10},
		{"64M", 64 << 20}, {"3G", UINT64_C(3) << 30},
		{"", 0},	   {"M", 0},
		{"1T", 0},	   {"1MB", 0},
		{"-1", 0},	   {"1.5M", 0},
		{" 1", 0},	   {"64m", 0},
		{"0x10", 0},	   {"99999999999G", 0},
	};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t bytes = 0;

		assert_int_equal(size_parse(sizes[i].text, &bytes, &error),
				 sizes[i].bytes ? 0 : -EINVAL);
		assert_int_equal(bytes, sizes[i].bytes);
	}
}

static void collectors_have_a_host_and_a_port(void **state)
{
	struct collector collector;
	struct error error;

	(void)state;
	assert_int_equal(collector_parse("tcp:flows.example.net:4739", &collector, &error), 0);
	assert_string_equal(collector.host, "flows.example.net");
	assert_string_equal(collector.port, "4739");
	assert_true(collector.is_tcp);
	assert_int_equal(collector_parse("udp:[fd00::9]:2055", &collector, &error), 0);
	assert_string_equal(collector.host, "fd00::9");
	assert_false(collector.is_tcp);
	assert_int_equal(collector_parse("udp:fd00::9:2055", &collector, &error), -EINVAL);
	assert_int_equal(collector_parse("udp:[]:2055", &collector, &error), -EINVAL);
	assert_int_equal(collector_parse("udp:[:2055", &collector, &error), -EINVAL);
	assert_int_equal(collector_parse("udp:", &collector, &error), -EINVAL);
	assert_int_equal(collector_parse("", &collector, &error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_what_its_type_has),
		cmocka_unit_test(drops_of_one_kind_are_summed_up),
		cmocka_unit_test(who_has_no_room_says_so),
		cmocka_unit_test(losses_are_a_record),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(collectors_have_a_host_and_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
