/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What `policy show` says of rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/policy_print.h"
#include "policy/parse.h"

static const char text[] =
	"version: 1\n"
	"peer_acl:\n"
	"  - {id: a, action: allow, protocol: tcp, destination_ports: [22]}\n"
	"  - {id: b, action: deny, destination: [multicast, 10.0.0.1, broadcast, 'set:s']}\n"
	"  - {id: c, action: allow, destination: [any, broadcast], protocol: icmp,\n"
	"     icmp_types: [neighbour-solicitation, 8, 3/4, echo-request]}\n"
	"route_acl:\n"
	"  - {id: d, action: allow, protocol: icmp, icmp_types: [redirect/0]}\n"
	"sets: {s: [10.1.0.0/16]}\n";

static char *print_with(const char *text, bool json, bool numeric)
{
	static const struct instance instance = {.config.generation = 1};
	static const struct undo undo;
	struct policy_view view = {
		.instance = &instance, .undo = &undo, .interface = "wt0", .numeric = numeric};
	struct policy *policy;
	struct error error;
	char *printed;
	size_t len;
	FILE *file = open_memstream(&printed, &len);

	assert_non_null(file);
	if (policy_parse("p", text, strlen(text), &policy, &error))
		fail_msg("%s", error.text);
	view.policy = policy;
	assert_int_equal(policy_print(&view, json, file, &error), 0);
	fclose(file);
	policy_free(policy);
	return printed;
}

static char *print(bool json)
{
	return print_with(text, json, false);
}

static void addresses_are_shown_by_their_names(void **state)
{
	static const char named[] =
		"version: 1\n"
		"names: {anna: [100.64.0.2, 'fd64::2'], db: 10.0.0.5}\n"
		"peer_acl:\n"
		"  - {id: a, action: allow, source: [anna, 10.0.0.0/8]}\n"
		"route_acl:\n"
		"  - {id: b, action: allow, source: any, destination: 10.0.0.5}\n";
	char *printed = print_with(named, false, false);

	(void)state;
	assert_non_null(strstr(printed, "peer   allow   a   anna,10.0.0.0/8  local  "));
	assert_non_null(strstr(printed, "route  allow   b   any              db  "));
	free(printed);
	printed = print_with(named, false, true);
	assert_non_null(strstr(printed, "  100.64.0.2,fd64::2,10.0.0.0/8  local  "));
	assert_non_null(strstr(printed, "  10.0.0.5  "));
	free(printed);
	printed = print_with(named, true, false);
	assert_non_null(strstr(printed, "\"source\":[\"100.64.0.2\",\"fd64::2\",\"10.0.0.0/8\"]"));
	assert_non_null(strstr(printed, "\"source_names\":{\"100.64.0.2\":\"anna\","
					"\"fd64::2\":\"anna\"}"));
	assert_non_null(strstr(printed, "\"destination_names\":{\"10.0.0.5\":\"db\"}"));
	assert_non_null(strstr(printed, "\"names\":{\"anna\":[\"100.64.0.2\",\"fd64::2\"],"
					"\"db\":[\"10.0.0.5\"]}"));
	free(printed);
	printed = print_with(named, true, true);
	assert_null(strstr(printed, "names"));
	free(printed);
}

static void what_a_rule_is_for_is_shown(void **state)
{
	static const char described[] =
		"version: 1\n"
		"peer_acl:\n"
		"  - {id: a, action: allow, description: 'operators: \"all\" # of them'}\n"
		"  - {id: b, action: deny}\n";
	char *printed = print_with(described, false, false);

	(void)state;
	assert_non_null(strstr(printed, "never     operators: \"all\" # of them\n"));
	free(printed);
	printed = print_with(described, true, false);
	assert_non_null(strstr(printed, "\"description\":\"operators: \\\"all\\\" # of them\""));
	free(printed);
	printed = print(false);
	assert_non_null(strstr(printed, "never\n"));
	free(printed);
}

static void destinations_and_icmp_types_are_columns(void **state)
{
	static const char *const lines[] = {
		"peer   allow   a   any     local                               tcp    ",
		"peer   deny    b   any     10.0.0.1,set:s,broadcast,multicast  all    ",
		"peer   allow   c   any     any,broadcast                       "
		"icmp:nd-neighbor-solicit,8,3/4,echo-request  any     any ",
		"route  allow   d   any     any                                 icmp:redirect/0 ",
	};
	char *printed = print(false);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(printed, lines[i]))
			fail_msg("no line %zu in:\n%s", i, printed);
	free(printed);
}

static void destinations_and_icmp_types_are_lists(void **state)
{
	char *printed = print(true);

	(void)state;
	assert_non_null(strstr(printed, "{\"id\":\"a\",\"action\":\"allow\",\"source\":[\"any\"],"
					"\"protocol\":\"tcp\",\"destination_ports\":[22],"));
	assert_non_null(strstr(printed, "\"destination\":[\"10.0.0.1\",\"set:s\",\"broadcast\","
					"\"multicast\"],\"protocol\":\"all\","));
	assert_non_null(strstr(printed,
			       "\"destination\":[\"any\",\"broadcast\"],"
			       "\"protocol\":\"icmp\",\"icmp_types\":"
			       "[\"nd-neighbor-solicit\",\"8\",\"3/4\",\"echo-request\"],"));
	assert_non_null(strstr(printed, "\"destination\":[\"any\"],\"protocol\":\"icmp\","
					"\"icmp_types\":[\"redirect/0\"],"));
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_shown_by_their_names),
		cmocka_unit_test(what_a_rule_is_for_is_shown),
		cmocka_unit_test(destinations_and_icmp_types_are_columns),
		cmocka_unit_test(destinations_and_icmp_types_are_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
