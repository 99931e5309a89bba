/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Large files, by the policy parser: those that mean harm and those that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/parse.h"
#include "yaml/yaml.h"

/* A text of @len bytes that begins with @head and goes on with @pattern. */
static char *repeat(const char *head, const char *pattern, size_t len)
{
	size_t head_len = strlen(head), pattern_len = strlen(pattern), i;
	char *text = malloc(len);

	assert_non_null(text);
	for (i = 0; i < len; i++)
		text[i] = i < head_len ? head[i] : pattern[(i - head_len) % pattern_len];
	return text;
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void hostile_files_are_refused_in_bounded_time(void **state)
{
	static const struct {
		const char *head, *pattern, *error;
	} rows[] = {
		{"", "[", "no end of what begins here within 1048576 bytes"},
		{"", "[a,", "no end of what begins here within 1048576 bytes"},
		{"", "&a\n", "no end of what begins here within 1048576 bytes"},
		{"", "% ", "directive too long"},
		{"", "a: b\n", "more than 262144 keys in one mapping"},
		{"[1,", "1,", "more than 2097152 values"},
		{"", "- ", "nested more than 16 deep"},
		{"", "---\n", "a second document begins here"},
		{"a: '", "''", "no end of what begins here within 1048576 bytes"},
	};
	const size_t len = (size_t)16 << 20;
	struct policy *policy = NULL;
	struct error error;
	double before;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text = repeat(rows[i].head, rows[i].pattern, len);
		before = cpu_seconds();
		assert_int_equal(policy_parse("p", text, len, &policy, &error), -EINVAL);
		assert_true(cpu_seconds() - before < 30); /* also under a sanitizer */
		assert_non_null(strstr(error.text, rows[i].error));
		free(text);
	}
	text = repeat("", " ", YAML_TEXT_MAX + 1);
	assert_int_equal(policy_parse("p", text, YAML_TEXT_MAX + 1, &policy, &error), -EINVAL);
	assert_string_equal(error.text, "p: larger than 67108864 bytes");
	free(text);
}

static void json_on_one_line_may_be_long(void **state)
{
	const size_t item_len = strlen("\"10.0.0.1\",");
	const size_t n = 200000;
	char *text = repeat("{\"version\":1,\"sets\":{\"a\":[", "\"10.0.0.1\",", 26 + n * item_len);
	struct policy *policy = NULL;
	struct error error;

	(void)state;
	text = realloc(text, 26 + n * item_len + 3);
	assert_non_null(text);
	memcpy(text + 26 + n * item_len - 1, "]}}", 4); /* in place of the last comma */
	assert_int_equal(policy_parse("p", text, strlen(text), &policy, &error), 0);
	assert_int_equal(policy->sets[0].n_prefixes, n);
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_files_are_refused_in_bounded_time),
		cmocka_unit_test(json_on_one_line_may_be_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
