/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Captures that are written: block by block as the format says, and as they are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packet/capture.h"
#include "packet/pcapng.h"

static const uint8_t ip4[20] = {0x45, 0, 0, 20, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};

struct written {
	char *bytes;
	size_t len;
	FILE *file;
};

static void begin(struct written *written)
{
	written->file = open_memstream(&written->bytes, &written->len);
	assert_non_null(written->file);
}

static void end(struct written *written)
{
	assert_int_equal(fclose(written->file), 0);
}

static uint32_t word(const struct written *written, size_t at)
{
	uint32_t value;

	assert_true(at + 4 <= written->len);
	memcpy(&value, written->bytes + at, 4);
	return value;
}

/* Checks the frame of the block at @at, returns where the next one begins. */
static size_t expect_block(const struct written *written, size_t at, uint32_t type)
{
	uint32_t len = word(written, at + 4);

	assert_int_equal(word(written, at), type);
	assert_int_equal(len % 4, 0);
	assert_int_equal(word(written, at + len - 4), len);
	assert_int_equal(word(written, at + len - 8), 0); /* the end of options */
	return at + len;
}

static void blocks_are_framed_padded_and_in_order(void **state)
{
	const struct pcapng_packet packet = {
		.time_ns = UINT64_C(0x1122334455667788),
		.bytes = "abcde",
		.captured = 5,
		.len = 1500,
		.inbound = true,
		.comment = "verdict=drop",
	};
	struct written written;
	size_t at;

	(void)state;
	begin(&written);
	pcapng_begin(written.file, "shrike 1", "wt0", PCAPNG_LINK_RAW, 256);
	pcapng_packet(written.file, &packet);
	pcapng_statistics(written.file, 7, 10, 3);
	end(&written);
	at = expect_block(&written, 0, 0x0a0d0d0a);
	assert_int_equal(word(&written, 8), 0x1a2b3c4d);
	assert_int_equal(word(&written, at + 8), PCAPNG_LINK_RAW);
	assert_int_equal(word(&written, at + 12), 256);
	assert_memory_equal(written.bytes + at + 20, "wt0", 4);
	at = expect_block(&written, at, 1);
	assert_int_equal(word(&written, at + 12), 0x11223344);
	assert_int_equal(word(&written, at + 16), 0x55667788);
	assert_int_equal(word(&written, at + 20), 5);
	assert_int_equal(word(&written, at + 24), 1500);
	assert_memory_equal(written.bytes + at + 28, "abcde\0\0\0", 8);
	assert_int_equal(word(&written, at + 40), 1); /* epb_flags: inbound */
	assert_int_equal(word(&written, at + 44), 12 << 16 | 1);
	assert_memory_equal(written.bytes + at + 48, "verdict=drop", 12);
	at = expect_block(&written, at, 6);
	at = expect_block(&written, at, 5);
	assert_int_equal(at, written.len);
	free(written.bytes);
}

static void a_packet_needs_neither_bytes_nor_a_comment(void **state)
{
	const struct pcapng_packet packet = {.bytes = "", .len = 40};
	struct written written;

	(void)state;
	begin(&written);
	pcapng_packet(written.file, &packet);
	end(&written);
	assert_int_equal(expect_block(&written, 0, 6), written.len);
	assert_int_equal(word(&written, 32), 2); /* epb_flags: outbound */
	free(written.bytes);
}

static void a_comment_beyond_what_an_option_holds_is_cut(void **state)
{
	char *comment = malloc(70001);
	struct pcapng_packet packet = {.bytes = ip4, .captured = 20, .len = 20, .comment = comment};
	struct written written;

	(void)state;
	assert_non_null(comment);
	memset(comment, 'x', 70000);
	comment[70000] = '\0';
	begin(&written);
	pcapng_packet(written.file, &packet);
	end(&written);
	assert_int_equal(expect_block(&written, 0, 6), written.len);
	assert_true(written.len < 65535 + 100);
	free(comment);
	free(written.bytes);
}

/* A file with what @link_type begins with before the packet. */
static void write_capture(char path[], uint16_t link_type, const void *link, uint32_t link_len)
{
	uint8_t bytes[64];
	struct pcapng_packet packet = {
		.time_ns = UINT64_C(1700000000123456789),
		.bytes = bytes,
		.captured = link_len + sizeof(ip4),
		.len = link_len + 1000,
		.comment = "hello",
	};
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	assert_non_null(file);
	memcpy(bytes, link, link_len);
	memcpy(bytes + link_len, ip4, sizeof(ip4));
	pcapng_begin(file, "shrike 1", "wt0", link_type, 256);
	pcapng_packet(file, &packet);
	pcapng_statistics(file, packet.time_ns, 1, 0);
	assert_int_equal(fclose(file), 0);
}

static void expect_packet(uint16_t link_type, const void *link, uint32_t link_len, bool ethernet)
{
	char path[] = "/tmp/shrike-test-XXXXXX";
	struct capture_packet packet;
	struct capture *capture;
	struct error error;

	write_capture(path, link_type, link, link_len);
	assert_int_equal(capture_open(path, &capture, &error), 0);
	assert_int_equal(capture_next(capture, &packet, &error), 1);
	assert_int_equal(packet.is_ethernet, ethernet);
	assert_int_equal(packet.captured, sizeof(ip4));
	assert_int_equal(packet.len, 1000);
	assert_int_equal(packet.ethertype, 0x0800);
	assert_int_equal(packet.time_ns, UINT64_C(1700000000123456789));
	assert_memory_equal(packet.bytes, ip4, sizeof(ip4));
	assert_false(packet.is_outgoing);
	assert_int_equal(capture_next(capture, &packet, &error), 0);
	capture_close(capture);
	unlink(path);
}

static void captures_are_read_as_they_were_written(void **state)
{
	static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

	(void)state;
	expect_packet(PCAPNG_LINK_RAW, "", 0, false);
	expect_packet(PCAPNG_LINK_ETHERNET, ethernet, sizeof(ethernet), true);
}

static void what_is_no_capture_is_invalid_input(void **state)
{
	char path[] = "/tmp/shrike-test-XXXXXX";
	struct capture *capture;
	int fd = mkstemp(path);
	struct error error;

	(void)state;
	assert_int_equal(write(fd, "version: 1\nand more of this", 27), 27);
	close(fd);
	assert_int_equal(capture_open(path, &capture, &error), -EINVAL);
	assert_true(error.invalid_input);
	unlink(path);
	assert_int_equal(capture_open(path, &capture, &error), -ENOENT);
	assert_false(error.invalid_input);
}

static void a_capture_that_is_cut_short_is_reported(void **state)
{
	char path[] = "/tmp/shrike-test-XXXXXX";
	struct capture_packet packet;
	struct capture *capture;
	struct error error;

	(void)state;
	write_capture(path, PCAPNG_LINK_RAW, "", 0);
	assert_int_equal(truncate(path, 150), 0);
	assert_int_equal(capture_open(path, &capture, &error), 0);
	assert_int_equal(capture_next(capture, &packet, &error), -EINVAL);
	assert_true(error.invalid_input);
	capture_close(capture);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_framed_padded_and_in_order),
		cmocka_unit_test(a_packet_needs_neither_bytes_nor_a_comment),
		cmocka_unit_test(a_comment_beyond_what_an_option_holds_is_cut),
		cmocka_unit_test(captures_are_read_as_they_were_written),
		cmocka_unit_test(what_is_no_capture_is_invalid_input),
		cmocka_unit_test(a_capture_that_is_cut_short_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
