/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections as people read them, on real maps. */
#include "unit/flow_fixture.h"

#include <stdio.h>
#include <string.h>

#include "conntrack/flow_rows.h"
#include "conntrack/print.h"
#include "unit/terminal.h"

static const char *rule_id(void *arg, uint32_t number)
{
	(void)arg;
	return number == 7 ? "web" : NULL;
}

static const struct flow_spec routed_flow = {
	.l4_proto = IPPROTO_TCP,
	.src = "100.64.31.206",
	.dst = "10.0.0.5",
	.sport = 54435,
	.dport = 80,
	.idle_ns = 1,
	.flow = {.packets = {3, 2},
		 .bytes = {300, 200},
		 .generation = 4,
		 .rule = 7,
		 .state = FLOW_STATE_ESTABLISHED,
		 .flags = FLOW_BY_PEER | FLOW_FORWARD | FLOW_CONFIRMED},
};

static void a_terminal_gets_a_table_that_fits(void **state)
{
	struct flow_spec spec = routed_flow;
	struct fixture *f = *state;
	struct terminal terminal;
	struct flow_printer *printer;
	char text[TERMINAL_TEXT_MAX];
	struct error error;

	spec.flow.bytes[0] = 12345678;
	fixture_add(f, &spec);
	terminal_open(&terminal, 80);
	printer = flow_printer_new(terminal.file, false, "wt0", rule_id, NULL);
	flow_printer_set_human(printer);
	assert_int_equal(
		conntrack_walk(&f->conntrack, &f->clock, NULL, flow_printer_visit, printer, &error),
		0);
	assert_int_equal(flow_printer_end(printer, &error), 0);
	flow_printer_free(printer);
	terminal_read(&terminal, 4, text);
	terminal_close(&terminal);
	assert_string_equal(
		text,
		"PROTO STATE        LEFT BY   SOURCE  DESTINATION PACKETS    BYTES RULE FLAGS\n"
		"tcp   established 2h59m peer 100.64. 10.0.0.5:80     3/2 12Mi/200 web  forward\n"
		"                             31.206:\n"
		"                             54435\n");
}

static void counts_have_units_where_they_are_asked_for(void **state)
{
	struct flow_spec spec = routed_flow;
	struct fixture *f = *state;
	struct flow_printer *printer;
	struct error error;
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	spec.flow.packets[0] = 1234567;
	spec.flow.bytes[1] = 12345678;
	fixture_add(f, &spec);
	printer = flow_printer_new(file, false, "wt0", rule_id, NULL);
	flow_printer_set_human(printer);
	assert_int_equal(
		conntrack_walk(&f->conntrack, &f->clock, NULL, flow_printer_visit, printer, &error),
		0);
	assert_int_equal(flow_printer_end(printer, &error), 0);
	flow_printer_free(printer);
	fclose(file);
	assert_non_null(strstr(text, " packets=1.2M bytes=300 "));
	assert_non_null(strstr(text, " packets=2 bytes=12Mi "));
	free(text);
}

/* Pages are printed as they are full; so rows need no memory for all connections. */
static void a_table_comes_in_pages(void **state)
{
	const struct flow flow = {.rule = 7, .state = FLOW_STATE_UDP};
	struct flow_rows rows = {};
	struct error error;
	char *text = NULL;
	size_t len = 0;
	int lines = 0;

	rows.file = open_memstream(&text, &len);
	(void)state;
	for (int i = 0; i < 2500; i++) {
		const struct flow_view view = {
			.flow = &flow, .rule = 7, .ip_version = IP_VERSION_4};

		assert_int_equal(flow_rows_add(&rows, &view, "web", &error), 0);
	}
	assert_int_equal(rows.n, 500);
	assert_int_equal(flow_rows_end(&rows, &error), 0);
	fclose(rows.file);
	for (const char *line = text; (line = strchr(line, '\n')); line++)
		lines++;
	assert_int_equal(lines, 2500);
	free(text);
}

static int setup(void **state)
{
	*state = fixture_new(1024);
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_terminal_gets_a_table_that_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_have_units_where_they_are_asked_for, setup,
						teardown),
		cmocka_unit_test(a_table_comes_in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
