/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sequence numbers of a scenario's packets: each table is a dialogue of a peer and this host, with
 * the numbers that the two would give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"
#include "simulate/numbers.h"
#include "simulate/scenario.h"

#define STARTS	 26
#define TEXT_MAX 16384

#define PASS VERDICT_PASS
#define DROP VERDICT_DROP

/* A number of a header: @offset after what a start was; the first sight of a letter sets it. */
struct wanted {
	char start; /* A to Z, 0: @offset alone */
	uint32_t offset;
};

/*
 * struct row - a packet of a dialogue
 * @from: 'i': the peer's, 'o': this host's, which comes in or leaves; uppercase: the other way
 * @flags: of TCP, as in a scenario
 * @more: keys besides, after a comma
 * @verdict: of the programs
 */
struct row {
	char from;
	const char *flags;
	const char *more;
	enum verdict verdict;
	struct wanted seq;
	struct wanted ack;
};

static struct scenario *scenario_of(const struct row *rows, size_t n, const char *address)
{
	char text[TEXT_MAX];
	struct scenario *scenario;
	struct error error;
	int len;

	len = snprintf(text, sizeof(text), "policy: {version: 1}\npackets:\n");
	for (size_t i = 0; i < n; i++) {
		bool is_peers = rows[i].from == 'i' || rows[i].from == 'I';
		bool comes_in = rows[i].from == 'i' || rows[i].from == 'O';

		len += snprintf(text + len, sizeof(text) - len,
				"  - {direction: %s, src: \"%s%d\", dst: \"%s%d\", protocol: tcp, "
				"sport: %d, dport: %d, flags: [%s]%s}\n",
				comes_in ? "in" : "out", address, is_peers ? 2 : 1, address,
				is_peers ? 1 : 2, is_peers ? 4000 : 80, is_peers ? 80 : 4000,
				rows[i].flags, rows[i].more ? rows[i].more : "");
		assert_true(len < TEXT_MAX);
	}
	if (scenario_parse("s.yaml", text, len, &scenario, &error))
		fail_msg("%s", error.text);
	return scenario;
}

static uint32_t field(const uint8_t *bytes, uint32_t off)
{
	uint32_t value;

	memcpy(&value, bytes + off, sizeof(value));
	return be32toh(value);
}

/* What packet_build() makes of the numbers is what they must look like, checksum included. */
static void expect_bytes(const struct scenario_step *step, const uint8_t *bytes)
{
	struct packet_spec spec = {.tcp_flags = bytes[step->tcp_off + 13],
				   .l4_proto = 6,
				   .ttl = 64,
				   .has_ack = true,
				   .seq = field(bytes, step->tcp_off + 4),
				   .ack = field(bytes, step->tcp_off + 8),
				   .payload_len = step->len - step->tcp_off - 20};
	uint8_t want[PACKET_MAX_LEN];
	union addr addr[2];
	struct error error;
	uint32_t ports;
	size_t len;

	assert_true(packet_addresses(bytes, step->len, addr, &spec.ip_version));
	spec.saddr = addr[0];
	spec.daddr = addr[1];
	ports = field(bytes, step->tcp_off);
	spec.sport = ports >> 16;
	spec.dport = ports & 0xffff;
	assert_int_equal(packet_build(&spec, want, sizeof(want), &len, &error), 0);
	assert_int_equal(len, step->len);
	assert_memory_equal(bytes, want, len);
}

static void expect_number(const struct wanted *wanted, uint32_t got, uint32_t starts[STARTS],
			  const char *what, size_t row)
{
	uint32_t start = 0;

	if (wanted->start) {
		uint32_t *known = &starts[wanted->start - 'A'];

		if (!*known)
			*known = got - wanted->offset;
		start = *known;
	}
	if (got - start != wanted->offset)
		fail_msg("row %zu: %s %u is %u after %c, not %u", row, what, got, got - start,
			 wanted->start ? wanted->start : '0', wanted->offset);
}

static void hold_dialogue(const struct row *rows, size_t n, const char *address)
{
	struct scenario *scenario = scenario_of(rows, n, address);
	uint32_t starts[STARTS] = {};
	struct numbers *numbers;
	struct error error;

	assert_int_equal(numbers_new(&numbers, &error), 0);
	for (size_t i = 0; i < n; i++) {
		struct scenario_step *step = &scenario->steps[i];

		assert_int_equal(numbers_assign(numbers, step, step->bytes, &error), 0);
		expect_bytes(step, step->bytes);
		expect_number(&rows[i].seq, field(step->bytes, step->tcp_off + 4), starts, "seq",
			      i);
		expect_number(&rows[i].ack, field(step->bytes, step->tcp_off + 8), starts, "ack",
			      i);
		assert_int_equal(
			numbers_settle(numbers, step, rows[i].verdict, step->bytes, &error), 0);
	}
	for (size_t i = 0; i < STARTS; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(!starts[i] || starts[i] != starts[k]);
	numbers_free(numbers);
	scenario_free(scenario);
}

#define DIALOGUE(name, ...)                                                                        \
	static void name(void **state)                                                             \
	{                                                                                          \
		static const struct row rows[] = {__VA_ARGS__};                                    \
                                                                                                   \
		(void)state;                                                                       \
		hold_dialogue(rows, sizeof(rows) / sizeof(*rows), "10.0.0.");                      \
		hold_dialogue(rows, sizeof(rows) / sizeof(*rows), "fd00::");                       \
	}

/* clang-format off */
DIALOGUE(a_connection_counts_syn_data_and_fin,
	{'i', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", NULL, PASS, {'A', 1}, {'B', 1}},
	{'i', "psh, ack", ", payload: 10", PASS, {'A', 1}, {'B', 1}},
	{'i', "psh, ack", ", payload: 20", PASS, {'A', 11}, {'B', 1}},
	{'o', "ack", NULL, PASS, {'B', 1}, {'A', 31}},
	{'o', "fin, ack", ", payload: 5", PASS, {'B', 1}, {'A', 31}},
	{'i', "ack", NULL, PASS, {'A', 31}, {'B', 7}},
	{'i', "fin, ack", NULL, PASS, {'A', 31}, {'B', 7}},
	{'o', "ack", NULL, PASS, {'B', 7}, {'A', 32}})

DIALOGUE(a_syn_carries_data_and_every_one_starts_anew,
	{'i', "syn", ", payload: 100", PASS, {'A', 0}, {0, 0}},
	{'i', "syn", NULL, PASS, {'B', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'C', 0}, {'B', 1}},
	{'o', "syn, ack", NULL, PASS, {'C', 0}, {'B', 1}}, /* sent again */
	{'i', "ack", NULL, PASS, {'B', 1}, {'C', 1}},
	{'i', "syn", NULL, PASS, {'D', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'E', 0}, {'D', 1}},
	{'i', "ack", NULL, PASS, {'D', 1}, {'E', 1}})

DIALOGUE(what_is_dropped_moves_nothing,
	{'i', "syn", NULL, DROP, {'A', 0}, {0, 0}},
	{'i', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", ", payload: 3", DROP, {'A', 1}, {'B', 1}},
	{'i', "ack", ", payload: 4", PASS, {'A', 1}, {'B', 1}},
	{'i', "syn", NULL, DROP, {'C', 0}, {0, 0}},
	{'i', "fin, ack", NULL, DROP, {'A', 5}, {'B', 1}},
	{'o', "ack", NULL, PASS, {'B', 1}, {'A', 5}})

DIALOGUE(the_expected_verdict_counts_more_than_the_one_that_came,
	{'i', "syn", ", expect: {verdict: pass}", DROP, {'A', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", ", payload: 3, expect: {verdict: drop}", PASS, {'A', 1}, {'B', 1}},
	{'i', "ack", ", payload: 4, expect: {reason: established}", DROP, {'A', 1}, {'B', 1}},
	{'i', "ack", ", payload: 5, expect: {verdict: forward}", DROP, {'A', 1}, {'B', 1}},
	{'o', "ack", NULL, PASS, {'B', 1}, {'A', 6}})

DIALOGUE(a_trace_is_numbered_and_moves_nothing,
	{'i', "syn", ", trace: true", PASS, {'A', 0}, {0, 0}},
	{'i', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", ", payload: 3, trace: true, expect: {verdict: pass}", PASS, {'A', 1}, {'B', 1}},
	{'i', "ack", ", payload: 4", PASS, {'A', 1}, {'B', 1}},
	{'o', "ack", NULL, PASS, {'B', 1}, {'A', 5}})

DIALOGUE(given_numbers_move_only_what_they_continue,
	{'i', "syn", ", seq: 100", PASS, {0, 100}, {0, 0}},
	{'o', "syn, ack", ", seq: 4294967295", PASS, {0, 4294967295}, {0, 101}},
	{'i', "ack", ", ack: 7, payload: 5", PASS, {0, 101}, {0, 7}},
	{'i', "ack", ", seq: 9000, payload: 50", PASS, {0, 9000}, {0, 0}}, /* not its next */
	{'i', "ack", ", seq: 101, payload: 5", PASS, {0, 101}, {0, 0}},	   /* sent again */
	{'i', "ack", ", seq: 106, payload: 4", PASS, {0, 106}, {0, 0}},
	{'o', "ack", NULL, PASS, {0, 0}, {0, 110}},
	{'i', "syn", ", seq: 100", PASS, {0, 100}, {0, 0}}, /* sent again */
	{'i', "ack", NULL, PASS, {0, 110}, {0, 0}},
	{'i', "syn", ", ack: 5", PASS, {'A', 0}, {0, 5}}, /* without the flag, but given */
	{'o', "syn, ack", ", seq: 1", PASS, {0, 1}, {'A', 1}},
	{'i', "ack", NULL, PASS, {'A', 1}, {0, 2}})

DIALOGUE(both_may_open_at_once,
	{'o', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'i', "syn", NULL, PASS, {'B', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'A', 0}, {'B', 1}},
	{'i', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", ", payload: 2", PASS, {'B', 1}, {'A', 1}},
	{'o', "ack", NULL, PASS, {'A', 1}, {'B', 3}})

DIALOGUE(a_reset_has_the_next_number_or_none,
	{'o', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'i', "rst, ack", NULL, PASS, {0, 0}, {'A', 1}}, /* never sent */
	{'i', "rst", NULL, PASS, {0, 0}, {0, 0}},
	{'o', "syn", NULL, PASS, {'B', 0}, {0, 0}},
	{'i', "syn, ack", NULL, PASS, {'C', 0}, {'B', 1}},
	{'i', "ack", ", payload: 3", PASS, {'C', 1}, {'B', 1}},
	{'i', "rst", NULL, PASS, {'C', 4}, {0, 0}},
	{'i', "rst, ack", NULL, PASS, {'C', 4}, {'B', 1}},
	{'o', "rst", NULL, PASS, {'B', 1}, {0, 0}},
	{'o', "syn", NULL, PASS, {'D', 0}, {0, 0}},
	{'i', "rst, ack", NULL, PASS, {0, 0}, {'D', 1}}) /* of the new connection, it has sent nothing */

DIALOGUE(what_comes_after_a_fin_is_sent_again,
	{'i', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", ", payload: 8", PASS, {'A', 1}, {'B', 1}},
	{'i', "fin, ack", NULL, PASS, {'A', 9}, {'B', 1}},
	{'i', "fin, ack", NULL, PASS, {'A', 9}, {'B', 1}},
	{'i', "psh, ack", ", payload: 8", PASS, {'A', 1}, {'B', 1}},
	{'i', "ack", NULL, PASS, {'A', 10}, {'B', 1}},
	{'o', "ack", NULL, PASS, {'B', 1}, {'A', 10}})

DIALOGUE(a_connection_may_have_begun_before,
	{'o', "psh, ack", ", payload: 3", PASS, {'A', 0}, {0, 0}},
	{'i', "ack", NULL, PASS, {'B', 0}, {'A', 3}},
	{'o', "ack", NULL, PASS, {'A', 3}, {'B', 0}})

DIALOGUE(nobody_takes_a_segment_that_contradicts_itself,
	{'i', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'i', "syn, fin", NULL, PASS, {'A', 1}, {0, 0}},
	{'i', "fin, rst", NULL, PASS, {'A', 1}, {0, 0}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}})

DIALOGUE(what_comes_in_and_leaves_again_keeps_its_numbers,
	{'i', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'I', "syn", NULL, PASS, {'A', 0}, {0, 0}},
	{'O', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'o', "syn, ack", NULL, PASS, {'B', 0}, {'A', 1}},
	{'i', "ack", ", payload: 7", PASS, {'A', 1}, {'B', 1}},
	{'I', "ack", ", payload: 7", PASS, {'A', 1}, {'B', 1}},
	{'i', "ack", ", payload: 7", PASS, {'A', 8}, {'B', 1}},
	{'I', "ack", ", payload: 7", PASS, {'A', 8}, {'B', 1}},
	{'O', "ack", NULL, PASS, {'B', 1}, {'A', 15}},
	{'o', "ack", NULL, PASS, {'B', 1}, {'A', 15}})
/* clang-format on */

static void fragments_and_bytes_are_not_numbered(void **state)
{
	static const char text[] =
		"policy: {version: 1}\npackets:\n"
		"  - {direction: in, src: 10.0.0.2, dst: 10.0.0.1, protocol: tcp, sport: 1, dport: "
		"2,\n"
		"     flags: [ack], fragment: {id: 1, offset: 0, more: true}, payload: 4}\n"
		"  - {direction: in, src: 10.0.0.2, dst: 10.0.0.1, protocol: tcp, sport: 1, dport: "
		"2,\n"
		"     seq: 5, ack: 6, fragment: {id: 1, offset: 0, more: true}, payload: 4}\n"
		"  - {direction: in, src: 10.0.0.2, dst: 10.0.0.1, protocol: udp, sport: 1, dport: "
		"2}\n"
		"  - {direction: in, hex: 45000028000100004006b256640a0001640a0064"
		"303901bb000003e8000000005002ffffb18d0000}\n";
	static const struct {
		uint32_t seq, ack;
	} wanted[] = {{0, 0}, {5, 6}, {0x080000, 0}, {1000, 0}};
	struct scenario *scenario;
	struct numbers *numbers;
	struct error error;

	(void)state;
	assert_int_equal(scenario_parse("s.yaml", text, strlen(text), &scenario, &error), 0);
	assert_int_equal(numbers_new(&numbers, &error), 0);
	for (size_t i = 0; i < scenario->n_steps; i++) {
		struct scenario_step *step = &scenario->steps[i];
		uint8_t *copy = malloc(step->len);

		assert_non_null(copy);
		memcpy(copy, step->bytes, step->len);
		assert_int_equal(step->tcp_off, 0);
		assert_int_equal(numbers_assign(numbers, step, step->bytes, &error), 0);
		assert_int_equal(numbers_settle(numbers, step, PASS, step->bytes, &error), 0);
		assert_memory_equal(copy, step->bytes, step->len);
		if (step->len >= 40) {
			assert_int_equal(field(copy, 24), wanted[i].seq);
			assert_int_equal(field(copy, 28), wanted[i].ack);
		}
		free(copy);
	}
	numbers_free(numbers);
	scenario_free(scenario);
}

static void numbers_may_be_assigned_again_before_they_are_settled(void **state)
{
	static const struct row rows[] = {{'i', "syn", NULL, PASS, {}, {}},
					  {'o', "syn, ack", NULL, PASS, {}, {}}};
	struct scenario *scenario = scenario_of(rows, 2, "10.0.0.");
	struct scenario_step *steps = scenario->steps;
	struct numbers *numbers;
	struct error error;
	uint32_t start;

	(void)state;
	assert_int_equal(numbers_new(&numbers, &error), 0);
	numbers_assign(numbers, &steps[0], steps[0].bytes, &error);
	start = field(steps[0].bytes, 24);
	steps[0].bytes[27] ^= 1;
	steps[0].has_seq = true;
	numbers_assign(numbers, &steps[0], steps[0].bytes, &error);
	numbers_settle(numbers, &steps[0], PASS, steps[0].bytes, &error);
	numbers_settle(numbers, &steps[0], PASS, steps[0].bytes, &error); /* is over */
	numbers_assign(numbers, &steps[1], steps[1].bytes, &error);
	assert_int_equal(field(steps[1].bytes, 28), (start ^ 1) + 1);
	numbers_free(numbers);
	scenario_free(scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_counts_syn_data_and_fin),
		cmocka_unit_test(a_syn_carries_data_and_every_one_starts_anew),
		cmocka_unit_test(what_is_dropped_moves_nothing),
		cmocka_unit_test(the_expected_verdict_counts_more_than_the_one_that_came),
		cmocka_unit_test(a_trace_is_numbered_and_moves_nothing),
		cmocka_unit_test(given_numbers_move_only_what_they_continue),
		cmocka_unit_test(both_may_open_at_once),
		cmocka_unit_test(a_reset_has_the_next_number_or_none),
		cmocka_unit_test(what_comes_after_a_fin_is_sent_again),
		cmocka_unit_test(a_connection_may_have_begun_before),
		cmocka_unit_test(nobody_takes_a_segment_that_contradicts_itself),
		cmocka_unit_test(what_comes_in_and_leaves_again_keeps_its_numbers),
		cmocka_unit_test(fragments_and_bytes_are_not_numbered),
		cmocka_unit_test(numbers_may_be_assigned_again_before_they_are_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
