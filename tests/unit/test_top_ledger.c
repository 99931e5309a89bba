/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What connections have moved between two looks, and its sums: real tables, time that stands still. */
#include "unit/flow_fixture.h"

#include <stdio.h>
#include <time.h>

#include "base/address.h"
#include "conntrack/filter.h"
#include "reason.h"
#include "rule.h"
#include "top/ledger.h"
#include "top/rows.h"

#define MANY	65536
#define LOOK_MS 100 /* that a look and its rows may take with so many connections */

static struct {
	struct fixture *fixture;
	struct ledger ledger;
	struct top_rows rows;
	struct flow_spec spec; /* of a peer's connection */
} t;

static int setup_with(uint32_t max_entries)
{
	struct error error;

	memset(&t, 0, sizeof(t));
	t.fixture = fixture_new(max_entries);
	t.spec = (struct flow_spec){
		.l4_proto = IPPROTO_TCP,
		.src = "100.64.0.2",
		.dst = "100.64.0.1",
		.sport = 40000,
		.dport = 22,
		.flow = {.created_ns = NOW_NS - NS_PER_S,
			 .packets = {3, 2},
			 .bytes = {300, 200},
			 .rule = 7,
			 .state = FLOW_STATE_ESTABLISHED,
			 .flags = FLOW_BY_PEER},
	};
	return ledger_open(&t.ledger, 7, &error);
}

static int setup(void **state)
{
	(void)state;
	return setup_with(1024);
}

static int setup_many(void **state)
{
	(void)state;
	return setup_with(MANY);
}

static int teardown(void **state)
{
	(void)state;
	ledger_close(&t.ledger);
	top_rows_free(&t.rows);
	fixture_free(t.fixture);
	return 0;
}

static void look(void)
{
	struct error error;

	assert_int_equal(ledger_look(&t.ledger, &t.fixture->conntrack, &t.fixture->clock, &error),
			 0);
}

/* The event of the connection, as its entry is now. */
static struct flow_event event_of(enum flow_event_type type)
{
	const struct flow *flow = &t.spec.flow;
	struct flow_event event = {
		.type = type,
		.created_ns = flow->created_ns,
		.packets = {flow->packets[0], flow->packets[1]},
		.bytes = {flow->bytes[0], flow->bytes[1]},
		.rule = flow->rule,
		.port = {htons(t.spec.sport), htons(t.spec.dport)},
		.l4_proto = t.spec.l4_proto,
		.flow_state = flow->state,
		.direction = flow->flags & FLOW_BY_PEER ? DIR_INGRESS : DIR_EGRESS,
	};
	struct error error;

	assert_int_equal(addr_parse(t.spec.src, &event.addr[0], &event.ip_version, &error), 0);
	assert_int_equal(addr_parse(t.spec.dst, &event.addr[1], &event.ip_version, &error), 0);
	return event;
}

static void hear(enum flow_event_type type)
{
	struct flow_event event = event_of(type);

	assert_int_equal(ledger_event(&t.ledger, &event), 0);
}

/* So many packets of as many hundred bytes have come and gone. */
static void move(unsigned int came, unsigned int went)
{
	t.spec.flow.packets[0] += came;
	t.spec.flow.bytes[0] += 100 * came;
	t.spec.flow.packets[1] += went;
	t.spec.flow.bytes[1] += 100 * went;
}

static void moved_is(unsigned int came, unsigned int went)
{
	const struct ledger_moved *last = &t.ledger.flows[0].last;

	assert_int_equal(last->packets[0], came);
	assert_int_equal(last->bytes[0], 100 * came);
	assert_int_equal(last->packets[1], went);
	assert_int_equal(last->bytes[1], 100 * went);
}

static void was(bool opened, bool ended, bool is_there)
{
	assert_int_equal(t.ledger.n, 1);
	assert_int_equal(t.ledger.flows[0].opened, opened);
	assert_int_equal(t.ledger.flows[0].ended, ended);
	assert_int_equal(t.ledger.flows[0].is_there, is_there);
}

static void a_connection_that_was_there_has_moved_the_difference(void **state)
{
	(void)state;
	fixture_add(t.fixture, &t.spec);
	look();
	was(false, false, true);
	moved_is(0, 0);
	fixture_remove(t.fixture, &t.spec);
	move(5, 4);
	fixture_add(t.fixture, &t.spec);
	look();
	was(false, false, true);
	moved_is(5, 4);
	move(1, 1);
	hear(FLOW_EVENT_END);
	fixture_remove(t.fixture, &t.spec);
	look();
	was(false, true, false);
	moved_is(1, 1);
	look();
	assert_int_equal(t.ledger.n, 0);
}

static void a_connection_between_two_looks_has_moved_all_it_sent(void **state)
{
	(void)state;
	look();
	t.spec.flow.created_ns = NOW_NS + NS_PER_S;
	hear(FLOW_EVENT_START);
	assert_int_equal(t.ledger.n, 0);
	hear(FLOW_EVENT_END);
	look();
	was(true, true, false);
	moved_is(3, 2);
	look();
	assert_int_equal(t.ledger.n, 0);
}

static void an_end_counts_once_whether_entry_or_event_comes_first(void **state)
{
	(void)state;
	look();
	t.spec.flow.created_ns = NOW_NS + NS_PER_S;
	t.spec.flow.state = FLOW_STATE_TIME_WAIT;
	fixture_add(t.fixture, &t.spec);
	look(); /* its event is on the way */
	was(true, true, false);
	moved_is(3, 2);
	hear(FLOW_EVENT_END);
	fixture_remove(t.fixture, &t.spec);
	move(1, 0); /* the last segment, which ends nothing any more */
	fixture_add(t.fixture, &t.spec);
	look();
	was(false, false, false);
	moved_is(1, 0);
	fixture_remove(t.fixture, &t.spec);
	look();
	was(false, false, false);
	look();
	assert_int_equal(t.ledger.n, 0);
}

static void what_vanishes_has_ended_when_it_is_missed_again(void **state)
{
	(void)state;
	fixture_add(t.fixture, &t.spec);
	look();
	fixture_remove(t.fixture, &t.spec);
	look();
	was(false, false, false);
	look();
	was(false, true, false);
	look();
	assert_int_equal(t.ledger.n, 0);
	/* the sweep reports it late */
	t.fixture->clock.now_ns += NS_PER_S;
	look();
	hear(FLOW_EVENT_END);
	assert_int_equal(t.ledger.n, 0);
}

static void an_event_on_its_way_brings_the_last_packets(void **state)
{
	(void)state;
	fixture_add(t.fixture, &t.spec);
	look();
	fixture_remove(t.fixture, &t.spec);
	look();
	move(2, 0);
	hear(FLOW_EVENT_END);
	look();
	was(false, true, false);
	moved_is(2, 0);
}

static void those_that_had_ended_before_the_first_look_are_no_news(void **state)
{
	(void)state;
	t.spec.flow.state = FLOW_STATE_TIME_WAIT;
	fixture_add(t.fixture, &t.spec);
	look();
	was(false, false, false);
	fixture_remove(t.fixture, &t.spec);
	look();
	was(false, false, false);
}

/* The rows of a question, with what it has besides. */
static void ask(struct top_question question)
{
	struct error error;

	filter_init(&question.filter);
	assert_int_equal(top_rows_make(&t.rows, &t.ledger, &question, &error), 0);
}

static void drop(const char *src, uint16_t sport, uint8_t reason)
{
	struct flow_event event;

	t.spec.src = src;
	t.spec.sport = sport;
	event = event_of(FLOW_EVENT_DROP);
	event.reason = reason;
	event.packets[0] = 1;
	event.bytes[0] = 100;
	assert_int_equal(ledger_event(&t.ledger, &event), 0);
}

static void rows_are_sums_by_what_is_asked_for(void **state)
{
	struct top_row sum;

	(void)state;
	look();
	t.spec.flow.created_ns = NOW_NS + NS_PER_S;
	fixture_add(t.fixture, &t.spec);
	t.spec.sport++;
	t.spec.dport = 80;
	t.spec.flow.rule = 8;
	fixture_add(t.fixture, &t.spec);
	t.spec.flow.flags = 0; /* of this host, which is the peer's other end */
	t.spec.src = "100.64.0.1";
	t.spec.dst = "100.64.0.3";
	t.spec.flow.rule = RULE_NONE;
	fixture_add(t.fixture, &t.spec);
	t.spec.flow.flags = FLOW_BY_PEER;
	t.spec.dst = "100.64.0.1";
	drop("100.64.0.2", 1, REASON_PEER_ACL_DENIED);
	drop("100.64.0.2", 2, REASON_PEER_ACL_DENIED);
	drop("100.64.0.2", 2, REASON_PEER_ACL_DEFAULT);
	look();
	ask((struct top_question){.by = TOP_BY_PEER});
	assert_int_equal(t.rows.n, 2);
	assert_int_equal(t.rows.list[0].bytes[0], 600);
	assert_int_equal(t.rows.list[0].bytes[1], 400);
	assert_int_equal(t.rows.list[0].connections, 2);
	assert_int_equal(t.rows.list[0].opened, 2);
	assert_int_equal(t.rows.list[0].drops, 3);
	assert_string_equal(top_row_reason(&t.rows.list[0]), "peer_acl_denied");
	assert_int_equal(t.rows.list[1].bytes[0], 200); /* the peer has answered */
	assert_int_equal(t.rows.list[1].bytes[1], 300);
	top_row_sum(&t.rows, 0, &sum);
	assert_int_equal(sum.bytes[0], 800);
	assert_int_equal(sum.drops, 3);
	ask((struct top_question){.by = TOP_BY_RULE});
	assert_int_equal(t.rows.n, 3);
	ask((struct top_question){.by = TOP_BY_DEST, .order = TOP_ORDER_TX});
	assert_int_equal(t.rows.n, 3);
	assert_int_equal(t.rows.list[0].bytes[1], 300);
	ask((struct top_question){.by = TOP_BY_FLOW, .order = TOP_ORDER_DROPS});
	assert_int_equal(t.rows.n, 5);
	assert_int_equal(t.rows.list[0].drops, 2); /* of two ports, and so of none */
	assert_int_equal(t.rows.list[0].key.port[0], 0);
}

static void a_row_is_opened_by_its_key(void **state)
{
	struct top_question question = {.by = TOP_BY_PEER};
	struct top_key peer;

	(void)state;
	look();
	t.spec.flow.created_ns = NOW_NS + NS_PER_S;
	fixture_add(t.fixture, &t.spec);
	t.spec.src = "100.64.0.3";
	fixture_add(t.fixture, &t.spec);
	t.spec.dport = 80;
	fixture_add(t.fixture, &t.spec);
	look();
	ask(question);
	assert_int_equal(t.rows.n, 2);
	peer = t.rows.list[0].key;
	question.scopes[question.n_scopes++] = (struct top_scope){TOP_BY_PEER, peer};
	question.by = TOP_BY_FLOW;
	ask(question);
	assert_int_equal(t.rows.n, 2);
	question.by = TOP_BY_DEST;
	ask(question);
	question.scopes[question.n_scopes++] = (struct top_scope){TOP_BY_DEST, t.rows.list[0].key};
	question.by = TOP_BY_FLOW;
	ask(question);
	assert_int_equal(t.rows.n, 1);
	assert_memory_equal(&t.rows.list[0].key.addr[0], &peer.addr[0], sizeof(union addr));
}

static void drops_of_too_many_kinds_are_counted(void **state)
{
	char src[16];

	(void)state;
	for (unsigned int i = 0; i < AGGREGATES_MAX + 5; i++) {
		snprintf(src, sizeof(src), "100.64.%u.%u", i >> 8, i & 0xff);
		drop(src, 1, REASON_PEER_ACL_DEFAULT);
	}
	look();
	assert_int_equal(t.ledger.drops->n, AGGREGATES_MAX);
	assert_int_equal(t.ledger.drops_beyond, 5);
	look();
	assert_int_equal(t.ledger.drops->n + t.ledger.drops_beyond, 0);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void many_connections_are_looked_at_in_time(void **state)
{
	static const enum top_by bys[] = {TOP_BY_PEER, TOP_BY_FLOW};
	uint64_t least_ns[2] = {UINT64_MAX, UINT64_MAX};
	const struct flow flow = {.created_ns = 1, .state = FLOW_STATE_UDP, .rule = RULE_NONE};

	(void)state;
	fixture_fill(t.fixture, 0, MANY, &flow, 0);
	look();
	for (int i = 0; i < 10; i++) {
		uint64_t begin_ns = cpu_ns(), ns;

		look();
		ask((struct top_question){.by = bys[i % 2]});
		ns = cpu_ns() - begin_ns;
		if (ns < least_ns[i % 2])
			least_ns[i % 2] = ns;
	}
	assert_int_equal(t.ledger.n, MANY);
	assert_int_equal(t.rows.n, MANY);
	print_message("%u connections: a look by peer in %.1f ms, by connection in %.1f ms\n", MANY,
		      least_ns[0] / (double)NS_PER_MS, least_ns[1] / (double)NS_PER_MS);
#ifndef __SANITIZE_ADDRESS__
	assert_true(least_ns[0] < LOOK_MS * NS_PER_MS && least_ns[1] < LOOK_MS * NS_PER_MS);
#endif
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_connection_that_was_there_has_moved_the_difference),
		ROW(a_connection_between_two_looks_has_moved_all_it_sent),
		ROW(an_end_counts_once_whether_entry_or_event_comes_first),
		ROW(what_vanishes_has_ended_when_it_is_missed_again),
		ROW(an_event_on_its_way_brings_the_last_packets),
		ROW(those_that_had_ended_before_the_first_look_are_no_news),
		ROW(rows_are_sums_by_what_is_asked_for),
		ROW(a_row_is_opened_by_its_key),
		ROW(drops_of_too_many_kinds_are_counted),
		cmocka_unit_test_setup_teardown(many_connections_are_looked_at_in_time, setup_many,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
