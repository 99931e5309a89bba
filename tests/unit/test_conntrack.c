/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Listing, counting and deleting connections, on real maps. */
#include "unit/flow_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "conntrack/filter.h"
#include "conntrack/print.h"
#include "kernel/map_batch.h"

#define WEB_RULE  7
#define ODD_RULE  9
#define GONE_RULE 11
#define ODD_ID	  "a \"b\"\n\x1b[31m\xc3\xbc"

static const char *rule_id(void *arg, uint32_t number)
{
	if (arg)
		++*(unsigned int *)arg;
	return number == WEB_RULE ? "web" : number == ODD_RULE ? ODD_ID : NULL;
}

static const struct flow_spec tcp_flow = {
	.l4_proto = IPPROTO_TCP,
	.src = "100.64.31.206",
	.dst = "10.0.0.5",
	.sport = 54435,
	.dport = 80,
	.idle_ns = 1,
	.flow = {.packets = {3, 2},
		 .bytes = {300, 200},
		 .generation = 4,
		 .rule = WEB_RULE,
		 .state = FLOW_STATE_ESTABLISHED,
		 .flags = FLOW_BY_PEER | FLOW_FORWARD | FLOW_CONFIRMED},
};

static const struct flow_spec udp6_flow = {
	.l4_proto = IPPROTO_UDP,
	.unconfirmed = true,
	.src = "fd00:10::100",
	.dst = "fd00:10::1",
	.sport = 5000,
	.dport = 53,
	.idle_ns = 10 * NS_PER_S,
	.flow = {.packets = {1, 0}, .bytes = {60, 0}, .state = FLOW_STATE_UDP},
};

static const struct flow_spec icmp_flow = {
	.l4_proto = IPPROTO_ICMP,
	.src = "100.64.0.9",
	.dst = "100.64.0.1",
	.sport = 77,
	.idle_ns = 0,
	.flow = {.packets = {5, 5},
		 .bytes = {420, 420},
		 .rule = ODD_RULE,
		 .nat_port = 0,
		 .state = FLOW_STATE_ICMP,
		 .flags = FLOW_BY_PEER | FLOW_LOCAL},
};

/* The caller frees the text. */
static char *print_with(struct fixture *f, const struct filter *filter, bool json,
			const struct masquerade *masquerade)
{
	struct error error;
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	struct flow_printer *printer = flow_printer_new(file, json, "wt0", rule_id, NULL);

	assert_non_null(printer);
	if (masquerade)
		flow_printer_set_uplinks(printer, masquerade);
	assert_int_equal(conntrack_walk(&f->conntrack, &f->clock, filter, flow_printer_visit,
					printer, &error),
			 0);
	assert_int_equal(flow_printer_end(printer, &error), 0);
	flow_printer_free(printer);
	fclose(file);
	return text;
}

static char *print(struct fixture *f, const struct filter *filter, bool json)
{
	return print_with(f, filter, json, NULL);
}

static void assert_prints(struct fixture *f, const char *expected)
{
	char *text = print(f, NULL, false);

	assert_string_equal(text, expected);
	free(text);
}

static json_t *print_json(struct fixture *f, const struct filter *filter)
{
	char *text = print(f, filter, true);
	json_error_t json_error;
	json_t *array = json_loads(text, JSON_REJECT_DUPLICATES, &json_error);

	if (!array)
		fail_msg("%s: %s", json_error.text, text);
	assert_true(json_is_array(array));
	free(text);
	return array;
}

static uint64_t count(struct fixture *f, const struct filter *filter)
{
	struct error error;
	uint64_t n = UINT64_MAX;

	assert_int_equal(conntrack_count(&f->conntrack, &f->clock, filter, &n, &error), 0);
	return n;
}

static struct filter filter_by(int option, const char *argument)
{
	struct filter filter;
	struct error error;

	filter_init(&filter);
	assert_int_equal(filter_option(&filter, option, argument, &error), 0);
	return filter;
}

static int setup(void **state)
{
	*state = fixture_new(1024);
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void each_table_has_a_name_of_its_own_that_a_map_can_bear(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < CONNTRACK_TABLES; i++) {
		assert_in_range(strlen(conntrack_maps[i].name), 1, 15);
		for (j = 0; j < i; j++)
			assert_string_not_equal(conntrack_maps[i].name, conntrack_maps[j].name);
	}
}

static void a_flow_is_a_line_with_the_opener_first(void **state)
{
	struct fixture *f = *state;

	fixture_add(f, &tcp_flow);
	assert_prints(f, "tcp  established  10799 src=100.64.31.206 dst=10.0.0.5 sport=54435 "
			 "dport=80 packets=3 bytes=300 src=10.0.0.5 dst=100.64.31.206 sport=80 "
			 "dport=54435 packets=2 bytes=200 opened=peer rule=web [forward]\n");
}

static void a_flow_that_leaves_by_nat_shows_the_answers_as_they_come(void **state)
{
	static const struct masquerade masquerade = {
		.uplinks[1] = {.addr = {{.bytes = {[10] = 0xff, [11] = 0xff, 203, 0, 113, 5}}},
			       .ifindex = 7,
			       .name = "a\"b"},
	};
	struct flow_spec spec = tcp_flow;
	struct fixture *f = *state;
	char *text;

	spec.flow.flags |= FLOW_MASQUERADED;
	spec.flow.snat_port = htons(61007);
	spec.flow.uplink = 1;
	fixture_add(f, &spec);
	text = print_with(f, NULL, false, &masquerade);
	assert_string_equal(text,
			    "tcp  established  10799 src=100.64.31.206 dst=10.0.0.5 sport=54435 "
			    "dport=80 packets=3 bytes=300 src=10.0.0.5 dst=203.0.113.5 sport=80 "
			    "dport=61007 packets=2 bytes=200 uplink=\"a\\\"b\" opened=peer "
			    "rule=web [forward]\n");
	free(text);
	text = print_with(f, NULL, true, &masquerade);
	assert_non_null(strstr(text, ",\"nat\":{\"uplink\":\"a\\\"b\",\"src\":\"203.0.113.5\","
				     "\"sport\":61007}}"));
	free(text);
}

static void an_unconfirmed_flow_of_this_host_is_marked(void **state)
{
	struct fixture *f = *state;

	fixture_add(f, &udp6_flow);
	assert_prints(f, "udp  udp          20    src=fd00:10::100 dst=fd00:10::1 sport=5000 "
			 "dport=53 packets=1 bytes=60 src=fd00:10::1 dst=fd00:10::100 sport=53 "
			 "dport=5000 packets=0 bytes=0 opened=host [unconfirmed]\n");
}

static void an_icmp_flow_has_an_id_and_an_odd_rule_id_is_quoted(void **state)
{
	struct fixture *f = *state;

	fixture_add(f, &icmp_flow);
	assert_prints(f, "icmp icmp         30    src=100.64.0.9 dst=100.64.0.1 id=77 packets=5 "
			 "bytes=420 src=100.64.0.1 dst=100.64.0.9 id=77 packets=5 bytes=420 "
			 "opened=peer rule=\"a \\\"b\\\"\\n\\u001B[31m\\u00FC\"\n");
}

static void a_flow_opened_by_the_lower_end_is_shown_from_there(void **state)
{
	struct flow_spec spec = icmp_flow;
	struct fixture *f = *state;

	spec.src = icmp_flow.dst;
	spec.dst = icmp_flow.src;
	spec.flow.rule = RULE_NONE;
	fixture_add(f, &spec);
	assert_prints(f, "icmp icmp         30    src=100.64.0.1 dst=100.64.0.9 id=77 packets=5 "
			 "bytes=420 src=100.64.0.9 dst=100.64.0.1 id=77 packets=5 bytes=420 "
			 "opened=peer\n");
}

static void json_of_no_flow_is_an_empty_array(void **state)
{
	json_t *array = print_json(*state, NULL);

	assert_int_equal(json_array_size(array), 0);
	json_decref(array);
}

static void json_has_every_field_of_a_flow(void **state)
{
	struct flow_spec spec = tcp_flow;
	struct fixture *f = *state;
	json_t *array, *expected;

	spec.flow.nat_port = htons(8080);
	spec.flow.flags |= FLOW_HAIRPIN;
	fixture_add(f, &spec);
	array = print_json(f, NULL);
	assert_int_equal(json_object_del(json_array_get(array, 0), "flow"), 0);
	assert_int_equal(json_object_del(json_array_get(array, 0), "started"), 0);
	expected = json_pack("[{si ss ss ss ss ss ss ss si si s{si si} s{si si} si ss si s[sss] "
			     "si}]",
			     "schema", 2, "interface", "wt0", "protocol", "tcp", "family", "ipv4",
			     "state", "established", "direction", "ingress", "src", "100.64.31.206",
			     "dst", "10.0.0.5", "sport", 54435, "dport", 80, "opener", "packets", 3,
			     "bytes", 300, "answerer", "packets", 2, "bytes", 200, "timeout_s",
			     10799, "rule", "web", "generation", 4, "flags", "forward", "hairpin",
			     "confirmed", "nat_port", 8080);
	assert_true(json_equal(array, expected));
	json_decref(expected);
	json_decref(array);
}

static void json_of_several_flows_is_one_document(void **state)
{
	struct flow_spec gone = tcp_flow;
	struct fixture *f = *state;
	json_t *array, *ipv6, *icmp;

	gone.dport = 81;
	gone.flow.rule = GONE_RULE;
	fixture_add(f, &gone);
	fixture_add(f, &udp6_flow);
	fixture_add(f, &icmp_flow);
	array = print_json(f, NULL);
	assert_int_equal(json_array_size(array), 3);
	ipv6 = json_array_get(array, 0), icmp = json_array_get(array, 2); /* unconfirmed first */
	assert_string_equal(json_string_value(json_object_get(ipv6, "family")), "ipv6");
	assert_int_equal(json_array_size(json_object_get(ipv6, "flags")), 0);
	for (size_t i = 0; i < 2; i++)
		assert_true(json_is_null(json_object_get(json_array_get(array, i), "rule")));
	assert_string_equal(json_string_value(json_object_get(icmp, "rule")), ODD_ID);
	assert_int_equal(json_integer_value(json_object_get(icmp, "icmp_id")), 77);
	assert_null(json_object_get(icmp, "sport"));
	json_decref(array);
}

static void the_longest_flow_there_can_be_fits_the_printer(void **state)
{
	struct flow_spec spec = {
		.l4_proto = IPPROTO_TCP,
		.src = "1111:2222:3333:4444:5555:6666:7777:8888",
		.dst = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		.sport = 65535,
		.dport = 65534,
		.flow = {.packets = {INT64_MAX, INT64_MAX},
			 .bytes = {INT64_MAX, INT64_MAX},
			 .generation = UINT32_MAX,
			 .rule = ODD_RULE,
			 .nat_port = 0xffff,
			 .state = FLOW_STATE_MAX,
			 .flags = 0xff}, /* no state this version knows */
	};
	struct fixture *f = *state;
	json_t *array, *flow;
	char *text;

	fixture_add(f, &spec);
	text = print(f, NULL, false);
	assert_non_null(strstr(text, "bytes=9223372036854775807"));
	free(text);
	array = print_json(f, NULL);
	assert_non_null(flow = json_array_get(array, 0));
	assert_string_equal(json_string_value(json_object_get(flow, "src")), spec.src);
	json_decref(array);
}

static void a_rule_is_named_once_however_many_flows_it_has(void **state)
{
	struct flow flow = {.rule = WEB_RULE, .state = FLOW_STATE_UDP};
	struct fixture *f = *state;
	struct error error;
	unsigned int asked = 0;
	FILE *file = fopen("/dev/null", "w");
	struct flow_printer *printer = flow_printer_new(file, true, "wt0", rule_id, &asked);

	fixture_fill(f, 0, 100, &flow, 0);
	assert_int_equal(
		conntrack_walk(&f->conntrack, &f->clock, NULL, flow_printer_visit, printer, &error),
		0);
	assert_int_equal(asked, 1);
	flow_printer_free(printer);
	fclose(file);
}

static void a_failing_stream_is_reported(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = *state;
	struct error error = {0};
	FILE *file = fopen("/dev/full", "w");
	struct flow_printer *printer = flow_printer_new(file, false, "wt0", rule_id, NULL);

	fixture_fill(f, 0, 1, &flow, 0);
	assert_int_equal(
		conntrack_walk(&f->conntrack, &f->clock, NULL, flow_printer_visit, printer, &error),
		0);
	assert_int_equal(flow_printer_end(printer, &error), -ENOSPC);
	assert_string_equal(error.text, "writing output: No space left on device");
	flow_printer_free(printer);
	fclose(file);
}

static void a_flow_expires_strictly_after_its_timeout(void **state)
{
	static const struct {
		int64_t idle_ns;
		uint64_t alive;
		uint64_t remaining_s;
	} rows[] = {
		{-1000, 1, 30}, /* another CPU's clock is ahead */
		{0, 1, 30},
		{1, 1, 29},
		{30 * NS_PER_S - 1, 1, 0},
		{30 * NS_PER_S, 1, 0},
		{30 * NS_PER_S + 1, 0, 0},
		{3600 * NS_PER_S, 0, 0},
	};
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct conntrack_table table;
	struct flow_key4 key = {0};
	struct flow_view view;
	size_t i;

	(void)state;
	conntrack_table_init(&table, &conntrack_maps[2], -1, 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = fixture_new(16);

		fixture_fill(f, 0, 1, &flow, rows[i].idle_ns);
		assert_int_equal(count(f, NULL), rows[i].alive);
		flow.last_seen_ns = NOW_NS - rows[i].idle_ns;
		conntrack_view(&view, &table, &key, &flow, &f->clock);
		assert_int_equal(view.expired, !rows[i].alive);
		assert_in_range(view.remaining_ns, 0, 30 * NS_PER_S + 1000);
		assert_int_equal(view.remaining_ns / NS_PER_S, rows[i].remaining_s);
		fixture_free(f);
	}
}

static void counting_looks_into_every_table(void **state)
{
	struct fixture *f = *state;
	struct flow_spec spec = {.sport = 1, .dport = 2};
	size_t i;

	for (i = 0; i < CONNTRACK_TABLES; i++) {
		spec.l4_proto = conntrack_maps[i].l4_proto;
		spec.unconfirmed = !conntrack_maps[i].confirmed;
		spec.own = conntrack_maps[i].own;
		spec.src = conntrack_maps[i].ip_version == IP_VERSION_4 ? "10.0.0.1" : "fd00::1";
		spec.dst = conntrack_maps[i].ip_version == IP_VERSION_4 ? "10.0.0.2" : "fd00::2";
		spec.flow.state = FLOW_STATE_UDP;
		assert_int_equal(fixture_add(f, &spec), i);
		assert_int_equal(count(f, NULL), i + 1);
	}
}

static int stop_at_third(void *arg, const struct flow_view *view)
{
	(void)view;
	return ++*(int *)arg == 3 ? 42 : 0;
}

static void a_walk_ends_when_the_visitor_says_so(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = *state;
	struct error error;
	int visits = 0;

	fixture_fill(f, 0, 10, &flow, 0);
	assert_int_equal(
		conntrack_walk(&f->conntrack, &f->clock, NULL, stop_at_third, &visits, &error), 42);
	assert_int_equal(visits, 3);
}

static void flushing_by_a_filter_spares_the_others(void **state)
{
	struct filter udp = filter_by(FILTER_PROTOCOL, "udp");
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = *state;
	struct error error;
	uint64_t flushed = 0;

	fixture_add(f, &tcp_flow);
	fixture_add(f, &udp6_flow);
	fixture_fill(f, 0, 500, &flow, 0);
	assert_int_equal(conntrack_flush(&f->conntrack, &f->clock, &udp, &flushed, &error), 0);
	assert_int_equal(flushed, 501);
	assert_int_equal(count(f, NULL), 1);
	assert_int_equal(conntrack_flush(&f->conntrack, &f->clock, NULL, &flushed, &error), 0);
	assert_int_equal(flushed, 1);
	assert_int_equal(count(f, NULL), 0);
}

static void flushing_takes_more_flows_than_one_batch_holds(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = fixture_new(8192);
	struct error error;
	uint64_t flushed = 0;

	(void)state;
	fixture_fill(f, 0, 5000, &flow, 0);
	assert_int_equal(conntrack_flush(&f->conntrack, &f->clock, NULL, &flushed, &error), 0);
	assert_int_equal(flushed, 5000);
	assert_int_equal(count(f, NULL), 0);
	fixture_free(f);
}

static void flushing_removes_expired_flows_but_does_not_count_them(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = *state;
	struct error error;
	uint64_t flushed = 0;

	fixture_fill(f, 0, 2, &flow, 0);
	fixture_fill(f, 2, 3, &flow, 31 * NS_PER_S);
	assert_int_equal(conntrack_flush(&f->conntrack, &f->clock, NULL, &flushed, &error), 0);
	assert_int_equal(flushed, 2);
	f->clock.timeout_ns[FLOW_STATE_UDP] = 3600 * NS_PER_S;
	assert_int_equal(count(f, NULL), 0);
}

static void a_table_that_cannot_be_read_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct conntrack broken = f->conntrack;
	struct error error = {0};
	uint64_t n = 7;

	broken.tables[5].fd = -1;
	assert_int_equal(conntrack_count(&broken, &f->clock, NULL, &n, &error), -EBADF);
	assert_int_equal(n, 7);
	assert_string_equal(error.text, "reading a map: Bad file descriptor");
}

/* Walks the table of fixture_fill() and checks that each of its flows is met once. */
static void assert_walk_is_complete(struct fixture *f, uint32_t n, uint32_t batch_size, bool single)
{
	int fd = f->conntrack.tables[fixture_table(IPPROTO_UDP, IP_VERSION_4, true, false)].fd;
	uint8_t *met = calloc(n, 1);
	struct map_batch batch;
	struct error error;
	uint32_t i, total = 0;

	assert_int_equal(map_batch_init(&batch, batch_size, &error), 0);
	map_batch_rewind(&batch, fd, sizeof(struct flow_key4), sizeof(struct flow));
	batch.single = single;
	while (!batch.done) {
		assert_int_equal(map_batch_next(&batch, batch_size, &error), 0);
		for (i = 0; i < batch.count; i++) {
			const struct flow_key4 *key = (const struct flow_key4 *)batch.keys + i;
			uint32_t index = ntohl(key->addr[0]) - 0x0a000000;

			assert_in_range(index, 0, n - 1);
			assert_int_equal(met[index]++, 0);
		}
		total += batch.count;
	}
	assert_int_equal(total, n);
	map_batch_free(&batch);
	free(met);
}

static void a_walk_in_batches_of_any_size_meets_each_entry_once(void **state)
{
	/* From 1, where buckets that hold more make the batch grow, to more than there are. */
	static const uint32_t sizes[] = {1, 2, 3, 7, 64, 999, 1000, 1001, 4096};
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = *state;
	size_t i;

	fixture_fill(f, 0, 1000, &flow, 0);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_walk_is_complete(f, 1000, sizes[i], false);
		assert_walk_is_complete(f, 1000, sizes[i], true);
	}
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) + (now.tv_nsec - start->tv_nsec) / 1e9;
}

static void a_hundred_thousand_flows_are_listed_completely(void **state)
{
	struct flow flow = {.rule = WEB_RULE,
			    .state = FLOW_STATE_UDP,
			    .packets = {12345, 23456},
			    .bytes = {1234567, 2345678}};
	struct fixture *f = fixture_new(131072);
	struct timespec start;
	size_t lines = 0;
	char *text, *at;
	json_t *array;

	(void)state;
	fixture_fill(f, 0, 100000, &flow, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	text = print(f, NULL, true);
	print_message("100,000 flows as JSON: %.3f s\n", seconds_since(&start));
	array = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(array), 100000);
	json_decref(array);
	free(text);

	clock_gettime(CLOCK_MONOTONIC, &start);
	text = print(f, NULL, false);
	print_message("100,000 flows as text: %.3f s\n", seconds_since(&start));
	for (at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 100000);
	free(text);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_table_has_a_name_of_its_own_that_a_map_can_bear),
#define ON_TABLES(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		ON_TABLES(a_flow_is_a_line_with_the_opener_first),
		ON_TABLES(a_flow_that_leaves_by_nat_shows_the_answers_as_they_come),
		ON_TABLES(an_unconfirmed_flow_of_this_host_is_marked),
		ON_TABLES(an_icmp_flow_has_an_id_and_an_odd_rule_id_is_quoted),
		ON_TABLES(a_flow_opened_by_the_lower_end_is_shown_from_there),
		ON_TABLES(json_of_no_flow_is_an_empty_array),
		ON_TABLES(json_has_every_field_of_a_flow),
		ON_TABLES(json_of_several_flows_is_one_document),
		ON_TABLES(the_longest_flow_there_can_be_fits_the_printer),
		ON_TABLES(a_rule_is_named_once_however_many_flows_it_has),
		ON_TABLES(a_failing_stream_is_reported),
		cmocka_unit_test(a_flow_expires_strictly_after_its_timeout),
		ON_TABLES(counting_looks_into_every_table),
		ON_TABLES(a_walk_ends_when_the_visitor_says_so),
		ON_TABLES(flushing_by_a_filter_spares_the_others),
		cmocka_unit_test(flushing_takes_more_flows_than_one_batch_holds),
		ON_TABLES(flushing_removes_expired_flows_but_does_not_count_them),
		ON_TABLES(a_table_that_cannot_be_read_is_an_error),
		ON_TABLES(a_walk_in_batches_of_any_size_meets_each_entry_once),
		cmocka_unit_test(a_hundred_thousand_flows_are_listed_completely),
#undef ON_TABLES
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
