/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command `shrike policy check`.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "classify/classifier.h"
#include "cli/cmd_policy.h"
#include "kernel/netlink.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "review/cover.h"
#include "review/not_routed.h"
#include "simulate/policy_tests.h"

#define ERRORS_TOLD 100 /* the others are counted */

struct check {
	const char *path;
	const struct policy *policy; /* NULL: it could not be read */
	json_t *errors;		     /* where output is JSON, as the other one */
	json_t *warnings;
	struct error *told;
	const char *ifname; /* whose addresses are "self" in tests; NULL: nobody's */
	size_t failed;
	size_t not_run;
	bool require_tests;
	bool expects_netbird;
	size_t n_errors;
	bool json;
};

/* The file that a place is in: the policy's, or one that it includes. */
static const char *path_of(const struct check *check, struct position *at)
{
	return check->policy ? policy_place(check->policy, at) : check->path;
}

/* Something found in the file; line and column only where it is about a place. */
static json_t *finding(const char *path, struct position at, const char *severity,
		       const char *message)
{
	json_t *json = json_pack("{s:s,s:s,s:s}", "file", path, "severity", severity, "message",
				 message);

	if (at.line) {
		json_object_set_new(json, "line", json_integer(at.line));
		json_object_set_new(json, "column", json_integer(at.column));
	}
	return json;
}

/* The bytes of an error's text that are the file in which it is. */
static size_t file_length(const struct error *error)
{
	int place = snprintf(NULL, 0, ":%u:%u: ", error->line, error->column);

	return error->line && error->what > (size_t)place ? error->what - (size_t)place : 0;
}

/* An error, which may be in a file that the policy includes. */
static json_t *error_finding(const struct check *check, const struct error *error)
{
	struct position at = {error->line, error->column};
	size_t len = file_length(error);
	char path[sizeof(error->text)];

	snprintf(path, sizeof(path), "%.*s", (int)len, error->text);
	return finding(len ? path : check->path, at, "error", error->text + error->what);
}

static void on_error(void *arg, const struct error *error)
{
	struct check *check = arg;

	if (check->n_errors < ERRORS_TOLD)
		check->told[check->n_errors] = *error;
	check->n_errors++;
}

static int by_place(const void *a, const void *b)
{
	const struct error *one = a, *other = b;
	size_t len = file_length(one), other_len = file_length(other);
	int order = strncmp(one->text, other->text, len < other_len ? len : other_len);

	if (order || len != other_len)
		return order ? order : (len > other_len) - (len < other_len);
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return (one->column > other->column) - (one->column < other->column);
}

static void on_warning(void *arg, struct position at, const char *text)
{
	struct check *check = arg;
	const char *path = path_of(check, &at);
	json_t *json;

	if (!check->json) {
		printf("%s:%u:%u: warning: %s\n", path, at.line, at.column, text);
		return;
	}
	json = finding(path, at, "warning", text);
	json_object_set_new(json, "warning", json_string(text)); /* its name before "message" */
	json_array_append_new(check->warnings, json);
}

/* Names that are NetBird's, or mistyped. */
static void warn_of_missing(const struct policy *policy, struct check *check)
{
	char text[256];

	for (size_t i = 0; i < policy->n_missing; i++) {
		snprintf(text, sizeof(text),
			 "unknown name '%.80s': it matches nothing until NetBird's map has it",
			 policy->missing[i].name);
		on_warning(check, policy->missing[i].position, text);
	}
}

/* Look for rules without effect, and print a warning for each. */
static int find_warnings(const struct policy *policy, const struct classifier *classifier,
			 struct check *check, struct error *error)
{
	size_t n = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	bool *dead = calloc(n + 1, sizeof(*dead));
	struct interface_address *addresses;
	struct error ignored;
	int err;

	if (!dead)
		return error_no_memory(error);
	warn_of_missing(policy, check);
	err = policy_check(policy, on_warning, check, dead, error);
	if (!err)
		err = policy_cover(&(struct cover_input){policy, classifier, dead, NULL},
				   on_warning, check, error);
	free(dead);
	if (err || netlink_read_addresses(&addresses, &n, &ignored))
		return err;
	policy_check_local(policy, addresses, n, on_warning, check);
	free(addresses);
	return 0;
}

static void on_failure(void *arg, const struct policy_test *test, const char *text)
{
	struct position at = test->position;
	struct check *check = arg;
	const char *path = path_of(check, &at);

	if (check->json)
		json_array_append_new(check->errors, finding(path, at, "test", text));
	else
		fprintf(stderr, "%s:%u:%u: test failed: %s\n", path, at.line, at.column, text);
}

static const char *get_variable(const char *name, void *unused)
{
	(void)unused;
	return getenv(name);
}

/* Where the rights are missing, the tests are not run, which is said.  Return: 0 or -errno. */
static int run_tests(struct check *check, struct policy *policy, struct error *error)
{
	const struct policy_tests tests = {policy, check->ifname, command_warn, on_failure, check};
	struct environment environment;
	int err;

	environment_read(&environment, get_variable, NULL, command_warn, NULL);
	environment_apply(&environment, policy);
	err = policy_tests_run(&tests, &check->failed, error);
	if (err != -EPERM && err != -EACCES)
		return err;
	check->not_run = policy_tests_packets(policy);
	fprintf(stderr, "shrike: %s: %zu test%s not run: needs CAP_BPF\n", check->path,
		check->not_run, check->not_run == 1 ? "" : "s");
	return 0;
}

/* Compile a policy without errors, and print what it becomes. */
static int report(struct check *check, struct policy *policy, struct error *error)
{
	size_t rules = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	struct classifier *classifier = NULL;
	size_t bytes;
	int err;

	err = classifier_compile(policy, NULL, 0, CLASSIFIER_BUDGET_BYTES, &classifier, error);
	if (err)
		return err;
	err = find_warnings(policy, classifier, check, error);
	bytes = classifier_memory(classifier);
	classifier_free(classifier);
	if (!err)
		err = run_tests(check, policy, error);
	if (err)
		return err;
	if (check->json)
		return output_json(
			json_pack("{s:s,s:b,s:I,s:I,s:{s:I,s:I,s:I},s:O,s:O}", "file", check->path,
				  "valid", !check->failed, "rules", (json_int_t)rules,
				  "memory_bytes", (json_int_t)bytes, "tests", "run",
				  (json_int_t)(policy->n_tests - check->not_run), "failed",
				  (json_int_t)check->failed, "not_run", (json_int_t)check->not_run,
				  "errors", check->errors, "warnings", check->warnings),
			stdout, error);
	if (check->failed)
		return 0;
	printf("%s: valid, %zu rule%s, tables of %zu kB", check->path, rules, rules == 1 ? "" : "s",
	       (bytes + 1023) / 1024);
	if (policy->n_tests > check->not_run)
		printf(", %zu test%s passed", policy->n_tests, policy->n_tests == 1 ? "" : "s");
	putchar('\n');
	return 0;
}

/* Print what is wrong with a file that is no policy. */
static int report_errors(struct check *check)
{
	size_t n = check->n_errors < ERRORS_TOLD ? check->n_errors : ERRORS_TOLD;
	struct error error;

	qsort(check->told, n, sizeof(*check->told), by_place);
	for (size_t i = 0; i < n; i++) {
		const struct error *told = &check->told[i];

		if (check->json)
			json_array_append_new(check->errors, error_finding(check, told));
		else
			command_fail(told);
	}
	if (!check->json && check->n_errors > n)
		fprintf(stderr, "shrike: %s: %zu more errors\n", check->path, check->n_errors - n);
	if (check->json &&
	    output_json(json_pack("{s:s,s:b,s:I,s:O,s:O}", "file", check->path, "valid", 0,
				  "n_errors", (json_int_t)check->n_errors, "errors", check->errors,
				  "warnings", check->warnings),
			stdout, &error))
		return command_fail(&error);
	return EXIT_INVALID;
}

static int check_file(struct check *check)
{
	const struct policy_text how = {
		.path = check->path,
		.on_error = on_error,
		.arg = check,
		.expects_netbird = check->expects_netbird,
	};
	struct policy *policy;
	struct error error;
	int err;

	err = policy_load_as(&how, &policy, &error);
	if (err && !(err == -EINVAL && check->n_errors))
		on_error(check, &error);
	if (err)
		return report_errors(check);
	check->policy = policy;
	err = report(check, policy, &error);
	policy_free(policy);
	if (err)
		return command_fail(&error);
	if (check->failed)
		return EXIT_INVALID;
	return check->not_run && check->require_tests ? EXIT_FAILED : EXIT_DONE;
}

/**
 * policy_command_check() - `shrike policy check`
 */
int policy_command_check(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		{"require-tests", no_argument, NULL, 'r'},
		{"netbird", no_argument, NULL, 'n'},
		COMMON_LONG_OPTIONS,
		{},
	};
	struct check check = {};
	int option, status;

	while ((option = command_option(argc, argv, "i:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == 'i')
			check.ifname = optarg;
		check.require_tests |= option == 'r';
		check.expects_netbird |= option == 'n';
		check.json |= option == 'j';
	}
	if (argc - optind != 1)
		return command_usage(command, "one policy file is needed");
	check.path = argv[optind];
	check.errors = json_array();
	check.warnings = json_array();
	check.told = calloc(ERRORS_TOLD, sizeof(*check.told));
	status = check.told ? check_file(&check) : EXIT_FAILED;
	free(check.told);
	json_decref(check.errors);
	json_decref(check.warnings);
	return status;
}
