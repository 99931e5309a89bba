/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Metrics as text: both formats byte by byte, and which of them a client gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/exposition.h"
#include "metrics/families.h"

static json_t *made_families(void)
{
	return json_pack("[{s:s,s:s,s:s,s:[{s:{s:s,s:s},s:i},{s:{},s:I}]},{s:s,s:s,s:s,s:[]},"
			 "{s:s,s:s,s:s,s:[{s:{s:s},s:i}]}]",
			 "name", "a_bytes_total", "type", "counter", "help",
			 "Two\nlines, \"a\\b\".", "samples", "labels", "x", "\"\\\n", "y",
			 "\xc3\xa9", "value", 7, "labels", "value", (json_int_t)9007199254740993,
			 "name", "empty", "type", "gauge", "help", "No samples.", "samples", "name",
			 "b_info", "type", "info", "help", "What it is.", "samples", "labels",
			 "version", "1", "value", 1);
}

static void expect_text(enum metrics_format format, const char *expected)
{
	json_t *families = made_families();
	struct error error;
	char *text;
	size_t len;

	assert_non_null(families);
	assert_int_equal(exposition_write(families, format, &text, &len, &error), 0);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
	json_decref(families);
}

static void test_text_is_of_the_format_0_0_4(void **state)
{
	(void)state;
	expect_text(METRICS_TEXT, "# HELP a_bytes_total Two\\nlines, \"a\\\\b\".\n"
				  "# TYPE a_bytes_total counter\n"
				  "a_bytes_total{x=\"\\\"\\\\\\n\",y=\"\xc3\xa9\"} 7\n"
				  "a_bytes_total 9007199254740993\n"
				  "# HELP b_info What it is.\n"
				  "# TYPE b_info gauge\n"
				  "b_info{version=\"1\"} 1\n");
}

static void test_openmetrics_has_types_units_and_an_end(void **state)
{
	(void)state;
	expect_text(METRICS_OPENMETRICS, "# HELP a_bytes Two\\nlines, \\\"a\\\\b\\\".\n"
					 "# TYPE a_bytes counter\n"
					 "# UNIT a_bytes bytes\n"
					 "a_bytes_total{x=\"\\\"\\\\\\n\",y=\"\xc3\xa9\"} 7\n"
					 "a_bytes_total 9007199254740993\n"
					 "# HELP b What it is.\n"
					 "# TYPE b info\n"
					 "b_info{version=\"1\"} 1\n"
					 "# EOF\n");
}

#define OPEN "application/openmetrics-text"

static void test_a_client_gets_the_format_that_it_prefers(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} rows[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{",;,=;q,", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/html", METRICS_TEXT},
		{"application/*", METRICS_TEXT},
		{OPEN, METRICS_OPENMETRICS},
		{"Application/OpenMetrics-Text", METRICS_OPENMETRICS},
		{OPEN "; version=1.0.0; charset=utf-8", METRICS_OPENMETRICS},
		{OPEN ";version=0.0.1", METRICS_TEXT},
		{OPEN ";version=1.0.0x", METRICS_TEXT},
		{OPEN "x", METRICS_TEXT},
		{OPEN ";q=0", METRICS_TEXT},
		{OPEN ";q=2", METRICS_TEXT},
		{OPEN ";q=nan", METRICS_TEXT},
		{OPEN " ; q=0.5 , text/plain;q=0.4", METRICS_OPENMETRICS},
		{OPEN ";q=0.5,text/plain;q=0.5", METRICS_OPENMETRICS},
		{OPEN ";q=0.5,text/plain", METRICS_TEXT},
		{"text/plain;q=0.6," OPEN ";q=0.5", METRICS_TEXT},
		{"*/*;q=0.1," OPEN, METRICS_OPENMETRICS},
		/* Prometheus 2.42 */
		{OPEN ";version=1.0.0," OPEN
		      ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_OPENMETRICS},
		{OPEN ";version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (exposition_choose(rows[i].accept) != rows[i].format)
			fail_msg("Accept: %s", rows[i].accept);
}

static const json_t *family(const json_t *families, const char *name)
{
	const json_t *found;
	size_t i;

	json_array_foreach (families, i, found)
		if (!strcmp(json_string_value(json_object_get(found, "name")), name))
			return json_object_get(found, "samples");
	fail_msg("no family %s", name);
	return NULL;
}

static json_int_t value_of(const json_t *samples, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(samples, i), "value"));
}

static void test_rules_beyond_the_bound_are_summed_up_by_list_and_action(void **state)
{
	static const char *const lists[] = {"peer_acl", "route_acl"};
	json_t *rules = json_array(), *families, *interfaces;
	const json_t *samples;

	(void)state;
	for (int i = 0; i < METRICS_RULES_MAX + 10; i++) {
		char id[16];

		snprintf(id, sizeof(id), "r%d", i);
		json_array_append_new(rules, json_pack("{s:s,s:s,s:s,s:i,s:i}", "id", id, "acl",
						       lists[i % 2], "action",
						       i == METRICS_RULES_MAX ? "deny" : "allow",
						       "packets", 1, "bytes", i));
	}
	interfaces = json_pack("[{s:s,s:b,s:o}]", "interface", "wt0", "attached", 1, "rule_hits",
			       rules);
	families = metrics_families(interfaces);
	samples = family(families, "shrike_rule_packets_total");
	assert_int_equal(json_array_size(samples), METRICS_RULES_MAX + 3);
	assert_int_equal(value_of(samples, 0), 1);
	assert_int_equal(value_of(samples, METRICS_RULES_MAX), 4);     /* peer_acl, allow */
	assert_int_equal(value_of(samples, METRICS_RULES_MAX + 1), 1); /* peer_acl, deny */
	assert_int_equal(value_of(samples, METRICS_RULES_MAX + 2), 5); /* route_acl, allow */
	json_decref(families);
	json_decref(interfaces);
}

static void test_an_interface_that_is_not_attached_has_no_other_figures(void **state)
{
	json_t *interfaces = json_pack("[{s:s,s:b,s:b}]", "interface", "wt0", "attached", 0,
				       "running", 1);
	json_t *families = metrics_families(interfaces);
	const json_t *found;
	size_t i, n = 0;

	(void)state;
	json_array_foreach (families, i, found)
		n += json_array_size(json_object_get(found, "samples"));
	assert_int_equal(n, 3); /* with the version */
	assert_int_equal(value_of(family(families, "shrike_attached"), 0), 0);
	assert_int_equal(value_of(family(families, "shrike_running"), 0), 1);
	json_decref(families);
	json_decref(interfaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_of_the_format_0_0_4),
		cmocka_unit_test(test_openmetrics_has_types_units_and_an_end),
		cmocka_unit_test(test_a_client_gets_the_format_that_it_prefers),
		cmocka_unit_test(test_rules_beyond_the_bound_are_summed_up_by_list_and_action),
		cmocka_unit_test(test_an_interface_that_is_not_attached_has_no_other_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
