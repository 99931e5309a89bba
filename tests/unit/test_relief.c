/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Making room in full tables of confirmed flows: what goes, and in which order; on real maps. */
#include "unit/flow_fixture.h"

#include <errno.h>

#include "base/clock.h"
#include "conntrack/relief.h"
#include "conntrack/removal.h"

#define SOURCES 64
#define OWN	0 /* as a source: flows of this host */

static struct {
	struct fixture *f;
	struct relief relief;
	unsigned int added[SOURCES];
	unsigned int evicted[SOURCES]; /* open ones */
	unsigned int closed;
	unsigned int expired;
	uint64_t least_idle_ns[SOURCES]; /* of the evicted */
} t;

static void note_deleted(void *arg, const struct flow_view *view, enum removal_reason reason)
{
	bool by_peer = view->flow->flags & FLOW_BY_PEER;
	unsigned int source = by_peer ? view->addr[0].bytes[14] : OWN;

	(void)arg;
	if (reason == REMOVAL_EXPIRED) {
		t.expired++;
		return;
	}
	if (view->state == FLOW_STATE_CLOSED || view->state == FLOW_STATE_TIME_WAIT) {
		t.closed++;
		return;
	}
	t.evicted[source]++;
	if (view->idle_ns < t.least_idle_ns[source])
		t.least_idle_ns[source] = view->idle_ns;
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	memset(t.least_idle_ns, 0xff, sizeof(t.least_idle_ns));
	t.f = fixture_new(1000);
	relief_init(&t.relief);
	t.relief.deleted = note_deleted;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	relief_free(&t.relief);
	fixture_free(t.f);
	return 0;
}

static size_t udp_table(uint8_t ip_version)
{
	return fixture_table(IPPROTO_UDP, ip_version, true, false);
}

/* The flow's key; the opener is end 0, 10.0.SOURCE.0 or fd00::SOURCE:0 (for OWN, this host). */
static void key_of(uint8_t ip_version, unsigned int source, uint32_t number, struct flow_key6 *key)
{
	struct flow_key4 *key4 = (struct flow_key4 *)key;

	memset(key, 0, sizeof(*key));
	if (ip_version == IP_VERSION_4) {
		key4->addr[0] = htonl(0x0a000000 | source << 8);
		key4->addr[1] = htonl(0xc0000000 + (number >> 16));
		key4->port[0] = htons(number);
		key4->l4_proto = IPPROTO_UDP;
		return;
	}
	key->addr[0].bytes[0] = 0xfd;
	key->addr[0].bytes[14] = source;
	key->addr[1].bytes[0] = 0xfe;
	key->addr[1].word[3] = htonl(number >> 16);
	key->port[0] = htons(number);
	key->l4_proto = IPPROTO_UDP;
}

/* @n flows of a source; each has been idle for @step_ns longer than the one before. */
static void add(uint8_t ip_version, unsigned int source, uint8_t flow_state, uint32_t n,
		uint64_t idle_ns, uint64_t step_ns)
{
	int fd = t.f->conntrack.tables[udp_table(ip_version)].fd;
	struct flow flow = {.state = flow_state, .flags = FLOW_CONFIRMED};
	struct flow_key6 key;

	if (source != OWN)
		flow.flags |= FLOW_BY_PEER;
	for (uint32_t i = 0; i < n; i++) {
		key_of(ip_version, source, t.added[source]++, &key);
		flow.last_seen_ns = NOW_NS - idle_ns - i * step_ns;
		assert_int_equal(bpf_map_update_elem(fd, &key, &flow, BPF_NOEXIST), 0);
	}
}

/* Steps until there is nothing to do at this time; returns their number. */
static unsigned int relieve(uint32_t max_entries)
{
	unsigned int steps = 0;
	struct error error;

	do {
		assert_int_equal(
			relief_step(&t.relief, &t.f->conntrack, &t.f->clock, max_entries, &error),
			0);
		steps++;
	} while (!t.relief.wait_ns);
	return steps;
}

static void fill_and_relieve(uint8_t ip_version)
{
	relief_request(&t.relief, udp_table(ip_version), RELIEF_FULL, NOW_NS);
	relieve(64);
	assert_int_equal(t.relief.wait_ns, RELIEF_IDLE);
}

static void a_table_that_is_not_nearly_full_is_left_alone(void **state)
{
	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_ESTABLISHED, 960, 100 * NS_PER_S, 0);
	fill_and_relieve(IP_VERSION_4);
	assert_int_equal(t.relief.evicted, 0);
}

static void expired_flows_go_first_and_may_be_enough(void **state)
{
	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 890, 0, 0);
	add(IP_VERSION_4, 2, FLOW_STATE_UDP, 110, 31 * NS_PER_S + 1, 0);
	fill_and_relieve(IP_VERSION_4);
	assert_int_equal(t.expired, 110);
	assert_int_equal(t.relief.evicted, 0);
}

static void closed_flows_go_before_any_open_one(void **state)
{
	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_ESTABLISHED, 940, 10000 * NS_PER_S, 0);
	add(IP_VERSION_4, 2, FLOW_STATE_TIME_WAIT, 30, 1 * NS_PER_S, 0);
	add(IP_VERSION_4, OWN, FLOW_STATE_CLOSED, 30, 1 * NS_PER_S, 0);
	fill_and_relieve(IP_VERSION_4);
	assert_int_equal(t.closed, 60);
	assert_int_equal(t.relief.evicted, 60);
}

static void the_greediest_source_loses_those_idle_longest(void **state)
{
	static const uint8_t versions[] = {IP_VERSION_4, IP_VERSION_6};

	for (size_t i = 0; i < 2; i++) {
		setup(state);
		add(versions[i], 1, FLOW_STATE_ESTABLISHED, 600, NS_PER_S, NS_PER_S);
		add(versions[i], 2, FLOW_STATE_ESTABLISHED, 100, 5000 * NS_PER_S, 0);
		add(versions[i], 3, FLOW_STATE_ESTABLISHED, 1, 9000 * NS_PER_S, 0);
		add(versions[i], OWN, FLOW_STATE_ESTABLISHED, 299, 9000 * NS_PER_S, 0);
		fill_and_relieve(versions[i]);
		assert_int_equal(t.evicted[1], 60);
		assert_int_equal(t.relief.evicted, 60);
		assert_int_equal(t.least_idle_ns[1], 541 * NS_PER_S);
		if (!i)
			teardown(state);
	}
}

static void sources_are_cut_down_to_the_same_share(void **state)
{
	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 500, 0, 0);
	add(IP_VERSION_4, 2, FLOW_STATE_UDP, 470, 0, 0);
	add(IP_VERSION_4, 3, FLOW_STATE_UDP, 30, 20 * NS_PER_S, 0);
	fill_and_relieve(IP_VERSION_4);
	assert_int_equal(t.evicted[1], 45);
	assert_int_equal(t.evicted[2], 15);
	assert_int_equal(t.evicted[3], 0);
}

static void between_equal_sources_idleness_decides(void **state)
{
	uint32_t i;

	(void)state;
	/* 61 sources of 16 flows: 60 to go are one of each but the source that is idle least. */
	for (i = 1; i <= 61; i++)
		add(IP_VERSION_4, i, FLOW_STATE_UDP, 16, i * 100 * NS_PER_MS, 0);
	add(IP_VERSION_4, OWN, FLOW_STATE_UDP, 24, 20 * NS_PER_S, 0);
	fill_and_relieve(IP_VERSION_4);
	assert_int_equal(t.relief.evicted, 60);
	for (i = 1; i <= 61; i++)
		assert_int_equal(t.evicted[i], i > 1);
	assert_int_equal(t.evicted[OWN], 0);
}

static void flows_of_this_host_go_last(void **state)
{
	(void)state;
	add(IP_VERSION_4, OWN, FLOW_STATE_UDP, 960, NS_PER_S, 10 * NS_PER_MS);
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 40, 0, 0);
	fill_and_relieve(IP_VERSION_4);
	assert_int_equal(t.evicted[1], 40);
	assert_int_equal(t.evicted[OWN], 20);
	assert_int_equal(t.least_idle_ns[OWN], NS_PER_S + 940 * 10 * NS_PER_MS);
}

static void flows_that_have_been_used_since_they_were_read_stay(void **state)
{
	int fd = t.f->conntrack.tables[udp_table(IP_VERSION_4)].fd;
	struct flow flow;
	struct flow_key6 key;
	struct error error;

	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 1000, NS_PER_S, 10 * NS_PER_MS);
	relief_request(&t.relief, udp_table(IP_VERSION_4), RELIEF_FULL, NOW_NS);
	while (!t.relief.evicting)
		assert_int_equal(relief_step(&t.relief, &t.f->conntrack, &t.f->clock, 64, &error),
				 0);
	key_of(IP_VERSION_4, 1, 999, &key); /* the first to go */
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &flow), 0);
	flow.last_seen_ns = NOW_NS;
	assert_int_equal(bpf_map_update_elem(fd, &key, &flow, BPF_EXIST), 0);
	relieve(64);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &flow), 0);
	assert_int_equal(t.relief.evicted, 59);
}

static void pressure_gets_a_little_room_at_once_and_more_when_it_ends(void **state)
{
	size_t table = udp_table(IP_VERSION_4);

	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 1000, 0, 0);
	relief_request(&t.relief, table, RELIEF_PRESSED, 0);
	relieve(4096);
	assert_int_equal(t.relief.evicted, 30);
	assert_int_equal(t.relief.wait_ns, RELIEF_SETTLE_NS);

	/* again: the wait for more begins anew */
	t.f->clock.now_ns += NS_PER_S / 2;
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 30, 0, 0);
	relief_request(&t.relief, table, RELIEF_PRESSED, 0);
	relieve(4096);
	assert_int_equal(t.relief.evicted, 60);
	assert_int_equal(t.relief.wait_ns, RELIEF_SETTLE_NS);

	t.f->clock.now_ns += RELIEF_SETTLE_NS;
	relieve(4096);
	assert_int_equal(t.relief.evicted, 90);
	assert_int_equal(t.relief.wait_ns, RELIEF_IDLE);
	assert_false(relief_is_wanted(&t.relief));
}

static void a_pass_under_pressure_pauses_the_next_for_as_long(void **state)
{
	size_t table = udp_table(IP_VERSION_4);
	struct error error;

	(void)state;
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, 1000, 0, 0);
	relief_request(&t.relief, table, RELIEF_PRESSED, 0);
	assert_int_equal(relief_step(&t.relief, &t.f->conntrack, &t.f->clock, 64, &error), 0);
	t.f->clock.now_ns += 100 * NS_PER_MS;
	relief_request(&t.relief, table, RELIEF_PRESSED, 0);
	relieve(64);
	assert_int_equal(t.relief.evicted, 30);
	assert_int_equal(t.relief.wait_ns, 100 * NS_PER_MS);
	t.f->clock.now_ns += 100 * NS_PER_MS;
	relieve(64);
	assert_false(t.relief.tables[table].pressed);
}

static void a_table_that_cannot_be_read_is_given_up(void **state)
{
	struct conntrack broken = t.f->conntrack;
	size_t table = udp_table(IP_VERSION_4);
	struct error error;

	(void)state;
	broken.tables[table].fd = -1;
	relief_request(&t.relief, table, RELIEF_FULL, NOW_NS);
	assert_int_equal(relief_step(&t.relief, &broken, &t.f->clock, 64, &error), -EBADF);
	assert_false(relief_is_wanted(&t.relief));
}

static void the_table_of_a_protocol_is_found(void **state)
{
	static const struct {
		uint8_t l4_proto, ip_version;
		const char *name;
	} rows[] = {
		{IPPROTO_TCP, 4, "ct_tcp4_v2"},	  {IPPROTO_UDP, 6, "ct_udp6_v2"},
		{IPPROTO_ICMP, 4, "ct_icmp4_v2"}, {IPPROTO_ICMPV6, 6, "ct_icmp6_v2"},
		{47, 4, "ct_other4_v1"},	  {IPPROTO_ICMP, 6, "ct_other6_v1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t table = conntrack_confirmed(&t.f->conntrack, rows[i].l4_proto,
						   rows[i].ip_version);

		assert_string_equal(conntrack_maps[table].name, rows[i].name);
	}
}

#define MANY (1 << 20)

static void a_million_flows_get_room_within_a_second(void **state)
{
	struct conntrack_table *table;
	uint64_t begin_ns;
	unsigned int steps;

	setup(state);
	table = &t.f->conntrack.tables[udp_table(IP_VERSION_4)];
	close(table->fd);
	table->fd = bpf_map_create(BPF_MAP_TYPE_HASH, "many", sizeof(struct flow_key4),
				   sizeof(struct flow), MANY, NULL);
	assert_true(table->fd >= 0);
	table->max_entries = MANY;
	for (unsigned int source = 1; source < SOURCES; source++)
		add(IP_VERSION_4, source, FLOW_STATE_UDP, 8192, 0, 3000);
	add(IP_VERSION_4, 1, FLOW_STATE_UDP, MANY - t.added[1] * 63, 0, 10);
	begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	relief_request(&t.relief, udp_table(IP_VERSION_4), RELIEF_FULL, NOW_NS);
	steps = relieve(REMOVAL_STEP_ENTRIES);
	print_message("%llu of %u flows evicted in %u steps, %.2f s of CPU time\n",
		      (unsigned long long)t.relief.evicted, MANY, steps,
		      (clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / 1e9);
	assert_int_equal(t.relief.evicted, MANY - (uint64_t)MANY * RELIEF_GOAL_PERCENT / 100);
	assert_int_equal(t.evicted[1], t.relief.evicted);
	teardown(state);
}

#define RELIEF_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELIEF_TEST(a_table_that_is_not_nearly_full_is_left_alone),
		RELIEF_TEST(expired_flows_go_first_and_may_be_enough),
		RELIEF_TEST(closed_flows_go_before_any_open_one),
		cmocka_unit_test_teardown(the_greediest_source_loses_those_idle_longest, teardown),
		RELIEF_TEST(sources_are_cut_down_to_the_same_share),
		RELIEF_TEST(between_equal_sources_idleness_decides),
		RELIEF_TEST(flows_of_this_host_go_last),
		RELIEF_TEST(flows_that_have_been_used_since_they_were_read_stay),
		RELIEF_TEST(pressure_gets_a_little_room_at_once_and_more_when_it_ends),
		RELIEF_TEST(a_pass_under_pressure_pauses_the_next_for_as_long),
		RELIEF_TEST(a_table_that_cannot_be_read_is_given_up),
		RELIEF_TEST(the_table_of_a_protocol_is_found),
		cmocka_unit_test(a_million_flows_get_room_within_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
