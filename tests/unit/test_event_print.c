/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flow events as users and NetBird read them. */
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
#include "conntrack/event_print.h"
#include "conntrack/flow_id.h"
#include "conntrack/print.h"
#include "policy/parse_names.h"
#include "reason.h"

#define OFFSET_NS      UINT64_C(1700000000000000000)
#define CLOCK_APART_NS 25000

static struct flow_event event_of(const char *src, const char *dst, uint8_t l4_proto)
{
	struct flow_event event = {
		.time_ns = 1500000000,
		.created_ns = 1000000000,
		.packets = {7, 5},
		.bytes = {700, 500},
		.port = {htons(4242), htons(22)},
		.direction = DIR_INGRESS,
		.l4_proto = l4_proto,
	};
	struct error error;

	assert_int_equal(addr_parse(src, &event.addr[0], &event.ip_version, &error), 0);
	assert_int_equal(addr_parse(dst, &event.addr[1], &event.ip_version, &error), 0);
	return event;
}

static void expect_line(const struct flow_event *event, const char *rule_id, const char *want)
{
	const struct flow_event_names names = {.rule_id = rule_id, .offset_ns = OFFSET_NS};
	char line[FLOW_LINE_MAX];

	flow_event_line(event, &names, line);
	assert_string_equal(line, want);
}

/* The first to be asked for reads what a time namespace adds. */
static void the_offset_of_the_clocks_is_the_same_each_time(void **state)
{
	uint64_t first_ns = flow_clock_offset_ns();

	(void)state;
	for (int i = 0; i < 100; i++) {
		int64_t apart_ns = (int64_t)(flow_clock_offset_ns() - first_ns);

		assert_in_range(apart_ns + CLOCK_APART_NS, 0, 2 * CLOCK_APART_NS);
	}
}

static void lines_show_what_each_type_has(void **state)
{
	struct flow_event event = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP);

	(void)state;
	expect_line(&event, "ssh",
		    "2023-11-14T22:13:21.500Z start ingress tcp  100.64.0.2:4242 -> 100.64.0.1:22 "
		    "rule=ssh");
	event.type = FLOW_EVENT_END;
	event.cause = FLOW_CAUSE_TIMEOUT;
	expect_line(&event, NULL,
		    "2023-11-14T22:13:21.500Z end   ingress tcp  100.64.0.2:4242 -> 100.64.0.1:22 "
		    "rx=7/700 tx=5/500 cause=timeout");
	event.direction = DIR_EGRESS;
	expect_line(&event, NULL,
		    "2023-11-14T22:13:21.500Z end   egress  tcp  100.64.0.2:4242 -> 100.64.0.1:22 "
		    "rx=5/500 tx=7/700 cause=timeout");
	event = event_of("fd64::2", "fd64::1", IPPROTO_ICMPV6);
	event.type = FLOW_EVENT_DROP;
	event.reason = REASON_PEER_ACL_DEFAULT;
	event.icmp_type = 128;
	expect_line(
		&event, NULL,
		"2023-11-14T22:13:21.500Z drop  ingress icmp fd64::2 -> fd64::1 type=128 code=0 "
		"id=4242 packets=7 bytes=700 reason=peer_acl_default");
	event.packets[0] = 1;
	expect_line(
		&event, NULL,
		"2023-11-14T22:13:21.500Z drop  ingress icmp fd64::2 -> fd64::1 type=128 code=0 "
		"id=4242 bytes=700 reason=peer_acl_default");
}

static void counts_have_units_where_they_are_asked_for(void **state)
{
	const struct flow_event_names names = {.offset_ns = OFFSET_NS, .human = true};
	struct flow_event event = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP);
	char line[FLOW_LINE_MAX];

	(void)state;
	event.type = FLOW_EVENT_END;
	event.packets[0] = 1234567;
	event.bytes[0] = 12345678;
	flow_event_line(&event, &names, line);
	assert_non_null(strstr(line, " rx=1.2M/12Mi tx=5/500 cause="));
	event.type = FLOW_EVENT_DROP;
	flow_event_line(&event, &names, line);
	assert_non_null(strstr(line, " packets=1.2M bytes=12Mi reason="));
}

static void numbers_out_of_range_are_named_unknown(void **state)
{
	struct flow_event event;
	char line[FLOW_LINE_MAX];
	json_t *json;

	(void)state;
	memset(&event, 0xff, sizeof(event));
	flow_event_line(&event, &(struct flow_event_names){}, line);
	assert_non_null(strstr(line, "unknown"));
	json = flow_event_json(&event, &(struct flow_event_names){.interface = "wt0"});
	assert_string_equal(json_string_value(json_object_get(json, "type")), "unknown");
	json_decref(json);
	memset(&event, 0, sizeof(event));
	event.type = FLOW_EVENT_DROP;
	expect_line(&event, NULL,
		    "2023-11-14T22:13:20.000Z drop  ingress non-ip - -> - bytes=0 "
		    "reason=established");
}

static void json_has_the_fields_of_the_type(void **state)
{
	struct flow_event event = event_of("fd64::2", "fd64::1", IPPROTO_UDP);
	const struct flow_event_names names = {
		.interface = "wt0", .rule_id = "dns", .offset_ns = OFFSET_NS};
	json_t *json, *want;

	(void)state;
	event.type = FLOW_EVENT_END;
	event.cause = FLOW_CAUSE_CLOSED;
	json = flow_event_json(&event, &names);
	assert_int_equal(strlen(json_string_value(json_object_get(json, "flow"))), 16);
	json_object_del(json, "flow");
	want = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s,s:{s:i,s:i},s:{s:i,s:i},"
			 "s:s,s:s}",
			 "type", "end", "interface", "wt0", "time", "2023-11-14T22:13:21.500Z",
			 "direction", "ingress", "protocol", "udp", "family", "ipv6", "src",
			 "fd64::2", "dst", "fd64::1", "sport", 4242, "dport", 22, "rule", "dns",
			 "opener", "packets", 7, "bytes", 700, "answerer", "packets", 5, "bytes",
			 500, "cause", "closed", "since", "2023-11-14T22:13:21.000Z");
	assert_true(json_equal(json, want));
	json_decref(json);
	json_decref(want);
}

static void a_translated_flow_shows_its_uplink(void **state)
{
	struct flow_event event = event_of("100.64.0.2", "192.0.2.1", IPPROTO_TCP);
	struct masquerade masquerade = {
		.uplinks[1] = {.ifindex = 7, .name = "eth0"},
	};
	struct flow_event_names names = {
		.interface = "wt0", .masquerade = &masquerade, .offset_ns = OFFSET_NS};
	char line[FLOW_LINE_MAX];
	json_t *json;

	(void)state;
	masquerade.uplinks[1].addr[0] = event.addr[0];
	event.uplink = 2;
	event.snat_port = htons(61007);
	flow_event_line(&event, &names, line);
	assert_string_equal(line, "2023-11-14T22:13:21.500Z start ingress tcp  100.64.0.2:4242 -> "
				  "192.0.2.1:22 nat=100.64.0.2:61007 uplink=eth0");
	json = flow_event_json(&event, &names);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "nat"), "uplink")), "eth0");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "nat"), "sport")),
			 61007);
	json_decref(json);
	event.l4_proto = IPPROTO_ICMP;
	event.icmp_type = 8;
	flow_event_line(&event, &names, line);
	assert_non_null(strstr(line, " nat=100.64.0.2 nat_id=61007 uplink=eth0"));
	masquerade.uplinks[1].ifindex = 0; /* the device has gone */
	flow_event_line(&event, &names, line);
	assert_null(strstr(line, "nat"));
}

static void start_and_end_share_an_id_that_others_have_not(void **state)
{
	struct flow_event start = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP), end = start;
	struct flow_event later = start, other = start;

	(void)state;
	end.type = FLOW_EVENT_END;
	end.time_ns += 5;
	end.packets[0] = 99;
	later.created_ns++;
	other.port[0] = htons(4243);
	assert_true(flow_event_id(&start) == flow_event_id(&end));
	assert_true(flow_event_id(&start) != flow_event_id(&later));
	assert_true(flow_event_id(&start) != flow_event_id(&other));
}

static void addresses_are_shown_by_their_names(void **state)
{
	static const char text[] = "names: {anna: [100.64.0.2, 'fd64::2']}";
	struct flow_event event = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP);
	struct names names;
	const struct flow_event_names with = {
		.interface = "wt0", .names = &names, .offset_ns = OFFSET_NS};
	char line[FLOW_LINE_MAX];
	struct error error;
	json_t *json;

	(void)state;
	assert_int_equal(names_read(text, strlen(text), &names, &error), 0);
	flow_event_line(&event, &with, line);
	assert_string_equal(line, "2023-11-14T22:13:21.500Z start ingress tcp  anna:4242 -> "
				  "100.64.0.1:22");
	json = flow_event_json(&event, &with);
	assert_string_equal(json_string_value(json_object_get(json, "src")), "100.64.0.2");
	assert_string_equal(json_string_value(json_object_get(json, "src_name")), "anna");
	assert_null(json_object_get(json, "dst_name"));
	json_decref(json);
	event = event_of("fd64::1", "fd64::2", IPPROTO_UDP);
	flow_event_line(&event, &with, line);
	assert_string_equal(line, "2023-11-14T22:13:21.500Z start ingress udp  [fd64::1]:4242 -> "
				  "anna:22");
	names_free(&names);
}

static const char *no_rule(void *arg, uint32_t number)
{
	(void)arg;
	(void)number;
	return NULL;
}

static void addresses_of_connections_are_shown_by_their_names(void **state)
{
	static const char text[] = "names: {anna: 100.64.0.2}";
	const struct flow_event event = event_of("100.64.0.2", "100.64.0.1", IPPROTO_TCP);
	const struct flow flow = {.packets = {1, 1}};
	const struct flow_view view = {
		.flow = &flow,
		.addr = {event.addr[0], event.addr[1]},
		.rule = RULE_NONE,
		.port = {4242, 22},
		.ip_version = event.ip_version,
		.l4_proto = event.l4_proto,
		.state = FLOW_STATE_ESTABLISHED,
	};
	struct names names;
	struct error error;

	(void)state;
	assert_int_equal(names_read(text, strlen(text), &names, &error), 0);
	for (int json = 0; json < 2; json++) {
		char *printed = NULL;
		size_t len;
		FILE *file = open_memstream(&printed, &len);
		struct flow_printer *printer = flow_printer_new(file, json, "wt0", no_rule, NULL);

		flow_printer_set_names(printer, &names);
		assert_int_equal(flow_printer_visit(printer, &view), 0);
		assert_int_equal(flow_printer_end(printer, &error), 0);
		flow_printer_free(printer);
		fclose(file);
		assert_non_null(strstr(
			printed, json ? "\"src\":\"100.64.0.2\",\"src_name\":\"anna\",\"dst\":"
					"\"100.64.0.1\",\"sport\":"
				      : " src=anna dst=100.64.0.1 sport=4242 "));
		free(printed);
	}
	names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_offset_of_the_clocks_is_the_same_each_time),
		cmocka_unit_test(addresses_are_shown_by_their_names),
		cmocka_unit_test(addresses_of_connections_are_shown_by_their_names),
		cmocka_unit_test(lines_show_what_each_type_has),
		cmocka_unit_test(counts_have_units_where_they_are_asked_for),
		cmocka_unit_test(numbers_out_of_range_are_named_unknown),
		cmocka_unit_test(json_has_the_fields_of_the_type),
		cmocka_unit_test(a_translated_flow_shows_its_uplink),
		cmocka_unit_test(start_and_end_share_an_id_that_others_have_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
