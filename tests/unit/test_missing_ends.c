/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ends that no program reports: connections in real tables, and some that vanish from them. */
#include "unit/flow_fixture.h"

#include "base/address.h"
#include "conntrack/missing_ends.h"

#define FLOWS 300

static struct {
	struct fixture *fixture;
	struct missing_ends *ends;
	struct map_set maps;
	struct flow_event last; /* end that was reported */
	unsigned int n_reported;
} t;

static int on_event(void *arg, const struct flow_event *event)
{
	(void)arg;
	t.last = *event;
	t.n_reported++;
	return 0;
}

static int setup(void **state)
{
	struct error error;

	(void)state;
	memset(&t, 0, sizeof(t));
	t.fixture = fixture_new(1024);
	t.ends = missing_ends_new();
	assert_non_null(t.ends);
	map_set_init(&t.maps);
	for (int i = 0; i < CONNTRACK_TABLES; i++)
		assert_int_equal(
			map_set_add(&t.maps, dup(t.fixture->conntrack.tables[i].fd), &error), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	map_set_free(&t.maps);
	missing_ends_free(t.ends);
	fixture_free(t.fixture);
	return 0;
}

static struct flow_event event_of(const struct flow_spec *spec, enum flow_event_type type)
{
	bool is_icmp = spec->l4_proto == IPPROTO_ICMP || spec->l4_proto == IPPROTO_ICMPV6;
	struct flow_event event = {
		.type = type,
		.created_ns = spec->flow.created_ns,
		.port = {htons(spec->sport), is_icmp ? 0 : htons(spec->dport)},
		.l4_proto = spec->l4_proto,
	};
	struct error error;

	assert_int_equal(addr_parse(spec->src, &event.addr[0], &event.ip_version, &error), 0);
	assert_int_equal(addr_parse(spec->dst, &event.addr[1], &event.ip_version, &error), 0);
	return event;
}

static void note(const struct flow_spec *spec, enum flow_event_type type)
{
	struct flow_event event = event_of(spec, type);

	missing_ends_note(t.ends, &event);
}

static unsigned int scan(void)
{
	t.n_reported = 0;
	assert_int_equal(missing_ends_scan(t.ends, &t.maps, NOW_NS, on_event, NULL), 0);
	return t.n_reported;
}

static const struct flow_spec specs[] = {
	{IPPROTO_TCP, true, "100.64.0.2", "100.64.0.1", 40000, 22, 0, {.created_ns = 1}, false},
	{IPPROTO_TCP, false, "100.64.0.1", "100.64.0.2", 22, 40000, 0, {.created_ns = 2}, false},
	{IPPROTO_UDP, true, "100.64.0.1", "100.64.0.1", 9, 7, 0, {.created_ns = 3}, false},
	{IPPROTO_UDP, true, "fd64::2", "fd64::1", 40000, 53, 0, {.created_ns = 4}, false},
	{IPPROTO_TCP, false, "fd64::1", "fd64::2", 40000, 53, 0, {.created_ns = 5}, false},
	{IPPROTO_ICMP, true, "100.64.0.2", "100.64.0.1", 77, 0, 0, {.created_ns = 6}, false},
	{IPPROTO_ICMPV6, true, "fd64::1", "fd64::2", 77, 0, 0, {.created_ns = 7}, false},
	{IPPROTO_GRE, true, "100.64.0.2", "100.64.0.1", 0, 0, 0, {.created_ns = 8}, false},
	{IPPROTO_ESP, true, "fd64::1", "fd64::2", 0, 0, 0, {.created_ns = 9}, false},
};

#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

static void who_is_tracked_is_left_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SPECS; i++) {
		fixture_add(t.fixture, &specs[i]);
		note(&specs[i], FLOW_EVENT_START);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(scan(), 0);
}

static void who_was_there_before_is_reported_too(void **state)
{
	const struct flow_spec over = {
		IPPROTO_TCP,
		false,
		"100.64.0.9",
		"100.64.0.1",
		40000,
		22,
		0,
		{.created_ns = 9, .state = FLOW_STATE_CLOSED},
		false,
	};
	struct error error;

	(void)state;
	for (size_t i = 0; i < N_SPECS; i++)
		fixture_add(t.fixture, &specs[i]);
	fixture_add(t.fixture, &over);
	assert_int_equal(
		missing_ends_begin(t.ends, &t.fixture->conntrack, &t.fixture->clock, 7, &error), 0);
	/* their starts may still be read */
	note(&specs[0], FLOW_EVENT_START);
	for (size_t i = 0; i < N_SPECS; i++)
		fixture_remove(t.fixture, &specs[i]);
	fixture_remove(t.fixture, &over);
	scan();
	assert_int_equal(scan(), N_SPECS);
	assert_int_equal(t.last.ifindex, 7);
}

static void who_vanishes_is_reported_once_with_its_last_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SPECS; i++) {
		struct flow_spec spec = specs[i];

		spec.flow.packets[1] = 5;
		spec.flow.bytes[0] = 900;
		spec.flow.state = FLOW_STATE_UDP;
		fixture_add(t.fixture, &spec);
		note(&spec, FLOW_EVENT_START);
		assert_int_equal(scan(), 0);
		fixture_remove(t.fixture, &spec);
		assert_int_equal(scan(), 0); /* its end event may be in the ring still */
		assert_int_equal(scan(), 1);
		assert_int_equal(t.last.type, FLOW_EVENT_END);
		assert_int_equal(t.last.cause, FLOW_CAUSE_EVICTED);
		assert_int_equal(t.last.time_ns, NOW_NS);
		assert_int_equal(t.last.created_ns, spec.flow.created_ns);
		assert_int_equal(t.last.packets[1], 5);
		assert_int_equal(t.last.bytes[0], 900);
		assert_int_equal(t.last.flow_state, FLOW_STATE_UDP);
		assert_int_equal(scan(), 0);
	}
}

static void who_has_ended_is_not_reported_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SPECS; i++) {
		note(&specs[i], FLOW_EVENT_START);
		assert_int_equal(scan(), 0);
		note(&specs[i], FLOW_EVENT_END);
		assert_int_equal(scan(), 0);
		assert_int_equal(scan(), 0);
	}
}

static void who_came_back_under_the_same_address_is_another(void **state)
{
	struct flow_spec again = specs[0];

	(void)state;
	again.flow.created_ns = 99;
	note(&specs[0], FLOW_EVENT_START);
	note(&again, FLOW_EVENT_START);
	fixture_add(t.fixture, &again);
	assert_int_equal(scan(), 0);
	assert_int_equal(scan(), 1);
	assert_int_equal(t.last.created_ns, specs[0].flow.created_ns);
	assert_int_equal(scan(), 0);
}

static void a_move_to_the_other_table_is_no_end(void **state)
{
	struct flow_spec confirmed = specs[0];

	(void)state;
	confirmed.unconfirmed = false;
	fixture_add(t.fixture, &specs[0]);
	note(&specs[0], FLOW_EVENT_START);
	assert_int_equal(scan(), 0);
	fixture_add(t.fixture, &confirmed);
	fixture_remove(t.fixture, &specs[0]);
	assert_int_equal(scan(), 0);
	assert_int_equal(scan(), 0);
}

/* Each second one stays: places in list and hash move all the time. */
static void of_many_only_those_that_vanish_are_reported(void **state)
{
	struct flow_spec spec = specs[0];

	(void)state;
	for (uint16_t i = 0; i < FLOWS; i++) {
		spec.sport = i;
		spec.flow.created_ns = i % 3 + 1;
		note(&spec, FLOW_EVENT_START);
		if (i % 2)
			fixture_add(t.fixture, &spec);
	}
	for (uint16_t i = 0; i < FLOWS; i += 4) {
		spec.sport = i;
		spec.flow.created_ns = i % 3 + 1;
		note(&spec, FLOW_EVENT_END);
	}
	assert_int_equal(scan(), 0);
	scan();
	scan(); /* what took a place behind the look comes in the next one */
	t.n_reported = 0;
	for (uint16_t i = 1; i < FLOWS; i += 2) {
		spec.sport = i;
		fixture_remove(t.fixture, &spec);
	}
	for (unsigned int i = 0, n_reported = 0; n_reported < FLOWS / 2;
	     n_reported += t.n_reported, i++) {
		assert_true(i < 5);
		scan();
	}
	assert_int_equal(scan(), 0);
}

static void after_losses_nothing_is_followed(void **state)
{
	(void)state;
	note(&specs[0], FLOW_EVENT_START);
	assert_int_equal(scan(), 0);
	missing_ends_clear(t.ends);
	assert_int_equal(scan(), 0);
	assert_int_equal(scan(), 0);
}

static void who_is_too_many_is_counted(void **state)
{
	struct flow_spec spec = specs[0];

	(void)state;
	for (uint32_t i = 0; i < MISSING_ENDS_MAX + 3; i++) {
		spec.flow.created_ns = i + 1;
		note(&spec, FLOW_EVENT_START);
	}
	assert_int_equal(missing_ends_skipped(t.ends), 3);
	assert_int_equal(scan(), 0); /* a step: the rest comes later */
	spec.flow.created_ns = 1;
	note(&spec, FLOW_EVENT_END);
	spec.flow.created_ns = MISSING_ENDS_MAX + 9;
	note(&spec, FLOW_EVENT_START);
	assert_int_equal(missing_ends_skipped(t.ends), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_is_tracked_is_left_alone),
		TEST(who_was_there_before_is_reported_too),
		TEST(who_vanishes_is_reported_once_with_its_last_counts),
		TEST(who_has_ended_is_not_reported_again),
		TEST(who_came_back_under_the_same_address_is_another),
		TEST(a_move_to_the_other_table_is_no_end),
		TEST(of_many_only_those_that_vanish_are_reported),
		TEST(after_losses_nothing_is_followed),
		TEST(who_is_too_many_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
