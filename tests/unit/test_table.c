/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables as scripts and as people at a terminal get them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "unit/terminal.h"

static const struct table_column columns[] = {
	{"RULE", 0, NULL},
	{"HITS", TABLE_RIGHT, NULL},
	{"SOURCE", TABLE_WRAP, NULL},
};

static void print(FILE *file)
{
	static const char *const first[] = {"b\xc3\xbcro", "1", "any"};
	static const char *const second[] = {
		"ssh", "12345",
		"100.64.0.1/32,100.64.0.2/32,100.64.0.3/32,100.64.0.4/32,fd64::/64"};
	struct table *table = table_new(columns, 3, file);
	struct error error;

	assert_non_null(table);
	assert_int_equal(table_row(table, first), 0);
	assert_int_equal(table_row(table, second), 0);
	assert_int_equal(table_print(table, &error), 0);
	table_free(table);
}

static void scripts_get_a_row_in_each_line_and_no_titles(void **state)
{
	FILE *file = tmpfile();
	char text[512] = "";

	(void)state;
	print(file);
	rewind(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_string_equal(text, "b\xc3\xbcro      1  any\n"
				  "ssh   12345  100.64.0.1/32,100.64.0.2/32,100.64.0.3/32,"
				  "100.64.0.4/32,fd64::/64\n");
	fclose(file);
}

/* Print a table of a row on a terminal of so many columns; what it shows, so many lines. */
static void print_on_terminal(const struct table_column *columns, const char *const *cells,
			      size_t n, unsigned short width, int lines,
			      char text[TERMINAL_TEXT_MAX])
{
	struct terminal terminal;
	struct table *table;
	struct error error;

	terminal_open(&terminal, width);
	table = table_new(columns, n, terminal.file);
	assert_non_null(table);
	assert_int_equal(table_row(table, cells), 0);
	assert_int_equal(table_print(table, &error), 0);
	table_free(table);
	terminal_read(&terminal, lines, text);
	terminal_close(&terminal);
}

static void a_terminal_gets_titles_and_lines_that_fit(void **state)
{
	static const char *const cells[] = {"ssh", "12345",
					    "100.64.0.1/32,100.64.0.2/32,fd64::/64"};
	char text[TERMINAL_TEXT_MAX];

	(void)state;
	print_on_terminal(columns, cells, 3, 40, 3, text);
	assert_string_equal(text, "RULE  HITS SOURCE\n"
				  "ssh  12345 100.64.0.1/32,100.64.0.2/32,\n"
				  "           fd64::/64\n");
}

static void words_are_broken_where_a_line_has_no_room_for_them(void **state)
{
	static const struct table_column wide[] = {
		{"ID", TABLE_WRAP, NULL}, {"SOURCE", TABLE_WRAP, NULL}, {"LAST HIT", 0, NULL}};
	static const char *const cells[] = {"nb/a-policy-of-a-long-name/in/tcp/22",
					    "2001:db8:1:2:3:4:5:6", "never"};
	char text[TERMINAL_TEXT_MAX];

	(void)state;
	print_on_terminal(wide, cells, 3, 40, 4, text);
	assert_string_equal(text, "ID              SOURCE          LAST HIT\n"
				  "nb/a-policy-of- 2001:db8:1:2:3: never\n"
				  "a-long-name/in/ 4:5:6\n"
				  "tcp/22\n");
}

static void a_terminal_does_not_get_optional_columns_that_say_nothing(void **state)
{
	static const struct table_column optional[] = {{"ID", 0, NULL},
						       {"SPORTS", TABLE_OPTIONAL, "any"},
						       {"DPORTS", TABLE_OPTIONAL, NULL},
						       {"LAST HIT", 0, NULL}};
	static const char *const cells[] = {"ssh", "any", "", "never"};
	FILE *file = tmpfile();
	struct table *table = table_new(optional, 4, file);
	struct error error;
	char text[TERMINAL_TEXT_MAX];

	(void)state;
	print_on_terminal(optional, cells, 4, 80, 2, text);
	assert_string_equal(text, "ID   LAST HIT\nssh  never\n");
	assert_int_equal(table_row(table, cells), 0);
	assert_int_equal(table_print(table, &error), 0);
	rewind(file);
	memset(text, 0, sizeof(text));
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_string_equal(text, "ssh  any             never\n");
	table_free(table);
	fclose(file);
}

static void no_line_ends_with_blanks(void **state)
{
	static const char *const cells[] = {"ssh", "1", ""};
	FILE *file = tmpfile();
	struct table *table = table_new(columns, 3, file);
	struct error error;
	char text[256] = "";

	(void)state;
	assert_int_equal(table_row(table, cells), 0);
	assert_int_equal(table_print(table, &error), 0);
	table_free(table);
	rewind(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_string_equal(text, "ssh      1\n");
	fclose(file);
}

static void a_line_break_within_a_cell_does_not_break_its_row(void **state)
{
	static const char *const cells[] = {"a", "1", "b\nc"};
	char text[TERMINAL_TEXT_MAX];

	(void)state;
	print_on_terminal(columns, cells, 3, 80, 2, text);
	assert_string_equal(text, "RULE  HITS  SOURCE\na        1  b\\nc\n");
}

static void a_table_takes_many_rows_and_a_full_disk_is_reported(void **state)
{
	static const char *const cells[] = {"x"};
	struct table *table;
	struct error error;
	FILE *file = fopen("/dev/full", "w");

	(void)state;
	table = table_new(columns, 1, file);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(table_row(table, cells), 0);
	assert_int_equal(table_print(table, &error), -ENOSPC);
	table_free(table);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_get_a_row_in_each_line_and_no_titles),
		cmocka_unit_test(a_terminal_gets_titles_and_lines_that_fit),
		cmocka_unit_test(words_are_broken_where_a_line_has_no_room_for_them),
		cmocka_unit_test(a_terminal_does_not_get_optional_columns_that_say_nothing),
		cmocka_unit_test(no_line_ends_with_blanks),
		cmocka_unit_test(a_line_break_within_a_cell_does_not_break_its_row),
		cmocka_unit_test(a_table_takes_many_rows_and_a_full_disk_is_reported),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
