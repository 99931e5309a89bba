/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text in lines of a width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/wrap.h"

static const struct {
	const char *text;
	size_t width;
	const char *wrapped;
} cases[] = {
	{"", 5, ""},
	{"one two", 7, "one two"},
	{"one two", 6, "one\ntwo"},
	{"one  two three", 9, "one two\nthree"}, /* as a paragraph */
	{"22, 80", 3, "22,\n80"},
	{"22,80,443", 6, "22,80,\n443"},
	{"100.64.0.1/32", 10, "100.64.0.\n1/32"},
	{"abcdefgh", 3, "abc\ndef\ngh"},
	{"a,", 1, "a\n,"},
	{"b\xc3\xbcro s\xc3\xbc\xc3\x9f", 4, "b\xc3\xbcro\ns\xc3\xbc\xc3\x9f"},
	{"\xe6\xbc\xa2\xe5\xad\x97", 3, "\xe6\xbc\xa2\n\xe5\xad\x97"}, /* two columns each */
	{"\xe6\xbc\xa2\xe5\xad\x97", 1, "\xe6\xbc\xa2\n\xe5\xad\x97"}, /* no room for one */
	{"\xff\xff\xff", 9, "\xff\xff\n\xff"}, /* four columns each, as they are escaped */
};

static void lines_end_between_words_and_words_are_broken_at_last(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *wrapped = wrap(cases[i].text, cases[i].width);

		assert_string_equal(wrapped, cases[i].wrapped);
		free(wrapped);
	}
}

static void width_counts_columns_and_the_narrowest_is_the_widest_word(void **state)
{
	(void)state;
	assert_int_equal(wrap_width("b\xc3\xbcro \xe6\xbc\xa2"), 7);
	assert_int_equal(wrap_width(""), 0);
	assert_int_equal(wrap_narrowest("22, 8000-8999", true), 9);
	assert_int_equal(wrap_narrowest("22, 8000-8999", false), 5);
	assert_int_equal(wrap_narrowest("22,80", true), 3);
	assert_int_equal(wrap_narrowest("", true), 0);
}

static void lines_go_on_below_their_text_and_colours_take_no_room(void **state)
{
	static const struct {
		const char *text;
		const char *printed;
	} lines[] = {
		{"short\n", "short\n"},
		{"  a list of words in lines\n", "  a list of\n      words in\n      lines\n"},
		{"a  b\nc  \n", "a  b\nc\n"},
		{"long enough   for two", "long enough\n    for two\n"},
		{"\033[31mred red\033[0m red red\n", "\033[31mred red\033[0m red\n    red\n"},
		{"/a/path/without/blanks here\n", "/a/path/without/blanks\n    here\n"},
		{"\n\nx", "\n\nx\n"},
		{"     \n", "\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const struct wrap_lines how = {.width = 14, .hang = 4};
		char *printed;
		size_t len;
		FILE *file = open_memstream(&printed, &len);

		wrap_print(lines[i].text, &how, file);
		fclose(file);
		assert_string_equal(printed, lines[i].printed);
		free(printed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_between_words_and_words_are_broken_at_last),
		cmocka_unit_test(width_counts_columns_and_the_narrowest_is_the_widest_word),
		cmocka_unit_test(lines_go_on_below_their_text_and_colours_take_no_room),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
