/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers, addresses, durations, JSON and colour as commands write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "base/address.h"
#include "base/output.h"

static void numbers_are_written_in_decimal(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{0, "0"},
		{9, "9"},
		{10, "10"},
		{65535, "65535"},
		{10000000000000000000ull, "10000000000000000000"},
		{UINT64_MAX, "18446744073709551615"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[21] = {0};

		assert_ptr_equal(put_u64(text, rows[i].value), text + strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

static void assert_like_inet_ntop(const union addr *addr, uint8_t ip_version)
{
	char text[ADDR_TEXT_MAX], expected[ADDR_TEXT_MAX];

	*put_addr(text, addr, ip_version) = '\0';
	if (ip_version == IP_VERSION_4)
		inet_ntop(AF_INET, &addr->word[3], expected, sizeof(expected));
	else
		inet_ntop(AF_INET6, addr, expected, sizeof(expected));
	assert_string_equal(text, expected);
}

static void addresses_are_written_as_the_c_library_writes_them(void **state)
{
	union addr addr = {0};
	unsigned int zeros, i;

	(void)state;
	for (i = 0; i < 256; i++) {
		addr.word[3] = htonl(i << 24 | (255 - i) << 16 | (i ^ 100) << 8 | i / 2);
		assert_like_inet_ntop(&addr, IP_VERSION_4);
	}
	/* Every set of zero groups, beside groups of 1 to 4 digits. */
	for (zeros = 0; zeros < 256; zeros++) {
		for (i = 0; i < 8; i++) {
			unsigned int group = zeros >> i & 1 ? 0 : 0xabcdu >> 4 * (i & 3);

			addr.bytes[2 * i] = group >> 8;
			addr.bytes[2 * i + 1] = group;
		}
		/* There the library writes dotted decimals, which never occur (abi.h). */
		if (addr.half[0] || addr.word[2])
			assert_like_inet_ntop(&addr, IP_VERSION_6);
	}
}

static void durations_are_written_for_people(void **state)
{
	static const struct {
		uint64_t duration_ns;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{999999, "0s"},
		{250000000, "250ms"},
		{1 * NS_PER_S, "1s"},
		{12345678901ull, "12.345s"},
		{59 * NS_PER_S, "59s"},
		{60 * NS_PER_S, "1m0s"},
		{250 * NS_PER_S, "4m10s"},
		{3 * 3600 * NS_PER_S, "3h0m"},
		{24 * 3600 * NS_PER_S - 1, "23h59m"},
		{49 * 3600 * NS_PER_S, "2d1h"},
		{UINT64_MAX, "213503d23h"},
	};
	char text[OUTPUT_DURATION_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(output_duration(text, rows[i].duration_ns), rows[i].text);
}

static void times_are_written_in_utc(void **state)
{
	char text[OUTPUT_TIME_LEN];

	(void)state;
	assert_string_equal(output_time(text, 0), "1970-01-01T00:00:00.000Z");
	assert_string_equal(output_time(text, 1700000000 * NS_PER_S + 42999999),
			    "2023-11-14T22:13:20.042Z");
	assert_int_equal(strlen(output_time(text, UINT64_MAX)), 24);
}

static void json_is_one_compact_line_in_the_order_of_insertion(void **state)
{
	json_t *value = json_pack("{s:i, s:[s,n], s:b}", "zebra", 1, "ant", "\xc3\xbc\n", "bee", 1);
	struct error error;
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(output_json(value, file, &error), 0);
	assert_string_equal(
		text, "{\"schema\":2,\"zebra\":1,\"ant\":[\"\xc3\xbc\\n\",null],\"bee\":true}\n");
	fclose(file);
	free(text);
}

static void numbers_have_units_for_people(void **state)
{
	static const struct {
		double value;
		unsigned int unit;
		const char *text;
	} cases[] = {
		{0, 1000, "0"},
		{999, 1000, "999"},
		{1000, 1000, "1.0k"},
		{1023, 1024, "1023"},
		{1024, 1024, "1.0Ki"},
		{9949, 1000, "9.9k"},
		{9960, 1000, "10k"},
		{999949, 1000, "1000k"},
		{999950, 1000, "1.0M"},
		{1.5e9, 1000, "1.5G"},
		{(1 << 20) * 20.0, 1024, "20Mi"},
		{1.8e19, 1000, "18E"},
	};
	char text[OUTPUT_HUMAN_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(output_human(text, cases[i].value, cases[i].unit),
				    cases[i].text);
}

static json_t *without_bee(json_t *value)
{
	json_object_del(value, "bee");
	return value;
}

static void objects_name_their_form_unless_an_older_one_is_asked_for(void **state)
{
	json_t *list = json_pack("[{s:i}, {}]", "bee", 1), *first, *old;

	(void)state;
	list = output_formed(list);
	assert_non_null(list);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(list, i), "schema")),
			OUTPUT_JSON_SCHEMA);
	first = json_incref(json_array_get(list, 0));
	assert_ptr_equal(output_part(first), first);
	assert_int_equal(json_object_size(first), 2);
	output_set_form(without_bee);
	assert_true(output_has_old_form());
	assert_int_equal(json_object_size(output_part(first)), 1);
	old = output_formed(json_pack("{s:i}", "bee", 1));
	assert_int_equal(json_object_size(old), 0);
	output_set_form(NULL);
	json_decref(old);
	json_decref(first);
	json_decref(list);
}

static void fractions_have_at_most_six_decimals(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{7.762, "7.762"},
		{0.50122038000000002, "0.50122"},
		{10795.1234567, "10795.123457"},
		{999999999.123456, "999999999.123456"},
		{-0.1, "-0.1"},
		{0, "0.0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *value = output_real(cases[i].value);
		char *text = json_dumps(value, OUTPUT_JSON_FLAGS | JSON_ENCODE_ANY);

		assert_string_equal(text, cases[i].text);
		free(text);
		json_decref(value);
	}
}

static void output_that_does_not_arrive_is_an_error(void **state)
{
	struct error error = {0};
	FILE *file = fopen("/dev/full", "w");

	(void)state;
	assert_int_equal(output_json(json_object(), file, &error), -ENOSPC);
	assert_string_equal(error.text, "writing output: No space left on device");
	fclose(file);
	assert_int_equal(output_json(NULL, stdout, &error), -ENOMEM);
}

static void text_that_is_not_utf8_becomes_json_all_the_same(void **state)
{
	json_t *plain = output_json_text("/etc/\xc3\xa4.yaml");
	json_t *broken = output_json_text("p\xff\xc3.yaml");

	(void)state;
	assert_string_equal(json_string_value(plain), "/etc/\xc3\xa4.yaml");
	assert_string_equal(json_string_value(broken), "p\xef\xbf\xbd\xef\xbf\xbd.yaml");
	json_decref(plain);
	json_decref(broken);
}

static void colour_needs_a_terminal_and_no_no_color(void **state)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *terminal, *null = fopen("/dev/null", "w");

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(grantpt(fd) | unlockpt(fd), 0);
	terminal = fopen(ptsname(fd), "w");
	assert_non_null(terminal);

	unsetenv("NO_COLOR");
	assert_true(output_wants_colour(terminal));
	assert_false(output_wants_colour(null));
	setenv("NO_COLOR", "", 1);
	assert_true(output_wants_colour(terminal));
	setenv("NO_COLOR", "1", 1);
	assert_false(output_wants_colour(terminal));
	unsetenv("NO_COLOR");

	assert_string_equal(output_colour_on(true, OUTPUT_RED), "\033[31m");
	assert_string_equal(output_colour_off(true), "\033[0m");
	assert_string_equal(output_colour_on(false, OUTPUT_RED), "");
	assert_string_equal(output_colour_off(false), "");
	fclose(terminal);
	fclose(null);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_in_decimal),
		cmocka_unit_test(addresses_are_written_as_the_c_library_writes_them),
		cmocka_unit_test(durations_are_written_for_people),
		cmocka_unit_test(times_are_written_in_utc),
		cmocka_unit_test(objects_name_their_form_unless_an_older_one_is_asked_for),
		cmocka_unit_test(numbers_have_units_for_people),
		cmocka_unit_test(json_is_one_compact_line_in_the_order_of_insertion),
		cmocka_unit_test(fractions_have_at_most_six_decimals),
		cmocka_unit_test(output_that_does_not_arrive_is_an_error),
		cmocka_unit_test(text_that_is_not_utf8_becomes_json_all_the_same),
		cmocka_unit_test(colour_needs_a_terminal_and_no_no_color),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
