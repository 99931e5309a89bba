/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables as scripts and as people at a terminal get them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"

static const struct table_column columns[] = {
	{"RULE", 0},
	{"HITS", TABLE_RIGHT},
	{"SOURCE", TABLE_WRAP},
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

static int count_lines(const char *text)
{
	int lines = 0;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

/* What a terminal has got, until so many lines are there: it comes piece by piece. */
static void read_lines(int fd, int lines, char *text, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	while (count_lines(text) < lines && poll(&wait, 1, 10000) > 0) {
		ssize_t n = read(fd, text + len, size - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
	}
}

static void a_terminal_gets_titles_and_lines_that_fit(void **state)
{
	struct winsize size = {.ws_row = 24, .ws_col = 60};
	int ours, theirs, lines = 0;
	char text[1024] = "";
	FILE *file;

	(void)state;
	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &size), 0);
	file = fdopen(theirs, "w");
	print(file);
	read_lines(ours, 4, text, sizeof(text));
	assert_ptr_equal(strstr(text, "RULE"), text);
	for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"), lines++)
		assert_in_range(strlen(line), 1, 61); /* a letter of two bytes */
	assert_int_equal(lines, 4);
	fclose(file);
	close(ours);
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
		cmocka_unit_test(a_table_takes_many_rows_and_a_full_disk_is_reported),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
