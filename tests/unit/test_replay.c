/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Captures as scenarios: which way packets went, and what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "packet/build.h"
#include "packet/pcapng.h"
#include "simulate/replay.h"

static void take_address(struct replay *replay, const char *text)
{
	struct error error;

	if (replay_add_address(replay, text, &error))
		fail_msg("%s", error.text);
}

static size_t build(const char *src, const char *dst, uint8_t *bytes, size_t size)
{
	struct packet_spec spec;
	struct error error;
	size_t len;

	packet_spec_init(&spec);
	spec.l4_proto = IPPROTO_TCP;
	assert_int_equal(addr_parse(src, &spec.saddr, &spec.ip_version, &error), 0);
	assert_int_equal(addr_parse(dst, &spec.daddr, &spec.ip_version, &error), 0);
	assert_int_equal(packet_build(&spec, bytes, size, &len, &error), 0);
	return len;
}

static void addresses_show_which_way_a_packet_went(void **state)
{
	static const struct {
		const char *src, *dst;
		bool out;
	} rows[] = {
		{"100.64.0.2", "100.64.0.1", false}, /* a peer to us */
		{"100.64.0.1", "100.64.0.2", true},
		{"100.64.0.2", "10.0.0.5", false}, /* a peer, to be routed */
		{"10.0.0.5", "100.64.0.2", true},  /* and the answer */
		{"10.0.0.5", "100.64.0.1", false}, /* to us, whoever sent it */
		{"100.64.0.2", "100.64.0.3", false},
		{"10.0.0.5", "10.0.0.6", false},
		{"fd64::1", "fd64::2", true},
		{"fd64::2", "2001:db8::1", false},
		{"2001:db8::1", "fd64::2", true},
	};
	struct replay replay = {};
	uint8_t bytes[128];

	(void)state;
	take_address(&replay, "100.64.0.1/16");
	take_address(&replay, "fd64::1/64");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = build(rows[i].src, rows[i].dst, bytes, sizeof(bytes));

		if (replay_goes_out(&replay, bytes, len) != rows[i].out)
			fail_msg("%s -> %s", rows[i].src, rows[i].dst);
	}
	assert_false(replay_goes_out(&replay, bytes, 39));
	assert_false(replay_goes_out(&replay, bytes, 0));
}

static void addresses_that_are_none_are_refused(void **state)
{
	static const char *const rows[] = {"",
					   "wt0",
					   "10.0.0.1/33",
					   "10.0.0.1/",
					   "10.0.0.1/-1",
					   "10.0.0.1/+1",
					   "10.0.0.1/8x",
					   "fd64::1/129",
					   "10.0.0.1/ 8",
					   "10.0.0.1/8/8",
					   "10.0.0.1/0x8",
					   "10.0.0.1/8888"};
	struct replay replay = {};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (replay_add_address(&replay, rows[i], &error) != -EINVAL)
			fail_msg("%s was taken", rows[i]);
		assert_true(error.invalid_input);
	}
	assert_int_equal(replay.n_addresses, 0);
	for (int i = 0; i < REPLAY_ADDRESSES_MAX; i++)
		take_address(&replay, "10.0.0.1");
	assert_int_equal(replay_add_address(&replay, "10.0.0.1", &error), -EINVAL);
}

static void count_warning(const char *text, void *arg)
{
	assert_non_null(strstr(text, "left out"));
	++*(int *)arg;
}

static void write_packet(FILE *file, uint64_t time_ns, const uint8_t *bytes, uint32_t captured,
			 uint32_t len)
{
	const struct pcapng_packet packet = {
		.time_ns = UINT64_C(1700000000000000000) + time_ns,
		.bytes = bytes,
		.captured = captured,
		.len = len,
	};

	pcapng_packet(file, &packet);
}

static int fill_file(char path[], const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void a_capture_becomes_steps_in_the_order_of_time(void **state)
{
	char capture[] = "/tmp/shrike-test-XXXXXX", policy[] = "/tmp/shrike-test-XXXXXX";
	int warnings = 0, fd = fill_file(capture, "");
	struct replay replay = {.warn = count_warning, .warn_arg = &warnings};
	FILE *file = fdopen(fd, "w");
	struct scenario *scenario;
	uint8_t bytes[256] = {};
	struct scenario_step steps[3];
	struct error error;
	size_t len, n;

	(void)state;
	close(fill_file(policy, "version: 1\n"));
	replay.capture_path = capture;
	replay.policy_path = policy;
	take_address(&replay, "100.64.0.1/16");
	pcapng_begin(file, "test", "wt0", PCAPNG_LINK_RAW, 256);
	len = build("100.64.0.2", "100.64.0.1", bytes, sizeof(bytes));
	write_packet(file, 5, bytes, len, len);
	write_packet(file, 3, bytes, 30, len);	   /* too little of it */
	write_packet(file, 3, bytes, 200, 1400);   /* cut behind its headers, and too early */
	write_packet(file, 9, bytes, len, 100000); /* longer than IP can be */
	len = build("100.64.0.1", "100.64.0.2", bytes, sizeof(bytes));
	write_packet(file, 1005, bytes, len, len);
	assert_int_equal(fclose(file), 0);
	if (replay_open(&replay, &scenario, &error))
		fail_msg("%s", error.text);
	for (n = 0; replay_next(&replay, &steps[n < 3 ? n : 2], &error) == 1; n++)
		;
	assert_int_equal(warnings, 2);
	assert_int_equal(n, 3);
	assert_int_equal(steps[0].at_ns, 0);
	assert_int_equal(steps[0].direction, DIR_INGRESS);
	assert_int_equal(steps[1].at_ns, 0);
	assert_int_equal(steps[1].len, 1400);
	assert_int_equal(steps[1].missing, 1200);
	assert_int_equal(steps[1].position.line, 3);
	assert_int_equal(steps[2].at_ns, 1000);
	assert_int_equal(steps[2].direction, DIR_EGRESS);
	assert_false(scenario->interface.ethernet);
	replay_close(&replay);
	scenario_free(scenario);
	unlink(capture);
	unlink(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_show_which_way_a_packet_went),
		cmocka_unit_test(addresses_that_are_none_are_refused),
		cmocka_unit_test(a_capture_becomes_steps_in_the_order_of_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
