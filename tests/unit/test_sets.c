/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changing sets in a policy's text: a row is a change of a set, and the set afterwards.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/sets_read.h"

static char policy_text[] =
	"version: 1\n"
	"mode: {local_forwarding: true, routing: native} # a comment\n"
	"peer_acl:\n"
	"  - id: one, two \"three\" \\ four\n"
	"    action: allow\n"
	"    source: set:s\n"
	"    protocol: 47\n"
	"  - {id: '2', action: deny, source: ['fd00::1', 'set:odd: name'], protocol: tcp,\n"
	"     destination_ports: [80-90, 22]}\n"
	"sets:\n"
	"  s: [10.0.0.0/8, 'fd00::/8', 10.0.0.1, 10.0.0.0/8]\n"
	"  'odd: name': 10.1.1.1\n"
	"  s timed: [10.0.0.1, 10.0.0.2 timeout 10m, 'fd00::1 timeout 1h30m']\n"
	"nat:\n"
	"  port: [{protocol: tcp, port: 8080, to: 80}]\n"
	"limits: {tcp: 100}\n"
	"timeouts: {udp: 1m30s}\n"
	"mss_clamp: false\n";

struct row {
	const char *set;
	enum sets_operation operation;
	const char *prefixes; /* with blanks between them */
	const char *after;
	struct sets_result result;
};

static const struct row rows[] = {
	{"s", SETS_ADD, "192.0.2.1", "10.0.0.0/8 10.0.0.1 192.0.2.1 fd00::/8", {1, 0, 0, 4, 0}},
	{"s", SETS_ADD, "10.0.0.1 10.0.0.1/32", "10.0.0.0/8 10.0.0.1 fd00::/8", {0, 0, 1, 3, 0}},
	{"s",
	 SETS_ADD,
	 "::/0 0.0.0.0/0 0.0.0.0",
	 "0.0.0.0/0 0.0.0.0 10.0.0.0/8 10.0.0.1 ::/0 fd00::/8",
	 {3, 0, 0, 6, 0}},
	{"s", SETS_DEL, "10.0.0.0/8 10.0.0.0/9", "10.0.0.1 fd00::/8", {0, 1, 1, 2, 0}},
	{"s", SETS_DEL, "10.0.0.0/8 10.0.0.1 fd00::/8", "", {0, 3, 0, 0, 0}},
	{"s", SETS_REPLACE, "", "", {0, 3, 0, 0, 0}},
	{"s", SETS_REPLACE, "10.0.0.1 1.2.3.4", "1.2.3.4 10.0.0.1", {1, 2, 1, 2, 0}},
	{"odd: name", SETS_ADD, "fd00::1", "10.1.1.1 fd00::1", {1, 0, 0, 2, 0}},
	{"odd: name", SETS_REPLACE, "10.1.1.1", "10.1.1.1", {0, 0, 1, 1, 0}},
	{"odd: name",
	 SETS_ADD,
	 "10.1.1.2 timeout 90",
	 "10.1.1.1 10.1.1.2 timeout 1m30s",
	 {1, 0, 0, 2, 0}},
	/* what is there to stay, stays; what is not gets its time anew, even if it is the same */
	{"s timed",
	 SETS_ADD,
	 "10.0.0.1 timeout 5s 10.0.0.2 timeout 10m 10.0.0.3 timeout 1500ms",
	 "10.0.0.1 10.0.0.2 timeout 10m 10.0.0.3 timeout 1s500ms fd00::1 timeout 1h30m",
	 {1, 0, 1, 4, 1}},
	{"s timed",
	 SETS_ADD,
	 "10.0.0.2 fd00::1 timeout 1m",
	 "10.0.0.1 10.0.0.2 fd00::1 timeout 1m",
	 {0, 0, 0, 3, 2}},
	{"s timed",
	 SETS_DEL,
	 "10.0.0.2 10.0.0.9",
	 "10.0.0.1 fd00::1 timeout 1h30m",
	 {0, 1, 1, 2, 0}},
	{"s timed",
	 SETS_REPLACE,
	 "10.0.0.1 timeout 1h fd00::1",
	 "10.0.0.1 timeout 1h fd00::1",
	 {0, 1, 0, 2, 2}},
	/* of what is given twice the longer time counts */
	{"s timed",
	 SETS_REPLACE,
	 "10.0.0.2 timeout 1h 10.0.0.2 timeout 2h 10.0.0.1 10.0.0.1 timeout 1h",
	 "10.0.0.1 10.0.0.2 timeout 2h",
	 {0, 1, 1, 2, 1}},
};

static struct policy *parse(const char *text, size_t len)
{
	struct policy *policy;
	struct error error;

	if (policy_parse("p", text, len, &policy, &error))
		fail_msg("%s in:\n%s", error.text, text);
	return policy;
}

static const struct prefix_set *find_set(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_sets; i++)
		if (!strcmp(policy->sets[i].name, name))
			return &policy->sets[i];
	fail_msg("no set %s", name);
	return NULL;
}

static void set_text(const struct policy *policy, const char *name, char *text, size_t size)
{
	const struct prefix_set *set = find_set(policy, name);
	char word[SET_ELEMENT_TEXT_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < set->n_prefixes; i++) {
		const struct set_element element = {
			.prefix = set->prefixes[i],
			.timeout_ns = set->times ? set->times[i].timeout_ns : 0,
		};
		size_t used = strlen(text);

		snprintf(text + used, size - used, "%s%s", i ? " " : "",
			 set_element_format(&element, word, sizeof(word)));
	}
}

/* All but positions, text and the sets' content. */
static void assert_same(const struct policy *a, const struct policy *b)
{
	const struct policy_rule *x = a->acl[ACL_PEER].rules, *y = b->acl[ACL_PEER].rules;

	assert_memory_equal(&a->mode, &b->mode, sizeof(a->mode));
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_memory_equal(&a->timeouts, &b->timeouts, sizeof(a->timeouts));
	assert_int_equal(a->mss_clamp, b->mss_clamp);
	assert_int_equal(a->n_sets, b->n_sets);
	assert_int_equal(a->n_nat_port, b->n_nat_port);
	assert_int_equal(a->nat_port[0].to, b->nat_port[0].to);
	assert_int_equal(a->acl[ACL_PEER].n_rules, b->acl[ACL_PEER].n_rules);
	for (size_t i = 0; i < a->acl[ACL_PEER].n_rules; i++) {
		assert_string_equal(x[i].id, y[i].id);
		assert_int_equal(x[i].allow, y[i].allow);
		assert_int_equal(x[i].protocol, y[i].protocol);
		assert_int_equal(x[i].source.n_prefixes, y[i].source.n_prefixes);
		assert_int_equal(x[i].source.n_sets, y[i].source.n_sets);
		assert_int_equal(x[i].source.sets[0], y[i].source.sets[0]);
		assert_int_equal(x[i].n_destination_ports, y[i].n_destination_ports);
		if (x[i].n_destination_ports)
			assert_memory_equal(x[i].destination_ports, y[i].destination_ports,
					    x[i].n_destination_ports * sizeof(struct port_range));
	}
}

static void read_words(const char *words, struct sets_change *change)
{
	struct sets_reader reader = {.change = change};
	char *copy = strdup(words), *rest = copy, *word;
	struct error error;

	while ((word = strtok_r(rest, " ", &rest)))
		if (sets_read_word(&reader, word, &error))
			fail_msg("%s", error.text);
	if (sets_read_end(&reader, &error))
		fail_msg("%s", error.text);
	free(copy);
}

static void a_change_makes_the_set_so_and_leaves_the_rest(void **state)
{
	struct policy *before = parse(policy_text, strlen(policy_text));

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct sets_change change = {.name = row->set, .operation = row->operation};
		struct sets_result result;
		struct policy *after;
		struct error error;
		const struct sets_text from = {"p", policy_text, strlen(policy_text)};
		struct sets_text to;
		char set[256];

		read_words(row->prefixes, &change);
		if (sets_change(&from, &change, &to, &result, &error))
			fail_msg("%s", error.text);
		after = parse(to.text, to.len);
		assert_same(before, after);
		set_text(after, row->set, set, sizeof(set));
		assert_string_equal(set, row->after);
		assert_memory_equal(&result, &row->result, sizeof(result));
		policy_free(after);
		free(to.text);
		free(change.elements);
	}
	policy_free(before);
}

/* A change of the set s, with the text around it. */
static void all_else_in_the_text_stays(void **state)
{
	static const struct {
		enum sets_operation operation;
		const char *prefixes, *before, *after;
	} cases[] = {
		{SETS_ADD, "10.0.0.9",
		 "  s: # ours\n  - 10.0.0.1  # anna\n  # b\n  - 'fd00::1'\n  t: []\n",
		 "  s: # ours\n  - 10.0.0.1  # anna\n  # b\n  - 'fd00::1'\n  - 10.0.0.9\n  t: "
		 "[]\n"},
		{SETS_REPLACE, "10.0.0.9 fd00::1 fd00::2",
		 "  s:\n    - 10.0.0.1  # anna\n    - 'fd00::1' # b\n\n    # c\n    - 1.1.1.1",
		 "  s:\n    - 'fd00::1' # b\n\n    # c\n    - 10.0.0.9\n    - \"fd00::2\"\n"},
		{SETS_DEL, "10.0.0.1 1.1.1.1",
		 "  \"s\":\n    - 10.0.0.1\n    # c\n    - 1.1.1.1\n  t: []\n",
		 "  \"s\": []\n    # c\n  t: []\n"},
		{SETS_ADD, "10.0.0.1", "  \"s\": []\n", "  \"s\": [\"10.0.0.1\"]\n"},
		{SETS_ADD, "10.0.0.2 fd00::1", "  s: [10.0.0.1 # ]\n    ] # d\n",
		 "  s: [10.0.0.1, 10.0.0.2, \"fd00::1\"] # d\n"},
		{SETS_DEL, "10.0.0.2", "  s: [10.0.0.1, \"10.0.0.2\"]\n", "  s: [\"10.0.0.1\"]\n"},
		{SETS_REPLACE, "", "  s: 10.0.0.1 # e\n", "  s: [] # e\n"},
		{SETS_ADD, "10.0.0.2 timeout 10m", "  s: 10.0.0.1 timeout 1h # e\n",
		 "  s: [10.0.0.1 timeout 1h, 10.0.0.2 timeout 10m] # e\n"},
		{SETS_ADD, "10.0.0.2 timeout 2h fd00::2 timeout 1m",
		 "  s:\n  - 10.0.0.1 timeout 1h # a\n  - 10.0.0.2 timeout 1h # b\n",
		 "  s:\n  - 10.0.0.1 timeout 1h # a\n  - 10.0.0.2 timeout 2h\n"
		 "  - \"fd00::2 timeout 1m\"\n"},
		{SETS_REPLACE, "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7",
		 "  s: []\n",
		 "  s: [\n    1.1.1.1,\n    1.1.1.2,\n    1.1.1.3,\n    1.1.1.4,\n    1.1.1.5,\n"
		 "    1.1.1.6,\n    1.1.1.7]\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sets_change change = {.name = "s", .operation = cases[i].operation};
		struct sets_text from = {.path = "p"}, to;
		char text[512], want[512];
		struct sets_result result;
		struct error error;

		snprintf(text, sizeof(text), "# a\nversion: 1\nsets:\n%s", cases[i].before);
		snprintf(want, sizeof(want), "# a\nversion: 1\nsets:\n%s", cases[i].after);
		read_words(cases[i].prefixes, &change);
		from.text = text;
		from.len = strlen(text);
		if (sets_change(&from, &change, &to, &result, &error))
			fail_msg("%s", error.text);
		assert_string_equal(to.text, want);
		policy_free(parse(to.text, to.len));
		free(to.text);
		free(change.elements);
	}
}

static void a_set_that_does_not_exist_is_refused_with_those_that_do(void **state)
{
	struct sets_change change = {.name = "t"};
	struct sets_result result;
	struct error error = {0};
	struct sets_text from = {"p", policy_text, strlen(policy_text)}, to;

	(void)state;
	assert_int_equal(sets_change(&from, &change, &to, &result, &error), -EINVAL);
	assert_true(error.invalid_input);
	assert_string_equal(error.text, "t: no such set in the policy in force, which has: s, odd: "
					"name, s timed");
	from.text = "version: 1";
	from.len = 10;
	assert_int_equal(sets_change(&from, &change, &to, &result, &error), -EINVAL);
	assert_string_equal(error.text, "t: no such set in the policy in force, which has none");
}

/* Knows one prefix of each set but those whose name begins with 's'. */
static bool find_one(void *arg, const char *name, const struct prefix **prefixes, size_t *n)
{
	*prefixes = arg;
	*n = 1;
	return *name != 's';
}

static void sets_are_filled_by_who_knows_them_and_the_rest_stays(void **state)
{
	struct policy *before = parse(policy_text, strlen(policy_text)), *after;
	const struct sets_text from = {"p", policy_text, strlen(policy_text)};
	struct sets_text to, again;
	struct sets_result result;
	struct prefix prefix;
	struct error error;
	struct sets_source source = {find_one, &prefix, .one_line = true};
	char set[256];

	(void)state;
	assert_int_equal(prefix_parse("fd00::/64", &prefix, &error), 0);
	assert_int_equal(sets_fill(&from, &source, &to, &result, &error), 0);
	assert_int_equal(result.added, 1);
	assert_int_equal(result.removed, 1);
	assert_ptr_equal(strchr(to.text, '\n'), to.text + to.len - 1);
	after = parse(to.text, to.len);
	assert_same(before, after);
	set_text(after, "odd: name", set, sizeof(set));
	assert_string_equal(set, "fd00::/64");
	set_text(after, "s", set, sizeof(set));
	assert_string_equal(set, "10.0.0.0/8 fd00::/8 10.0.0.1 10.0.0.0/8");
	to.path = "p";
	assert_int_equal(sets_fill(&to, &source, &again, &result, &error), 0);
	assert_null(again.text);
	assert_int_equal(result.added + result.removed, 0);
	free(to.text);
	policy_free(after);
	policy_free(before);
}

static int read_text(const char *text, struct sets_change *change, struct error *error)
{
	struct sets_reader reader = {.change = change};
	int fds[2], err;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
	close(fds[1]);
	err = sets_read_file(&reader, fds[0], error);
	close(fds[0]);
	return err;
}

static void a_file_of_prefixes_may_have_lines_commas_and_comments(void **state)
{
	struct sets_change change = {.name = "s"};
	struct error error;

	(void)state;
	assert_int_equal(
		read_text("10.0.0.1 # 10.0.0.2\n\n#\n fd00::/8,10.0.0.3,\t::1", &change, &error),
		0);
	assert_int_equal(change.n_elements, 4);
	free(change.elements);
}

/* Read the words of a command line, of which "-" is a file, and what they come to. */
static void check_words(const char *const *words, const char *file, const char *want)
{
	struct sets_change change = {.name = "s"};
	struct sets_reader reader = {.change = &change};
	char text[256] = "", word[SET_ELEMENT_TEXT_MAX];
	struct error error;
	int fds[2], err = 0;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], file, strlen(file)), strlen(file));
	close(fds[1]);
	for (; *words && !err; words++)
		err = strcmp(*words, "-") ? sets_read_word(&reader, *words, &error)
					  : sets_read_file(&reader, fds[0], &error);
	close(fds[0]);
	if (!err)
		err = sets_read_end(&reader, &error);
	for (size_t i = 0; i < change.n_elements && !err; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? ", " : "",
			 set_element_format(&change.elements[i], word, sizeof(word)));
	assert_string_equal(err ? error.text : text, want);
	free(change.elements);
}

static void a_timeout_is_for_the_word_before_it(void **state)
{
	(void)state;
	check_words((const char *[]){"10.0.0.1", "10.0.0.2", "timeout", "10m", "10.0.0.3", NULL},
		    "", "10.0.0.1, 10.0.0.2 timeout 10m, 10.0.0.3");
	check_words((const char *[]){"10.0.0.1", "-", "timeout", "1h", NULL},
		    "10.0.0.2\n10.0.0.3 timeout 5m, 10.0.0.4",
		    "10.0.0.1, 10.0.0.2 timeout 1h, 10.0.0.3 timeout 5m, 10.0.0.4 timeout 1h");
	check_words((const char *[]){"timeout", "10m", NULL}, "",
		    "timeout: no address or prefix stands before it");
	check_words((const char *[]){"10.0.0.1", "timeout", NULL}, "",
		    "timeout: for how long is missing, such as 10m");
	check_words((const char *[]){"10.0.0.1", "timeout", "10m", "timeout", "1h", NULL}, "",
		    "timeout: no address or prefix stands before it");
	check_words((const char *[]){"10.0.0.1", "timeout", "999ms", NULL}, "",
		    "timeout: '999ms' is less than a second");
	check_words((const char *[]){"10.0.0.1", "timeout", "367h7s9", NULL}, "",
		    "timeout: '367h7s9' is not a duration such as 3h, 1h30m, 60s or 500ms");
	check_words((const char *[]){"10.0.0.1", "timeout", "8785h", NULL}, "",
		    "timeout: duration '8785h' is longer than 366 days");
	check_words((const char *[]){"10.0.0.1", "-", NULL}, "timeout 10m",
		    "-:1:1: timeout: no address or prefix stands before it");
}

static void an_element_of_a_policy_has_a_time_that_can_be(void **state)
{
	static const struct {
		const char *element, *error;
	} cases[] = {
		{"10.0.0.1 timeout 10", NULL},
		{"10.0.0.0/8  timeout  8784h", NULL},
		{"10.0.0.1 timeout 0s", "timeout: '0s' is less than a second"},
		{"10.0.0.1 timeout", "'10.0.0.1 timeout' is not an address or prefix"},
		{"10.0.0.1 for 10m", "'10.0.0.1 for 10m' is not an address or prefix"},
		{"10.0.0.1/8 timeout 10m", "'10.0.0.1/8' has host bits set; write 10.0.0.0/8"},
		{"10.0.0.1 timeout 10m x",
		 "timeout: '10m x' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy;
		struct error error = {};
		char text[256], want[256];
		int len = snprintf(text, sizeof(text), "version: 1\nsets:\n  s: [%s]\n",
				   cases[i].element);

		if (!policy_parse("p", text, (size_t)len, &policy, &error))
			policy_free(policy);
		snprintf(want, sizeof(want), "p:3:7: %s", cases[i].error ?: "");
		assert_string_equal(cases[i].error ? want : "", error.text);
	}
}

static void a_bad_word_of_a_file_is_named_with_its_place(void **state)
{
	struct sets_change change = {.name = "s"};
	struct error error = {0};

	(void)state;
	assert_int_equal(read_text("10.0.0.1\n  10.0.0.2 \x1b[1mx, ::1", &change, &error), -EINVAL);
	assert_true(error.invalid_input && error.in_file);
	assert_string_equal(error.text, "-:2:12: '?[1mx' is not an address or prefix");
	free(change.elements);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_makes_the_set_so_and_leaves_the_rest),
		cmocka_unit_test(all_else_in_the_text_stays),
		cmocka_unit_test(a_set_that_does_not_exist_is_refused_with_those_that_do),
		cmocka_unit_test(sets_are_filled_by_who_knows_them_and_the_rest_stays),
		cmocka_unit_test(a_file_of_prefixes_may_have_lines_commas_and_comments),
		cmocka_unit_test(a_timeout_is_for_the_word_before_it),
		cmocka_unit_test(an_element_of_a_policy_has_a_time_that_can_be),
		cmocka_unit_test(a_bad_word_of_a_file_is_named_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
