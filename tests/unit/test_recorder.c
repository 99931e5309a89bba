/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs record of drops and new flows, by test runs with a clock that is set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "dataplane/generation_build.h"
#include "masquerade.h"
#include "packet/build.h"
#include "policy/parse.h"
#include "reason.h"
#include "recorder.h"
#include "shrike.skel.h"
#include "trace/recorded.h"
#include "unit/simulation.h"

#define FLOOD  20000
#define PEERS  0x64400000u /* 100.64.0.0 */
#define SERVER 0xcb007105u /* 203.0.113.5 */

static const char text_on[] = "version: 1\n"
			      "mode: {routing: native}\n"
			      "route_acl: [{id: web, action: allow, source: [any], destination: "
			      "[any], protocol: tcp, destination_ports: [80]}]\n";

struct recorder {
	struct policy *policy;
	struct generation *generation;
	struct record *records;
	size_t n;
	uint64_t now_ns;
};

static void recorder_open(struct recorder *r, const char *text)
{
	const struct mode mode = {.routing = ROUTING_NATIVE, .hook = HOOK_XDP};
	struct generation_spec spec = {
		.mode = &mode, .mtu = 1420, .l2_len = ETH_HLEN, .virtual_clock = true};
	struct error error;
	cpu_set_t one;

	need_programs();
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	memset(r, 0, sizeof(*r));
	if (policy_parse("test", text, strlen(text), &r->policy, &error))
		fail_msg("%s", error.text);
	spec.policy = r->policy;
	if (generation_build(&spec, &r->generation, &error))
		fail_msg("%s", error.text);
	r->now_ns = 1000 * NS_PER_S;
}

static void recorder_close(struct recorder *r)
{
	free(r->records);
	generation_free(r->generation);
	policy_free(r->policy);
}

/* Put a packet of TCP into the ingress program; returns what it came to. */
static int put(struct recorder *r, uint32_t from, uint16_t sport, uint16_t dport, uint8_t flags)
{
	uint8_t in[256] = {[12] = 0x08}, out[512];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	struct packet_spec spec;
	struct error error;
	size_t len;

	packet_spec_init(&spec);
	spec.saddr = (union addr){.word = {0, 0, htonl(0xffff), htonl(from)}};
	spec.daddr = (union addr){.word = {0, 0, htonl(0xffff), htonl(SERVER)}};
	spec.ip_version = IP_VERSION_4;
	spec.l4_proto = IPPROTO_TCP;
	spec.sport = sport;
	spec.dport = dport;
	spec.tcp_flags = flags;
	assert_int_equal(packet_build(&spec, in + ETH_HLEN, sizeof(in) - ETH_HLEN, &len, &error),
			 0);
	opts.data_size_in = len + ETH_HLEN;
	r->generation->skeleton->bss->virtual_frame_len = opts.data_size_in;
	generation_set_time(r->generation, r->now_ns);
	assert_int_equal(bpf_prog_test_run_opts(r->generation->ingress_fd, &opts), 0);
	return opts.retval;
}

static void read_all(struct recorder *r)
{
	struct error error;

	free(r->records);
	r->records = NULL;
	if (recorded_read(&r->generation->maps, &r->records, &r->n, &error))
		fail_msg("%s", error.text);
}

static void a_repeated_drop_is_counted_in_one_record(void **state)
{
	struct recorder r;

	(void)state;
	recorder_open(&r, text_on);
	for (uint16_t i = 0; i < 5; i++, r.now_ns += 900 * NS_PER_MS)
		assert_int_equal(put(&r, PEERS + 7, 40000 + i, 22, PACKET_TCP_SYN), XDP_DROP);
	read_all(&r);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.records->count, 5);
	assert_int_equal(r.records->reason, REASON_ROUTE_ACL_DEFAULT);
	assert_int_equal(r.records->flags, RECORD_DROP);
	assert_int_equal(r.records->generation, 1);
	assert_int_equal(ntohs(r.records->sport), 40000);
	assert_int_equal(ntohs(r.records->dport), 22);
	assert_int_equal(ntohl(r.records->saddr.word[3]), PEERS + 7);
	assert_int_equal(ntohl(r.records->daddr.word[3]), SERVER);
	assert_int_equal(r.records->tcp_flags, PACKET_TCP_SYN);
	assert_int_equal(r.records->time_ns, 1000 * NS_PER_S);
	assert_true(recorded_last_ns(r.records) - 1003 * NS_PER_S < 700 * NS_PER_MS);
	recorder_close(&r);
}

static void after_a_second_of_silence_and_after_a_minute_there_is_another_record(void **state)
{
	struct recorder r;

	(void)state;
	recorder_open(&r, text_on);
	put(&r, PEERS + 7, 40000, 22, PACKET_TCP_SYN);
	r.now_ns += 1100 * NS_PER_MS;
	for (int i = 0; i < 70; i++, r.now_ns += 900 * NS_PER_MS)
		put(&r, PEERS + 7, 40000, 22, PACKET_TCP_SYN);
	read_all(&r);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.records[0].count, 1);
	assert_int_equal(r.records[1].count + r.records[2].count, 70);
	recorder_close(&r);
}

static void a_new_flow_is_recorded_and_its_other_packets_are_not(void **state)
{
	struct recorder r;

	(void)state;
	recorder_open(&r, text_on);
	assert_int_equal(put(&r, PEERS + 7, 40000, 80, PACKET_TCP_SYN), XDP_PASS);
	r.now_ns += 2 * NS_PER_S;
	assert_int_equal(put(&r, PEERS + 7, 40000, 80, PACKET_TCP_SYN), XDP_PASS);
	read_all(&r);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.records->count, 1);
	assert_int_equal(r.records->reason, REASON_ROUTE_ACL_ALLOWED);
	assert_int_equal(r.records->rule, 1);
	assert_int_equal(r.records->flags, 0);
	recorder_close(&r);
}

/* The record of a peer's drops at a port, NULL: there is none. */
static const struct record *find(const struct recorder *r, uint32_t from, uint16_t dport)
{
	for (size_t i = 0; i < r->n; i++)
		if (ntohl(r->records[i].saddr.word[3]) == from &&
		    ntohs(r->records[i].dport) == dport)
			return &r->records[i];
	return NULL;
}

static void a_flood_leaves_what_was_there_and_is_counted(void **state)
{
	uint64_t dropped = 0;
	struct recorder r;

	(void)state;
	recorder_open(&r, text_on);
	for (int i = 0; i < 3; i++, r.now_ns += 12 * NS_PER_S)
		put(&r, PEERS + 1, 40000, 30000 + i, PACKET_TCP_SYN);
	put(&r, PEERS + 1, 40000, 80, PACKET_TCP_SYN);
	for (uint32_t i = 0; i < FLOOD; i++, r.now_ns += NS_PER_MS)
		put(&r, PEERS + 100 + i, 40000, 22, PACKET_TCP_SYN);
	read_all(&r);
	for (int i = 0; i < 3; i++)
		assert_non_null(find(&r, PEERS + 1, 30000 + i));
	assert_non_null(find(&r, PEERS + 1, 80));
	for (size_t i = 0; i < r.n; i++)
		dropped += r.records[i].flags & RECORD_DROP ? r.records[i].count : 0;
	assert_int_equal(dropped, FLOOD + 3);
	recorder_close(&r);
}

static void whoever_makes_many_kinds_leaves_room_for_others(void **state)
{
	size_t found = 0;
	struct recorder r;

	(void)state;
	recorder_open(&r, text_on);
	for (uint32_t i = 0; i < FLOOD; i++, r.now_ns += 15 * NS_PER_MS) {
		uint32_t other = PEERS + 11 + i / 2000;

		put(&r, PEERS + 1 + i % 2, 40000, 1000 + i, PACKET_TCP_SYN);
		if (i % 2000 != 1999)
			continue;
		put(&r, other, 40000, 23, PACKET_TCP_SYN);
		read_all(&r);
		found += find(&r, other, 23) != NULL;
	}
	assert_in_range(found, 4,
			10); /* some are of the classes of the two, and this recorder is tiny */
	recorder_close(&r);
}

static void what_was_dropped_is_in_records_or_counted_as_forgotten(void **state)
{
	struct recorded_totals totals;
	uint64_t counted = 0, put_in = 0, beyond = 0;
	struct recorder r;
	struct error error;

	(void)state;
	recorder_open(&r, text_on);
	for (int minute = 0; minute < 30; minute++, r.now_ns += 50 * NS_PER_S)
		for (uint32_t i = 0; i < 100; i++, r.now_ns += 100 * NS_PER_MS, put_in += 2) {
			put(&r, PEERS + i % 70, 40000, 22 + i % 3, PACKET_TCP_SYN);
			put(&r, 0x7f000001 + i, 40000, 22, PACKET_TCP_SYN);
		}
	read_all(&r);
	for (size_t i = 0; i < r.n; i++)
		counted += r.records[i].count;
	if (recorded_totals_read(&r.generation->maps, &totals, &error))
		fail_msg("%s", error.text);
	for (size_t i = 0; i < r.n; i++)
		beyond += r.records[i].flags & RECORD_REST ? r.records[i].count : 0;
	assert_int_equal(counted + totals.forgotten, put_in);
	assert_true(totals.forgotten > 0 && totals.records > r.n);
	assert_true(totals.beyond >= beyond && beyond > 0);
	assert_int_equal(totals.bytes % (RECORDER_SLOTS_MIN * sizeof(union recorder_slot)), 0);
	recorder_close(&r);
}

static void drops_of_each_reason_have_a_share_of_their_own(void **state)
{
	struct recorder r;

	(void)state;
	recorder_open(&r, text_on);
	for (uint32_t i = 0; i < FLOOD / 10; i++)
		put(&r, PEERS + 100 + i, 40000, 22, PACKET_TCP_SYN);
	put(&r, 0x7f000001, 40000, 22, PACKET_TCP_SYN);
	read_all(&r);
	assert_int_equal(find(&r, 0x7f000001, 22)->reason, REASON_MARTIAN_SOURCE);
	recorder_close(&r);
}

static void shares_do_not_overlap(void **state)
{
	const struct recorder_layout layout = recorder_layout(RECORDER_SLOTS_MIN);
	uint8_t used[RECORDER_UNITS] = {};

	(void)state;
	assert_in_range(layout.unit, 1, RECORDER_SLOTS_MIN);
	assert_in_range(layout.rings + layout.unit * RECORDER_UNITS, 1, RECORDER_SLOTS_MIN);
	for (int reason = 0; reason < REASON_MAX; reason++) {
		struct recorder_share share = recorder_share(reason, 0);

		if (!reason_is_drop(reason) && reason != REASON_PEER_ACL_ALLOWED)
			continue;
		for (uint32_t i = share.first; i < share.first + (1u << share.shift); i++)
			assert_int_equal(used[i]++, 0);
	}
	for (uint32_t i = 0; i < 1u << RECORDER_FLOW_SHIFT; i++)
		assert_int_equal(used[recorder_share(REASON_OUTBOUND, 1).first + i]++, 0);
	for (int i = 0; i < RECORDER_UNITS; i++)
		assert_int_equal(used[i], 1);
}

static void a_limit_of_0_records_nothing(void **state)
{
	struct recorder r;
	struct error error;

	(void)state;
	recorder_open(&r, "version: 1\nlimits: {recorder: 0}\n");
	put(&r, PEERS + 7, 40000, 22, PACKET_TCP_SYN);
	assert_int_equal(recorded_read(&r.generation->maps, &r.records, &r.n, &error), -ENODATA);
	recorder_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repeated_drop_is_counted_in_one_record),
		cmocka_unit_test(
			after_a_second_of_silence_and_after_a_minute_there_is_another_record),
		cmocka_unit_test(a_new_flow_is_recorded_and_its_other_packets_are_not),
		cmocka_unit_test(a_flood_leaves_what_was_there_and_is_counted),
		cmocka_unit_test(whoever_makes_many_kinds_leaves_room_for_others),
		cmocka_unit_test(what_was_dropped_is_in_records_or_counted_as_forgotten),
		cmocka_unit_test(drops_of_each_reason_have_a_share_of_their_own),
		cmocka_unit_test(shares_do_not_overlap),
		cmocka_unit_test(a_limit_of_0_records_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
