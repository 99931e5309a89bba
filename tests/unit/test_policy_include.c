/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Policies of several files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/parse.h"

#define FILES_MAX 6

/* Files of a case: their paths and texts. */
struct file {
	const char *path;
	const char *text;
};

static char folder[] = "/tmp/shrike-include-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return !mkdtemp(folder) || chdir(folder) || mkdir("d", 0700) || mkdir("e", 0700);
}

static int remove_folder(void **state)
{
	(void)state;
	return chdir("/") || rmdir(folder);
}

static void write_files(const struct file files[FILES_MAX])
{
	for (int i = 0; i < FILES_MAX && files[i].path; i++) {
		FILE *file = fopen(files[i].path, "w");

		assert_non_null(file);
		fputs(files[i].text, file);
		assert_int_equal(fclose(file), 0);
	}
}

static void remove_files(const struct file files[FILES_MAX])
{
	for (int i = 0; i < FILES_MAX && files[i].path; i++)
		unlink(files[i].path);
}

static int remove_case_folders(void **state)
{
	(void)state;
	return rmdir("d") || rmdir("e");
}

static void rules_come_in_the_order_of_the_files(void **state)
{
	static const struct file files[FILES_MAX] = {
		{"p.yaml", "version: 1\n"
			   "include:\n"
			   "  - d   # by name\n"
			   "  # and one alone\n"
			   "  - e/z.yaml\n"
			   "sets: {s: [10.0.0.0/8]}\n"
			   "peer_acl:\n"
			   "  - {id: own, action: allow, source: ['set:t', anna]}\n"
			   "...\n"},
		{"d/b.yml", "peer_acl:\n- {id: b, action: deny}\n"},
		{"d/a.yaml",
		 "\xef\xbb\xbf%YAML 1.2\n---\r\n# a\r\nversion: 1\r\ninclude: ../e/y.json\r\n"
		 "sets:\r\n  t: [192.0.2.1]\r\nnames: {anna: 100.64.0.5}\r\n"},
		{"d/.hidden.yaml", "not: [yaml"},
		{"e/y.json", "{\"peer_acl\": [\n{\"id\": \"json\", \"action\": \"allow\"}]}"},
		{"e/z.yaml", "peer_acl: [{id: z, action: allow, source: ['set:s']}]\n"},
	};
	static const struct {
		const char *id, *path;
		struct position at;
	} want[] = {{"own", "p.yaml", {8, 5}},
		    {"json", "d/../e/y.json", {2, 1}},
		    {"b", "d/b.yml", {2, 3}},
		    {"z", "e/z.yaml", {1, 12}}};
	struct policy *policy, *again;
	struct error error;

	(void)state;
	write_files(files);
	if (policy_load("p.yaml", &policy, &error))
		fail_msg("%s", error.text);
	remove_files(files);
	/* what is in force is read back without the files */
	if (policy_parse("p.yaml", policy->text, policy->text_len, &again, &error))
		fail_msg("%s", error.text);
	policy_free(policy);
	assert_int_equal(again->acl[ACL_PEER].n_rules, 4);
	for (size_t i = 0; i < 4; i++) {
		struct position at = again->acl[ACL_PEER].rules[i].position;

		assert_string_equal(again->acl[ACL_PEER].rules[i].id, want[i].id);
		assert_string_equal(policy_place(again, &at), want[i].path);
		assert_int_equal(at.line, want[i].at.line);
		assert_int_equal(at.column, want[i].at.column);
	}
	policy_free(again);
}

static void a_mistake_is_told_with_its_file(void **state)
{
	static const struct {
		const char *error;
		struct file files[FILES_MAX];
	} cases[] = {
		{"p:2:10: nosuch: No such file or directory",
		 {{"p", "version: 1\ninclude: nosuch\n"}}},
		{"p:2:11: p is included already", {{"p", "version: 1\ninclude: [p]\n"}}},
		{"d/b.yaml:1:10: d/../d/a.yaml is included already",
		 {{"p", "version: 1\ninclude: d\n"},
		  {"d/a.yaml", "include: b.yaml\n"},
		  {"d/b.yaml", "include: ../d/a.yaml\n"}}},
		{"d/a.yaml:2:3: unknown key 'when'",
		 {{"p", "version: 1\ninclude: [d/]\n"},
		  {"d/a.yaml", "peer_acl:\n- when: now\n  id: a\n  action: deny\n"}}},
		{"d/a.yaml:1:1: unknown key 'mode'",
		 {{"p", "version: 1\ninclude: [d/]\n"}, {"d/a.yaml", "mode: {}\n"}}},
		{"d/a.yaml:1:10: version must be 1",
		 {{"p", "version: 1\ninclude: [d/]\n"}, {"d/a.yaml", "version: 2\n"}}},
		{"d/a.yaml:1:1: the file is empty",
		 {{"p", "version: 1\ninclude: [d/]\n"}, {"d/a.yaml", "# nothing\n"}}},
		{"d/a.yaml:1:1: expected a mapping of keys to values, not a list",
		 {{"p", "version: 1\ninclude: [d/]\n"}, {"d/a.yaml", "[a]\n"}}},
		{"d/b.yaml:1:17: duplicate id 'a', which p:3 has already",
		 {{"p", "version: 1\ninclude: [d/]\npeer_acl: [{id: a, action: deny}]\n"},
		  {"d/b.yaml", "peer_acl: [{id: a, action: deny}]\n"}}},
		{"d/b.yaml:1:8: duplicate set 's', which p:3 has",
		 {{"p", "version: 1\ninclude: [d/]\nsets: {s: []}\n"},
		  {"d/b.yaml", "sets: {s: []}\n"}}},
		{"d/b.yaml:1:9: duplicate name 'anna', which another file has",
		 {{"p", "version: 1\ninclude: [d/]\nnames: {anna: 10.0.0.1}\n"},
		  {"d/b.yaml", "names: {anna: 10.0.0.1}\n"}}},
		{"p:1:16: include needs a policy with a line for each key, not one in braces",
		 {{"p", "{\"version\": 1, \"include\": []}"}}},
		{"p:3:1: included is what 'shrike policy export' makes of include: only one of "
		 "them "
		 "can be there",
		 {{"p", "version: 1\ninclude: []\nincluded: {}\n"}}},
		{"p:2:10: expected a list of files and directories, not a mapping of keys to "
		 "values",
		 {{"p", "version: 1\ninclude: {a: b}\n"}}},
		{"p:2:11: -: No such file or directory", {{"p", "version: 1\ninclude: [\"-\"]\n"}}},
		{"p:2:11: /dev/null: not a regular file",
		 {{"p", "version: 1\ninclude: [/dev/null]\n"}}},
		{"p:2:11: d/?.yaml: a file name with control characters",
		 {{"p", "version: 1\ninclude: [\"d/\"]\n"}, {"d/\x01.yaml", "version: 1\n"}}},
	};
	struct policy *policy;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_files(cases[i].files);
		assert_int_equal(policy_load("p", &policy, &error), -EINVAL);
		remove_files(cases[i].files);
		assert_string_equal(error.text, cases[i].error);
		assert_true(error.in_file);
	}
}

static void a_policy_that_is_no_file_includes_none(void **state)
{
	static const char text[] = "version: 1\ninclude: [d]\n";
	struct policy *policy;
	struct error error;

	(void)state;
	assert_int_equal(policy_parse("p", text, strlen(text), &policy, &error), -EINVAL);
	assert_string_equal(error.text, "p:2:1: include works in a policy's file only");
}

static void an_empty_folder_includes_nothing(void **state)
{
	static const struct file files[FILES_MAX] = {{"p", "version: 1\ninclude: d\n"}};
	struct policy *policy;
	struct error error;

	(void)state;
	write_files(files);
	if (policy_load("p", &policy, &error))
		fail_msg("%s", error.text);
	remove_files(files);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_come_in_the_order_of_the_files),
		cmocka_unit_test(a_mistake_is_told_with_its_file),
		cmocka_unit_test(a_policy_that_is_no_file_includes_none),
		cmocka_unit_test_teardown(an_empty_folder_includes_nothing, remove_case_folders),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
