/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Warnings about valid policies: each row is a policy and all that is said about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/check.h"
#include "policy/parse.h"
#include "policy/policy.h"

struct warnings {
	char text[2048];
	size_t n;
};

static void on_warning(void *context, struct position position, const char *text)
{
	struct warnings *warnings = context;
	size_t used = strlen(warnings->text);

	snprintf(warnings->text + used, sizeof(warnings->text) - used, "%u:%u: %s\n", position.line,
		 position.column, text);
	warnings->n++;
}

static void check(const char *text, struct warnings *warnings)
{
	struct policy *policy = NULL;
	struct error error = {0};

	memset(warnings, 0, sizeof(*warnings));
	if (policy_parse("p", text, strlen(text), &policy, &error))
		fail_msg("%s", error.text);
	assert_int_equal(policy_check(policy, on_warning, warnings, NULL, &error), 0);
	policy_free(policy);
}

#define GROUP_ONLY                                                                                 \
	"which matches nothing: only the words broadcast and multicast stand for such "            \
	"destinations\n"

static const struct {
	const char *rules; /* of route_acl, from line 3, and what follows */
	const char *warnings;
} rows[] = {
	{"  - {id: a, action: allow}\n", ""},
	{"  - {id: a, action: allow}\n  - {id: b, action: allow}\n",
	 "4:5: rule 'b' repeats rule 'a' in line 3\n"},
	{"  - {id: a, action: allow, source: [10.0.0.1, 10.0.0.2]}\n"
	 "  - {id: b, action: allow, source: [10.0.0.2, 10.0.0.1]}\n",
	 "4:5: rule 'b' repeats rule 'a' in line 3\n"},
	{"  - {id: a, action: allow}\n  - {id: b, action: deny}\n",
	 "3:5: rule 'a' is never reached: all it matches is matched before by rule 'b' in line "
	 "4\n"},
	{"  - {id: a, action: allow, source: 10.0.0.0/8, protocol: tcp}\n"
	 "  - {id: b, action: allow, source: 10.1.0.0/16, destination: 10.0.0.1, protocol: tcp, "
	 "destination_ports: 80}\n",
	 "4:5: rule 'b' is never reached: all it matches is matched before by rule 'a' in line "
	 "3\n"},
	{"  - {id: a, action: allow, source: 10.0.0.0/8, protocol: tcp}\n"
	 "  - {id: b, action: allow, source: 10.1.0.0/16, protocol: udp}\n",
	 ""},
	{"  - {id: a, action: allow, destination_ports: [80-90]}\n"
	 "  - {id: b, action: allow, protocol: tcp, destination_ports: [85, 80]}\n"
	 "  - {id: c, action: allow, protocol: tcp, destination_ports: [85-91]}\n"
	 "  - {id: d, action: allow, protocol: tcp}\n",
	 "4:5: rule 'b' is never reached: all it matches is matched before by rule 'a' in line "
	 "3\n"},
	{"  - {id: a, action: allow, source: 0.0.0.0/0}\n  - {id: b, action: allow, source: "
	 "'::/0'}\n"
	 "  - {id: c, action: allow, source: '::1'}\n",
	 "5:5: rule 'c' is never reached: all it matches is matched before by rule 'b' in line "
	 "4\n"},
	{"  - {id: a, action: allow, source: set:s}\n"
	 "  - {id: b, action: allow, source: 10.0.0.1}\n"
	 "  - {id: c, action: allow, source: set:s, protocol: udp}\n"
	 "sets: {s: [10.0.0.0/8]}\n",
	 "5:5: rule 'c' is never reached: all it matches is matched before by rule 'a' in line "
	 "3\n"},
	{"  - {id: a, action: deny, source: []}\n  - {id: b, action: allow, destination: []}\n",
	 "3:5: rule 'a' matches nothing: its source list is empty\n"
	 "4:5: rule 'b' matches nothing: its destination list is empty\n"},
	{"  - {id: a, action: deny, source: set:e}\n"
	 "sets:\n  e: []\n  u: [10.0.0.1]\n"
	 "  d: [10.0.0.1, '::', 10.0.0.1/32]\n"
	 "peer_acl:\n  - {id: b, action: deny, source: set:d}\n",
	 "5:3: set 'e' is empty\n6:3: set 'u' is not used\n"
	 "7:3: set 'd' lists 10.0.0.1 more than once\n"},
	{"  - {id: a, action: allow, source: 10.0.0.1}\n"
	 "peer_acl:\n  - {id: b, action: allow, source: 10.0.0.1}\n",
	 ""},
	{"  - {id: a, action: allow, protocol: icmp, icmp_types: [3, echo-request]}\n"
	 "  - {id: b, action: allow, protocol: icmp, icmp_types: [8/0]}\n" /* not over IPv6 */
	 "  - {id: c, action: allow, protocol: icmp, icmp_types: [fragmentation-needed, '3/1']}\n"
	 "  - {id: d, action: allow, protocol: icmp}\n"
	 "  - {id: e, action: allow, protocol: icmp, icmp_types: 8/0}\n",
	 "5:5: rule 'c' is never reached: all it matches is matched before by rule 'a' in line 3\n"
	 "7:5: rule 'e' repeats rule 'b' in line 4\n"},
	{"  []\npeer_acl:\n"
	 "  - {id: a, action: allow}\n"
	 "  - {id: b, action: allow, destination: [broadcast]}\n"
	 "  - {id: c, action: allow, destination: [broadcast, 10.0.0.1], protocol: tcp}\n"
	 "  - {id: d, action: allow, destination: [any, broadcast, multicast]}\n"
	 "  - {id: e, action: allow, destination: multicast, protocol: udp}\n"
	 "  - {id: f, action: allow, destination: 10.0.0.2}\n",
	 "9:5: rule 'e' is never reached: all it matches is matched before by rule 'd' in line 8\n"
	 "10:5: rule 'f' is never reached: all it matches is matched before by rule 'a' in line "
	 "5\n"},
	{"  []\npeer_acl:\n"
	 "  - {id: a, action: allow, destination: [10.0.0.1, 224.0.0.251]}\n"
	 "  - {id: b, action: allow, destination: 'ff02::/16'}\n"
	 "  - {id: c, action: allow, destination: 255.255.255.255}\n"
	 "  - {id: d, action: allow, destination: [224.0.0.0/3, 'fe00::/7']}\n",
	 "5:5: rule 'a' names 224.0.0.251, " GROUP_ONLY "6:5: rule 'b' names ff02::/16, " GROUP_ONLY
	 "7:5: rule 'c' names 255.255.255.255, " GROUP_ONLY},
};

static void each_policy_gets_its_warnings(void **state)
{
	struct warnings warnings;
	char text[2048];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "version: 1\nroute_acl:\n%s", rows[i].rules);
		check(text, &warnings);
		assert_string_equal(warnings.text, rows[i].warnings);
	}
}

/* A policy of @n rules whose lists begin with @prefix_format of their number. */
static char *many_rules(size_t n, const char *keys_format)
{
	size_t size = 64 + n * 160, used, i;
	char *text = malloc(size);

	assert_non_null(text);
	used = (size_t)snprintf(text, size, "version: 1\nroute_acl:\n");
	for (i = 0; i < n; i++) {
		used += (size_t)snprintf(text + used, size - used, "  - {id: r%zu, action: allow, ",
					 i);
		used += (size_t)snprintf(text + used, size - used, keys_format, i >> 8 & 255,
					 i & 255);
		used += (size_t)snprintf(text + used, size - used, "}\n");
	}
	return text;
}

static void many_different_rules_are_all_compared(void **state)
{
	char *text = many_rules(60000, "source: 10.0.0.0/8, destination: 10.1.%zu.%zu");
	struct warnings warnings;

	(void)state;
	strcpy(strstr(text, "  - {id: r59999,"),
	       "  - {id: last, action: allow, destination: 10.1.0.7, source: 10.2.0.0/16}\n");
	check(text, &warnings);
	free(text);
	assert_string_equal(warnings.text,
			    "60002:5: rule 'last' is never reached: all it matches is "
			    "matched before by rule 'r7' in line 10\n");
}

static void too_many_overlapping_rules_end_the_search(void **state)
{
	char *text = many_rules(30000, "protocol: tcp, source_ports: [%zu], destination_ports: "
				       "[%zu]");
	struct warnings warnings;

	(void)state;
	*strstr(text, "  - {id: r29999,") = '\0';
	check(text, &warnings);
	free(text);
	assert_string_equal(warnings.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_policy_gets_its_warnings),
		cmocka_unit_test(many_different_rules_are_all_compared),
		cmocka_unit_test(too_many_overlapping_rules_end_the_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
