/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Removing expired flows and fragments, on real maps. */
#include "unit/flow_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "conntrack/filter.h"
#include "conntrack/relief.h"
#include "conntrack/removal.h"
#include "conntrack/sweep.h"

struct deletions {
	unsigned int expired;
	unsigned int evicted;
	struct flow_view last;
};

static void note_deleted(void *arg, const struct flow_view *view, enum removal_reason reason)
{
	struct deletions *deletions = arg;

	if (reason == REMOVAL_EXPIRED)
		deletions->expired++;
	else
		deletions->evicted++;
	deletions->last = *view;
}

static struct sweep *sweep_new(struct fixture *f, struct deletions *deletions)
{
	struct sweep *sweep = malloc(sizeof(*sweep));
	struct error error;

	assert_non_null(sweep);
	assert_int_equal(sweep_init(sweep, &error), 0);
	sweep->fragments_fd = f->fragments_fd;
	sweep->fragment_timeout_ns = 30 * NS_PER_S;
	sweep->deleted = note_deleted;
	sweep->arg = deletions;
	memset(deletions, 0, sizeof(*deletions));
	return sweep;
}

static void sweep_delete(struct sweep *sweep)
{
	sweep_free(sweep);
	free(sweep);
}

/* Steps of @max entries until all tables have been passed; returns the number of steps. */
static unsigned int sweep_pass(struct sweep *sweep, struct fixture *f, uint32_t max)
{
	unsigned int steps = 0;
	struct error error;

	do {
		assert_int_equal(sweep_step(sweep, &f->conntrack, &f->clock, max, &error), 0);
		steps++;
	} while (sweep->at <= f->conntrack.n);
	return steps;
}

/* Entries in a map, dead or alive. */
static unsigned int map_entries(int fd, uint32_t key_size)
{
	uint8_t key[MAP_BATCH_KEY_MAX], next[MAP_BATCH_KEY_MAX];
	unsigned int n = 0;

	while (!bpf_map_get_next_key(fd, n ? key : NULL, next)) {
		memcpy(key, next, key_size);
		n++;
	}
	return n;
}

static int udp4_fd(const struct fixture *f)
{
	return f->conntrack.tables[fixture_table(IPPROTO_UDP, IP_VERSION_4, true, false)].fd;
}

static unsigned int udp4_entries(const struct fixture *f)
{
	return map_entries(udp4_fd(f), sizeof(struct flow_key4));
}

static void flows_are_removed_a_second_after_their_timeout(void **state)
{
	static const struct {
		uint64_t idle_ns;
		unsigned int removed;
	} rows[] = {
		{0, 0},
		{30 * NS_PER_S + 1, 0},
		{31 * NS_PER_S, 0},
		{31 * NS_PER_S + 1, 1},
		{3600 * NS_PER_S, 1},
	};
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct deletions deletions;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = fixture_new(64);
		struct sweep *sweep = sweep_new(f, &deletions);

		fixture_fill(f, 0, 1, &flow, rows[i].idle_ns);
		sweep_pass(sweep, f, 64);
		assert_int_equal(deletions.expired, rows[i].removed);
		assert_int_equal(deletions.evicted, 0);
		assert_int_equal(udp4_entries(f), 1 - rows[i].removed);
		sweep_delete(sweep);
		fixture_free(f);
	}
}

static void every_table_is_swept_and_its_fill_is_known_afterwards(void **state)
{
	struct flow_spec spec = {.dport = 2, .flow = {.state = FLOW_STATE_SYN_SENT}};
	struct fixture *f = fixture_new(64);
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	size_t i;

	(void)state;
	for (i = 0; i < CONNTRACK_TABLES; i++) {
		spec.l4_proto = conntrack_maps[i].l4_proto;
		spec.unconfirmed = !conntrack_maps[i].confirmed;
		spec.own = conntrack_maps[i].own;
		spec.src = conntrack_maps[i].ip_version == IP_VERSION_4 ? "10.0.0.1" : "fd00::1";
		spec.dst = conntrack_maps[i].ip_version == IP_VERSION_4 ? "10.0.0.2" : "fd00::2";
		spec.sport = 1;
		spec.idle_ns = 0;
		fixture_add(f, &spec);
		spec.sport = 3;
		spec.idle_ns = 3600 * NS_PER_S;
		fixture_add(f, &spec);
		assert_false(sweep->fill[i].known);
	}
	sweep_pass(sweep, f, 1000);
	assert_int_equal(deletions.expired, CONNTRACK_TABLES);
	assert_int_equal(sweep->expired, CONNTRACK_TABLES);
	for (i = 0; i < CONNTRACK_TABLES; i++) {
		assert_true(sweep->fill[i].known);
		assert_int_equal(sweep->fill[i].entries, 1);
	}
	assert_true(sweep->fill[CONNTRACK_TABLES].known);
	assert_int_equal(sweep->entries, 2 * CONNTRACK_TABLES);
	sweep_delete(sweep);
	fixture_free(f);
}

static void the_deleted_flow_is_described(void **state)
{
	struct flow_spec spec = {
		.l4_proto = IPPROTO_TCP,
		.src = "fd00:10::9",
		.dst = "fd00:10::1",
		.sport = 1000,
		.dport = 22,
		.idle_ns = 100 * NS_PER_S,
		.flow = {.state = FLOW_STATE_CLOSE_WAIT, .rule = 5},
	};
	struct fixture *f = fixture_new(64);
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);

	(void)state;
	fixture_add(f, &spec);
	sweep_pass(sweep, f, 64);
	assert_int_equal(deletions.expired, 1);
	assert_int_equal(deletions.last.port[0], 1000);
	assert_int_equal(deletions.last.port[1], 22);
	assert_int_equal(deletions.last.addr[0].bytes[15], 9);
	assert_int_equal(deletions.last.state, FLOW_STATE_CLOSE_WAIT);
	assert_int_equal(deletions.last.rule, 5);
	assert_true(deletions.last.confirmed);
	sweep_delete(sweep);
	fixture_free(f);
}

static void steps_of_any_size_sweep_everything(void **state)
{
	static const uint32_t sizes[] = {1, 7, 100, 499, 500, 501, 100000};
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct deletions deletions;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fixture *f = fixture_new(1024);
		struct sweep *sweep = sweep_new(f, &deletions);
		unsigned int steps;

		fixture_fill(f, 0, 250, &flow, 0);
		fixture_fill(f, 250, 250, &flow, 60 * NS_PER_S);
		steps = sweep_pass(sweep, f, sizes[i]);
		assert_int_equal(steps > 1, sizes[i] <= 500);
		assert_int_equal(deletions.expired, 250);
		assert_int_equal(udp4_entries(f), 250);
		sweep_delete(sweep);
		fixture_free(f);
	}
}

static void old_fragments_are_removed(void **state)
{
	struct fixture *f = fixture_new(64);
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	struct fragment_key key = {.ip_version = IP_VERSION_4};
	struct fragment fragment = {0};
	uint64_t age_ns[] = {0, 30 * NS_PER_S, 31 * NS_PER_S, 31 * NS_PER_S + 1, 100 * NS_PER_S};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(age_ns) / sizeof(age_ns[0]); i++) {
		key.id = i;
		fragment.created_ns = NOW_NS - age_ns[i];
		assert_int_equal(bpf_map_update_elem(f->fragments_fd, &key, &fragment, BPF_NOEXIST),
				 0);
	}
	sweep_pass(sweep, f, 64);
	assert_int_equal(map_entries(f->fragments_fd, sizeof(key)), 3);
	assert_int_equal(sweep->fill[CONNTRACK_TABLES].entries, 3);
	assert_int_equal(deletions.expired, 0);
	sweep_delete(sweep);
	fixture_free(f);
}

/* relief.h makes the room. */
static void room_is_asked_for_in_confirmed_tables_that_are_nearly_full(void **state)
{
	static const struct {
		uint32_t flows;
		uint64_t idle_ns;
		bool wanted;
	} rows[] = {{960, 0, false}, {961, 0, true}, {1000, 100 * NS_PER_S, false}};
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct deletions deletions;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = fixture_new(1000);
		struct sweep *sweep = sweep_new(f, &deletions);
		struct relief relief;
		size_t own = fixture_table(IPPROTO_UDP, IP_VERSION_4, false, true);

		relief_init(&relief);
		sweep->relief = &relief;
		f->conntrack.tables[own].max_entries = 1; /* an LRU map displaces by itself */
		fixture_fill(f, 0, rows[i].flows, &flow, rows[i].idle_ns);
		sweep_pass(sweep, f, 4096);
		assert_int_equal(relief_is_wanted(&relief), rows[i].wanted);
		assert_int_equal(deletions.evicted, 0);
		relief_free(&relief);
		sweep_delete(sweep);
		fixture_free(f);
	}
}

static void an_empty_pass_is_one_step_every_five_seconds(void **state)
{
	struct fixture *f = fixture_new(16);
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	struct error error;

	(void)state;
	assert_int_equal(sweep_step(sweep, &f->conntrack, &f->clock, 64, &error), 0);
	assert_int_equal(sweep->at, CONNTRACK_TABLES + 1);
	assert_true(sweep->wait_ns >= SWEEP_PASS_NS);
	sweep_delete(sweep);
	fixture_free(f);
}

static void steps_wait_for_fifty_times_their_cost(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = fixture_new(16384);
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	uint64_t waited_ns = 0, cost_ns = 0;
	struct error error;

	(void)state;
	fixture_fill(f, 0, 10000, &flow, 0);
	sweep_pass(sweep, f, 1000);
	cost_ns = sweep->cost_ns;
	do {
		assert_int_equal(sweep_step(sweep, &f->conntrack, &f->clock, 1000, &error), 0);
		/* At most 2 % of a core, whatever this step did cost. */
		assert_true(sweep->wait_ns / 49 >= sweep->cost_ns - cost_ns);
		cost_ns = sweep->cost_ns;
		waited_ns += sweep->wait_ns;
	} while (sweep->at <= f->conntrack.n);
	assert_true(waited_ns >= SWEEP_PASS_NS * 99 / 100);
	sweep_delete(sweep);
	fixture_free(f);
}

static void a_sweep_that_finds_mostly_dead_flows_hurries(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = fixture_new(1024);
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	struct error error;

	(void)state;
	/* With so much to expect behind it, only its cost decides how long a step waits. */
	f->conntrack.tables[CONNTRACK_TABLES - 1].max_entries = UINT32_MAX;
	fixture_fill(f, 0, 1000, &flow, 100 * NS_PER_S);
	assert_int_equal(sweep_step(sweep, &f->conntrack, &f->clock, 900, &error), 0);
	assert_true(deletions.expired > 800);
	assert_true(sweep->wait_ns / 4 >= sweep->cost_ns);
	assert_true(sweep->wait_ns / 49 < sweep->cost_ns);
	sweep_delete(sweep);
	fixture_free(f);
}

static void a_table_that_cannot_be_read_does_not_hold_up_the_others(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP};
	struct fixture *f = fixture_new(64);
	struct conntrack broken = f->conntrack;
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	struct error error;

	(void)state;
	fixture_fill(f, 0, 1, &flow, 100 * NS_PER_S);
	broken.tables[0].fd = -1;
	sweep->wait_ns = 42;
	assert_int_equal(sweep_step(sweep, &broken, &f->clock, 64, &error), -EBADF);
	assert_int_equal(sweep->wait_ns, 42);
	assert_int_equal(sweep_step(sweep, &broken, &f->clock, 64, &error), 0);
	assert_int_equal(deletions.expired, 1);
	sweep_delete(sweep);
	fixture_free(f);
}

static bool always(const void *arg, const void *value)
{
	(void)value;
	++*(unsigned int *)arg;
	return true;
}

/* Wanted again when it is asked the second time: the value that came out was a fresh one. */
static bool once(const void *arg, const void *value)
{
	(void)value;
	return ++*(unsigned int *)arg == 1;
}

static void an_entry_refreshed_while_it_is_taken_out_is_put_back(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP, .packets = {3, 4}}, value;
	struct fixture *f = fixture_new(64);
	struct flow_key4 key;
	struct error error;
	unsigned int asked = 0;

	(void)state;
	fixture_fill(f, 0, 1, &flow, 0);
	assert_int_equal(bpf_map_get_next_key(udp4_fd(f), NULL, &key), 0);
	assert_int_equal(map_remove_if(udp4_fd(f), &key, &value,
				       &(struct map_condition){once, &asked}, &error),
			 0);
	assert_int_equal(asked, 2);
	assert_int_equal(bpf_map_lookup_elem(udp4_fd(f), &key, &value), 0);
	assert_int_equal(value.packets[1], 4);

	assert_int_equal(map_remove_if(udp4_fd(f), &key, &value,
				       &(struct map_condition){always, &asked}, &error),
			 1);
	assert_int_equal(map_remove_if(udp4_fd(f), &key, &value,
				       &(struct map_condition){always, &asked}, &error),
			 0);
	assert_int_equal(udp4_entries(f), 0);
	fixture_free(f);
}

#define STRESS_FLOWS  4096
#define STRESS_PASSES 20

struct refresher {
	int fd;
	struct flow flow;
	struct flow_key4 keys[STRESS_FLOWS];
	atomic_bool stop;
	bool refreshed[STRESS_FLOWS]; /* by the last refresh that found the entry */
	unsigned int refreshes;
};

/* Brings expired entries back to life, in an order that meets the sweeper's everywhere. */
static void *refresh(void *arg)
{
	struct refresher *r = arg;
	uint32_t at = 1;

	while (!atomic_load(&r->stop)) {
		at = (at * 1664525 + 1013904223) % STRESS_FLOWS;
		if (bpf_map_update_elem(r->fd, &r->keys[at], &r->flow, BPF_EXIST))
			continue;
		r->refreshed[at] = true;
		r->refreshes++;
	}
	return NULL;
}

static void no_flow_refreshed_during_a_sweep_is_lost(void **state)
{
	struct flow flow = {.state = FLOW_STATE_UDP}, value;
	struct fixture *f = fixture_new(8192);
	struct refresher *r = calloc(1, sizeof(*r));
	struct deletions deletions;
	struct sweep *sweep = sweep_new(f, &deletions);
	unsigned int pass, removed = 0, refreshed = 0;
	pthread_t thread;
	uint32_t i;

	(void)state;
	r->fd = udp4_fd(f);
	r->flow = flow;
	r->flow.last_seen_ns = NOW_NS;
	for (i = 0; i < STRESS_FLOWS; i++)
		r->keys[i] = (struct flow_key4){
			.addr = {htonl(0x0a000000 + i), htonl(0xc0a80101)},
			.port = {htons(40000), htons(53)},
			.l4_proto = IPPROTO_UDP,
		};
	for (pass = 0; pass < STRESS_PASSES; pass++) {
		fixture_fill(f, 0, STRESS_FLOWS, &flow, 100 * NS_PER_S);
		memset(r->refreshed, 0, sizeof(r->refreshed));
		atomic_store(&r->stop, false);
		assert_int_equal(pthread_create(&thread, NULL, refresh, r), 0);
		sweep_pass(sweep, f, 256);
		atomic_store(&r->stop, true);
		assert_int_equal(pthread_join(thread, NULL), 0);
		for (i = 0; i < STRESS_FLOWS; i++) {
			int err = bpf_map_lookup_elem(r->fd, &r->keys[i], &value);

			assert_true(err || value.last_seen_ns == NOW_NS);
			assert_true(!err || !r->refreshed[i]);
			removed += !!err;
			refreshed += !err;
			bpf_map_delete_elem(r->fd, &r->keys[i]);
		}
	}
	print_message("%u removed, %u refreshed in time (%u refreshes)\n", removed, refreshed,
		      r->refreshes);
	assert_int_equal(removed, deletions.expired);
	assert_true(removed > 0);
	sweep_delete(sweep);
	free(r);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_are_removed_a_second_after_their_timeout),
		cmocka_unit_test(every_table_is_swept_and_its_fill_is_known_afterwards),
		cmocka_unit_test(the_deleted_flow_is_described),
		cmocka_unit_test(steps_of_any_size_sweep_everything),
		cmocka_unit_test(old_fragments_are_removed),
		cmocka_unit_test(room_is_asked_for_in_confirmed_tables_that_are_nearly_full),
		cmocka_unit_test(an_empty_pass_is_one_step_every_five_seconds),
		cmocka_unit_test(steps_wait_for_fifty_times_their_cost),
		cmocka_unit_test(a_sweep_that_finds_mostly_dead_flows_hurries),
		cmocka_unit_test(a_table_that_cannot_be_read_does_not_hold_up_the_others),
		cmocka_unit_test(an_entry_refreshed_while_it_is_taken_out_is_put_back),
		cmocka_unit_test(no_flow_refreshed_during_a_sweep_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
