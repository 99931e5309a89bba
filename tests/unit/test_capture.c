/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Captures that are read: link headers that are not whole, pcapng of several interfaces in either
 * byte order, and files that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <byteswap.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packet/capture.h"
#include "packet/pcapng.h"
#include "simulate/replay.h"

#define ETHERNET 1
#define RAW	 101
#define SLL	 113
#define SLL2	 276
#define LOOP	 108
#define NULLTYPE 0
#define UNKNOWN	 105

static const uint8_t ip4[20] = {0x45, 0, 0, 20, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};

/* A file that is being made, in the byte order of this host or the other one. */
struct made {
	uint8_t bytes[8192];
	size_t len;
	bool swapped;
};

static void put(struct made *made, const void *bytes, size_t len)
{
	assert_true(made->len + len <= sizeof(made->bytes));
	memcpy(made->bytes + made->len, bytes, len);
	made->len += len;
}

static void put32(struct made *made, uint32_t value)
{
	uint32_t word = made->swapped ? bswap_32(value) : value;

	put(made, &word, sizeof(word));
}

static void put16(struct made *made, uint16_t value)
{
	uint16_t half = made->swapped ? bswap_16(value) : value;

	put(made, &half, sizeof(half));
}

static void put_padded(struct made *made, const void *bytes, size_t len)
{
	put(made, bytes, len);
	put(made, "\0\0\0", -len & 3);
}

/* Returns what block_end() takes. */
static size_t block_begin(struct made *made, uint32_t type)
{
	put32(made, type);
	put32(made, 0);
	return made->len;
}

static void block_end(struct made *made, size_t begin)
{
	uint32_t len = made->len - begin + 12, word = made->swapped ? bswap_32(len) : len;

	put32(made, len);
	memcpy(made->bytes + begin - 4, &word, sizeof(word));
}

static void section(struct made *made)
{
	size_t begin = block_begin(made, PCAPNG_SECTION);

	put32(made, PCAPNG_BYTE_ORDER_MAGIC);
	put16(made, 1);
	put16(made, 0);
	put32(made, UINT32_MAX);
	put32(made, UINT32_MAX);
	block_end(made, begin);
}

/* @resolution: of time stamps, -1: as is usual; @offset_s: added to them */
static void interface(struct made *made, uint16_t link_type, uint32_t snap_len, int resolution,
		      int64_t offset_s)
{
	size_t begin = block_begin(made, PCAPNG_INTERFACE);

	put16(made, link_type);
	put16(made, 0);
	put32(made, snap_len);
	if (resolution >= 0) {
		uint8_t value = resolution;
		uint64_t offset = offset_s;

		put16(made, PCAPNG_NAME);
		put16(made, 3);
		put_padded(made, "wt0", 3);
		put16(made, PCAPNG_TIME_RESOLUTION);
		put16(made, 1);
		put_padded(made, &value, 1);
		put16(made, PCAPNG_TIME_OFFSET);
		put16(made, 8);
		offset = made->swapped ? bswap_64(offset) : offset;
		put(made, &offset, 8);
		put32(made, 0);
	}
	block_end(made, begin);
}

static void packet(struct made *made, uint32_t number, uint64_t stamp, const void *bytes,
		   uint32_t captured, uint32_t len)
{
	size_t begin = block_begin(made, PCAPNG_PACKET);

	put32(made, number);
	put32(made, stamp >> 32);
	put32(made, (uint32_t)stamp);
	put32(made, captured);
	put32(made, len);
	put_padded(made, bytes, captured);
	block_end(made, begin);
}

static void old_packet(struct made *made, uint16_t number, uint64_t stamp, const void *bytes,
		       uint32_t len)
{
	size_t begin = block_begin(made, PCAPNG_OLD_PACKET);

	put16(made, number);
	put16(made, UINT16_MAX);
	put32(made, stamp >> 32);
	put32(made, (uint32_t)stamp);
	put32(made, len);
	put32(made, len);
	put_padded(made, bytes, len);
	block_end(made, begin);
}

static void simple_packet(struct made *made, const void *bytes, uint32_t captured, uint32_t len)
{
	size_t begin = block_begin(made, PCAPNG_SIMPLE_PACKET);

	put32(made, len);
	put_padded(made, bytes, captured);
	block_end(made, begin);
}

static void unknown_block(struct made *made)
{
	size_t begin = block_begin(made, 0x0bad);

	put_padded(made, "whatever this is", 16);
	block_end(made, begin);
}

static struct capture *open_made(const struct made *made, char path[], struct error *error)
{
	struct capture *capture = NULL;
	int fd;

	strcpy(path, "/tmp/shrike-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, made->bytes, made->len), made->len);
	close(fd);
	if (capture_open(path, &capture, error))
		assert_null(capture);
	unlink(path);
	return capture;
}

static struct capture *open_good(const struct made *made)
{
	static char path[64]; /* outlives the capture */
	struct error error;
	struct capture *capture = open_made(made, path, &error);

	if (!capture)
		fail_msg("%s", error.text);
	return capture;
}

static void expect_next(struct capture *capture, struct capture_packet *packet)
{
	struct error error;
	int found = capture_next(capture, packet, &error);

	if (found < 0)
		fail_msg("%s", error.text);
	assert_int_equal(found, 1);
}

static void expect_end(struct capture *capture)
{
	struct capture_packet packet;
	struct error error;

	assert_int_equal(capture_next(capture, &packet, &error), 0);
	capture_close(capture);
}

/* A pcap file; @snap_len: libpcap's buffer is not larger than that. */
static void pcap_begin(struct made *made, uint32_t link_type, uint32_t snap_len)
{
	made->len = 0;
	put32(made, 0xa1b2c3d4);
	put16(made, 2);
	put16(made, 4);
	put32(made, 0);
	put32(made, 0);
	put32(made, snap_len);
	put32(made, link_type);
}

static void pcap_packet(struct made *made, const void *bytes, uint32_t captured, uint32_t len)
{
	put32(made, 7);
	put32(made, 0);
	put32(made, captured);
	put32(made, len);
	put(made, bytes, captured);
}

static const struct {
	uint16_t link_type;
	uint32_t header;
	uint32_t captured; /* of a packet that should have more */
} cut_rows[] = {
	{ETHERNET, 14, 13}, {ETHERNET, 14, 12}, {ETHERNET, 14, 1}, {ETHERNET, 14, 0}, {SLL, 16, 15},
	{SLL, 16, 14},	    {SLL, 16, 2},	{SLL2, 20, 19},	   {SLL2, 20, 10},    {SLL2, 20, 1},
	{NULLTYPE, 4, 3},   {LOOP, 4, 1},	{RAW, 0, 0},
};

static void expect_nothing_but_length(const struct capture_packet *packet, uint32_t len)
{
	assert_int_equal(packet->captured, 0);
	assert_int_equal(packet->len, len);
	assert_int_equal(packet->ethertype, 0);
	assert_false(packet->is_outgoing);
}

/* What the buffer holds of the packet before must not be taken for it. */
static void a_link_header_that_is_cut_says_nothing(void **state)
{
	struct capture_packet got;
	struct capture *capture;
	uint8_t full[64];
	struct made made;

	(void)state;
	memset(full, 4, sizeof(full)); /* "outgoing", and no EtherType */
	for (size_t i = 0; i < sizeof(cut_rows) / sizeof(*cut_rows); i++) {
		uint32_t header = cut_rows[i].header, captured = cut_rows[i].captured;

		print_message("link type %u, %u bytes\n", cut_rows[i].link_type, captured);
		made = (struct made){};
		pcap_begin(&made, cut_rows[i].link_type, header + 20);
		pcap_packet(&made, full, header + 20, header + 20);
		pcap_packet(&made, full, captured, 1000);
		capture = open_good(&made);
		expect_next(capture, &got);
		expect_next(capture, &got);
		expect_nothing_but_length(&got, 1000 - header);
		expect_end(capture);

		pcap_begin(&made, cut_rows[i].link_type, captured ? captured : 1);
		pcap_packet(&made, full, captured, captured);
		capture = open_good(&made);
		expect_next(capture, &got);
		expect_nothing_but_length(&got, 0);
		expect_end(capture);

		made = (struct made){};
		section(&made);
		interface(&made, cut_rows[i].link_type, 0, -1, 0);
		packet(&made, 0, 0, full, 64, 64);
		packet(&made, 0, 0, full, captured, 1000);
		capture = open_good(&made);
		expect_next(capture, &got);
		expect_next(capture, &got);
		expect_nothing_but_length(&got, 1000 - header);
		expect_end(capture);
	}
}

static const uint8_t ethernet_header[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
static const uint8_t sll_header[16] = {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0};

/* Interfaces of different links, snap lengths and clocks, and packets of all kinds. */
static void make_several(struct made *made, bool swapped)
{
	uint8_t bytes[64];

	*made = (struct made){.swapped = swapped};
	section(made);
	interface(made, RAW, 16, 9, 0);
	interface(made, ETHERNET, 65535, -1, 0);
	interface(made, UNKNOWN, 65535, -1, 0); /* has no packet */
	packet(made, 0, UINT64_C(1700000000123456789), ip4, 20, 1000);
	unknown_block(made);
	memcpy(bytes, ethernet_header, 14);
	memcpy(bytes + 14, ip4, 20);
	packet(made, 1, UINT64_C(1700000000123456), bytes, 34, 34);
	interface(made, SLL, 0, 0x80 | 10, -1);
	memcpy(bytes, sll_header, 16);
	memcpy(bytes + 16, ip4, 20);
	packet(made, 3, 1024 * UINT64_C(1700000000) + 512, bytes, 36, 36);
	old_packet(made, 0, 5, ip4, 20);
	simple_packet(made, ip4, 16, 20);
	section(made);
	interface(made, RAW, 0, 3, 10);
	packet(made, 0, 1700000000001, ip4, 20, 20);
	simple_packet(made, ip4, 20, 20);
}

static void every_interface_has_its_own_link_and_clock(void **state)
{
	static const struct {
		uint64_t time_ns;
		uint32_t captured;
		uint32_t len;
		bool ethernet;
		bool outgoing;
	} rows[] = {
		{UINT64_C(1700000000123456789), 20, 1000, false, false},
		{UINT64_C(1700000000123456000), 20, 20, true, false},
		{UINT64_C(1699999999500000000), 20, 20, false, true},
		{5, 20, 20, false, false},
		{5, 16, 20, false, false},
		{UINT64_C(1700000010001000000), 20, 20, false, false},
		{UINT64_C(1700000010001000000), 20, 20, false, false},
	};
	struct capture_packet got;
	struct capture *capture;
	struct made made;

	(void)state;
	for (int swapped = 0; swapped < 2; swapped++) {
		make_several(&made, swapped);
		capture = open_good(&made);
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			print_message("packet %zu\n", i);
			expect_next(capture, &got);
			assert_int_equal(got.time_ns, rows[i].time_ns);
			assert_int_equal(got.captured, rows[i].captured);
			assert_int_equal(got.len, rows[i].len);
			assert_int_equal(got.ethertype, 0x0800);
			assert_int_equal(got.is_ethernet, rows[i].ethernet);
			assert_int_equal(got.is_outgoing, rows[i].outgoing);
			assert_memory_equal(got.bytes, ip4, got.captured);
		}
		expect_end(capture);
	}
}

/* Reads all that there is; returns the last answer. */
static int read_all(const struct made *made, struct error *error)
{
	char path[64];
	struct capture *capture = open_made(made, path, error);
	struct capture_packet got;
	uint32_t sum = 0;
	int found = 0;

	if (!capture)
		return -error->code;
	while ((found = capture_next(capture, &got, error)) == 1)
		for (uint32_t i = 0; i < got.captured; i++)
			sum += got.bytes[i];
	capture_close(capture);
	assert_true(sum < UINT32_MAX);
	return found;
}

static void expect_bad(const struct made *made, const char *why)
{
	struct error error = {};

	assert_int_equal(read_all(made, &error), -EINVAL);
	assert_true(error.invalid_input);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
}

static void begin_bad(struct made *made)
{
	*made = (struct made){};
	section(made);
	interface(made, RAW, 65535, -1, 0);
}

static void files_that_lie_are_reported(void **state)
{
	uint32_t word = 0x01020304;
	struct made made;
	size_t at;

	(void)state;
	begin_bad(&made);
	packet(&made, 1, 0, ip4, 20, 20);
	expect_bad(&made, "behind packet 0: a packet is of interface 1, which is not described");
	begin_bad(&made);
	packet(&made, 0, 0, ip4, 20, 20);
	section(&made);
	simple_packet(&made, ip4, 20, 20);
	expect_bad(&made, "behind packet 1: a packet is of interface 0, which is not described");
	begin_bad(&made);
	at = made.len + 20;
	packet(&made, 0, 0, ip4, 20, 20);
	memcpy(made.bytes + at, &word, 4);
	expect_bad(&made, "a packet has 16909060 bytes, more than 262144");
	word = 25;
	memcpy(made.bytes + at, &word, 4);
	expect_bad(&made, "a block is shorter than what is in it");
	begin_bad(&made);
	packet(&made, 0, 0, ip4, 20, 20);
	made.bytes[made.len - 4] ^= 4;
	expect_bad(&made, "a block has another length at its end");
	begin_bad(&made);
	put32(&made, 7);
	put32(&made, 8);
	expect_bad(&made, "a block of 8 bytes");
	begin_bad(&made);
	made.bytes[12] = 2;
	expect_bad(&made, "not a capture: version 2 of pcapng is not known");
	begin_bad(&made);
	made.bytes[8] = 2;
	expect_bad(&made, "not a capture: a section has no byte order");
	begin_bad(&made);
	interface(&made, UNKNOWN, 0, -1, 0);
	packet(&made, 1, 0, ip4, 20, 20);
	expect_bad(&made, "behind packet 0: link type IEEE802_11 is not known");
}

static void a_file_may_end_behind_a_block_alone(void **state)
{
	struct made made, cut;

	(void)state;
	for (int swapped = 0; swapped < 2; swapped++) {
		size_t good = 0;

		make_several(&made, swapped);
		for (cut = made, cut.len = 0; cut.len <= made.len; cut.len++) {
			struct error error = {};
			int found = read_all(&cut, &error);

			assert_true(found == 0 || found == -EINVAL);
			good += !found;
		}
		assert_int_equal(good, 15); /* blocks */
	}
}

/* Whatever stands in a file, reading ends and reads nothing that is not there. */
static void no_byte_of_a_file_is_trusted(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct made made;
	struct error error;

	(void)state;
	for (int swapped = 0; swapped < 2; swapped++) {
		make_several(&made, swapped);
		for (size_t i = 0; i < made.len; i++) {
			uint8_t byte = made.bytes[i];

			for (size_t k = 0; k < sizeof(values); k++) {
				made.bytes[i] = values[k];
				assert_true(read_all(&made, &error) <= 0);
			}
			made.bytes[i] = byte;
		}
	}
}

static void ignore_warning(const char *text, void *unused)
{
	(void)text;
	(void)unused;
}

#define MANY 50000

/* Packets that were long, of which the capture has little: 8 MB of 3 GB. */
static void write_many(char path[])
{
	uint8_t bytes[128] = {};
	struct pcapng_packet written = {.bytes = bytes, .captured = sizeof(bytes), .len = 65535};
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	assert_non_null(file);
	memcpy(bytes, ip4, sizeof(ip4));
	pcapng_begin(file, "test", "wt0", PCAPNG_LINK_RAW, 128);
	for (size_t i = 0; i < MANY; i++)
		pcapng_packet(file, &written);
	assert_int_equal(fclose(file), 0);
}

static void a_replay_keeps_one_packet_in_memory(void **state)
{
	char path[] = "/tmp/shrike-test-XXXXXX", policy[] = "/tmp/shrike-test-XXXXXX";
	struct replay replay = {
		.warn = ignore_warning, .capture_path = path, .policy_path = policy};
	int fd = mkstemp(policy);
	struct scenario *scenario;
	struct scenario_step step;
	struct error error;
	size_t before, n = 0;

	(void)state;
	assert_int_equal(write(fd, "version: 1\n", 11), 11);
	close(fd);
	write_many(path);
	before = mallinfo2().uordblks;
	assert_int_equal(replay_open(&replay, &scenario, &error), 0);
	for (; replay_next(&replay, &step, &error) == 1; n++)
		assert_true(step.len == 65535 && step.missing == 65535 - 128);
	assert_int_equal(n, MANY);
	assert_true(mallinfo2().uordblks < before + 1000000);
	scenario_free(scenario);
	replay_close(&replay);
	unlink(path);
	unlink(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_header_that_is_cut_says_nothing),
		cmocka_unit_test(every_interface_has_its_own_link_and_clock),
		cmocka_unit_test(files_that_lie_are_reported),
		cmocka_unit_test(a_file_may_end_behind_a_block_alone),
		cmocka_unit_test(no_byte_of_a_file_is_trusted),
		cmocka_unit_test(a_replay_keeps_one_packet_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
