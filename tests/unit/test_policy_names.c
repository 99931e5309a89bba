/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of addresses in policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/parse.h"
#include "policy/parse_names.h"
#include "policy/policy.h"

#define MANY 100000

static struct error error;

static struct policy *parse(const char *text)
{
	struct policy *policy;

	if (policy_parse("p", text, strlen(text), &policy, &error))
		fail_msg("%s\n%s", error.text, text);
	return policy;
}

static const char *name_of(const struct names *names, const char *address)
{
	union addr addr;
	uint8_t ip_version;

	assert_int_equal(addr_parse(address, &addr, &ip_version, &error), 0);
	return names_of(names, &addr, ip_version);
}

static const char policy_text[] = "version: 1\n"
				  "names:\n"
				  "  laptop-anna: [100.64.31.206, \"fd64::2\"]\n"
				  "  db.a.example: 10.0.0.1\n"
				  "  Alias_1: [10.0.0.1]\n"
				  "peer_acl:\n"
				  "  - {id: a, action: allow, source: [db.a.example, laptop-anna, "
				  "192.168.0.0/16]}\n"
				  "route_acl:\n"
				  "  - {id: b, action: allow, source: any, destination: Alias_1}\n";

static void test_names_stand_for_their_addresses(void **state)
{
	struct policy *policy = parse(policy_text);
	const struct address_match *source = &policy->acl[ACL_PEER].rules[0].source;
	const struct address_match *to = &policy->acl[ACL_ROUTE].rules[0].destination;
	static const char *const wanted[] = {"10.0.0.1", "100.64.31.206", "fd64::2",
					     "192.168.0.0/16"};
	char text[PREFIX_TEXT_MAX];

	(void)state;
	assert_int_equal(source->n_prefixes, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(prefix_format(&source->prefixes[i], text, sizeof(text)),
				    wanted[i]);
	assert_int_equal(to->n_prefixes, 1);
	assert_string_equal(prefix_format(to->prefixes, text, sizeof(text)), "10.0.0.1");
	policy_free(policy);
}

static void test_addresses_have_the_first_of_their_names(void **state)
{
	struct policy *policy = parse(policy_text);
	const struct names *names = &policy->names;
	size_t n;

	(void)state;
	assert_string_equal(name_of(names, "fd64::2"), "laptop-anna");
	assert_string_equal(name_of(names, "100.64.31.206"), "laptop-anna");
	assert_string_equal(name_of(names, "10.0.0.1"), "db.a.example");
	assert_null(name_of(names, "10.0.0.2"));
	assert_null(name_of(names, "::a00:1"));
	assert_non_null(names_find(names, "Alias_1", &n));
	assert_int_equal(n, 1);
	assert_null(names_find(names, "alias_1", &n));
	policy_free(policy);
	policy = parse("version: 1\n");
	assert_null(name_of(&policy->names, "10.0.0.1"));
	assert_null(names_find(&policy->names, "a", &n));
	policy_free(policy);
}

static void test_what_cannot_be_a_name_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} rows[] = {
		{"names: {any: 10.0.0.1}", "p:2:9: 'any' cannot be a name"},
		{"names: {self: 10.0.0.1}", "p:2:9: 'self' cannot be a name"},
		{"names: {multicast: 10.0.0.1}", "p:2:9: 'multicast' cannot be a name"},
		{"names: {10.0.0.1: 10.0.0.1}", "p:2:9: '10.0.0.1' cannot be a name"},
		{"names: {'fd00::1': 10.0.0.1}", "p:2:9: 'fd00::1' cannot be a name"},
		{"names: {'': 10.0.0.1}", "p:2:9: '' cannot be a name"},
		{"names: {a b: 10.0.0.1}", "p:2:9: 'a b' cannot be a name"},
		{"names: {-a: 10.0.0.1}", "p:2:9: '-a' cannot be a name"},
		{"names: {a/b: 10.0.0.1}", "p:2:9: 'a/b' cannot be a name"},
		{"names: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: '::1'}",
		 "cannot be a name"},
		{"names: {a: []}", "p:2:12: a name without an address"},
		{"names: {a: 10.0.0.0/8}", "p:2:12: '10.0.0.0/8' is not an address"},
		{"names: {a: [10.0.0.1, b]}", "p:2:23: 'b' is not an address"},
		{"names: {a: {b: c}}", "p:2:12: expected a list of addresses"},
		{"names: [a]", "p:2:8: expected a mapping"},
		{"names: {a: '::1', a: '::2'}", "p:2:19: "},
		{"names: {a: '::1'}\npeer_acl: [{id: r, action: allow, source: [b]}]",
		 "p:3:44: unknown name 'b', which is no address either"},
		{"names: {a: '::1'}\nroute_acl: [{id: r, action: allow, destination: a.b}]",
		 "p:3:49: unknown name 'a.b', which is no address either"},
		{"names: {a: '::1'}\nroute_acl: [{id: r, action: allow, source: a, destination: "
		 "10.0.0.0/8}]",
		 "p:3:60: mixed families"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct policy *policy;

		snprintf(text, sizeof(text), "version: 1\n%s\n", rows[i].text);
		assert_int_equal(policy_parse("p", text, strlen(text), &policy, &error), -EINVAL);
		if (!strstr(error.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, error.text);
	}
}

static void test_names_are_read_without_the_rest_of_a_policy(void **state)
{
	static const struct {
		const char *text;
		bool any;
	} rows[] = {
		{policy_text, true},
		{"{\"version\": 1, \"names\": {\"a\": \"10.0.0.1\"}}", true},
		{"version: 1\nnames: {a: 10.0.0.1}", true},
		{"---\nnames:\n# comment\n\n  a: 10.0.0.1\nversion: 1\n", true},
		{"names: {\n  a: [10.0.0.1,\n 10.0.0.2]}\nversion: 1\n", true},
		{"'names': {a: 10.0.0.1}\nversion: 1\n", true},
		{"  names: {a: 10.0.0.1}\n  version: 1\n", true},
		{"version: 1\n", false},
		{"version: 1\nsets: {names: [10.0.0.1]}\n", false},
		{"version: 1\nsets: {\n  names: [10.0.0.1]\n  }\n", false},
		{"version: 1 # names:\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct names names;

		policy_free(parse(rows[i].text)); /* all of these are valid */
		if (names_read(rows[i].text, strlen(rows[i].text), &names, &error))
			fail_msg("%s: %s", rows[i].text, error.text);
		if (!name_of(&names, "10.0.0.1") == rows[i].any)
			fail_msg("%s", rows[i].text);
		names_free(&names);
	}
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void test_a_hundred_thousand_names_are_cheap(void **state)
{
	struct names names;
	double before = cpu_seconds();
	size_t len, found = 0, n;
	char *text, name[32], address[32];
	FILE *file = open_memstream(&text, &len);

	(void)state;
	fputs("version: 1\nnames:\n", file);
	for (int i = 0; i < MANY; i++)
		fprintf(file, "  peer-%d: [100.%d.%d.%d]\n", i, 64 + (i >> 16), i >> 8 & 255,
			i & 255);
	fclose(file);
	assert_int_equal(names_read(text, len, &names, &error), 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "peer-%d", i);
		snprintf(address, sizeof(address), "100.%d.%d.%d", 64 + (i >> 16), i >> 8 & 255,
			 i & 255);
		found += names_find(&names, name, &n) && !strcmp(name_of(&names, address), name);
	}
	assert_int_equal(found, MANY);
	assert_true(cpu_seconds() - before < 10); /* also under a sanitizer; 0.3 s without */
	names_free(&names);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_stand_for_their_addresses),
		cmocka_unit_test(test_addresses_have_the_first_of_their_names),
		cmocka_unit_test(test_what_cannot_be_a_name_is_refused_with_its_place),
		cmocka_unit_test(test_names_are_read_without_the_rest_of_a_policy),
		cmocka_unit_test(test_a_hundred_thousand_names_are_cheap),
	};

	return cmocka_run_group_tests_name("policy names", tests, NULL, NULL);
}
