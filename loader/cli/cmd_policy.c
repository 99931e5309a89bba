/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/output.h"
#include "classify/classifier.h"
#include "cli/cmd_policy.h"
#include "cli/policy_print.h"
#include "dataplane/attached.h"
#include "dataplane/confirm.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "review/cover.h"

static int run_check(const struct command *command, int argc, char **argv);
static int run_show(const struct command *command, int argc, char **argv);

/* clang-format off */
static const char diff_details[] =
	"Changes nothing. Connections are named that would be cut by the policy, that it\n"
	"would keep though the one in force would end them, and that it would allow by\n"
	"another rule.\n";

static const char apply_details[] =
	"  --confirm SECONDS     wait for 'shrike policy confirm', and return to the\n"
	"                        old policy if it does not come, or on Ctrl-C or a\n"
	"                        lost terminal\n"
	"  -v, --verbose         print libbpf messages\n"
	"\n"
	"Connections stay. Those that a peer has opened are judged again with their\n"
	"next packet. If anything is wrong the old policy stays in force.\n";

static const char set_details[] =
	"  PREFIX                an address or a prefix; '-': they are on standard input\n"
	"  -v, --verbose         print libbpf messages\n"
	"\n"
	"All at once, without losing a packet. The policy file is not changed: when it is\n"
	"applied again, or read again by 'shrike run', its own sets return.\n";

static const char show_details[] =
	"Hits are the packets that the rule decided: the opening of a connection, and\n"
	"the first packet of a peer's connection after a change of policy.\n";
/* clang-format on */

static const struct command family[] = {
	{
		.name = "check",
		.arguments = "POLICY [-j]",
		.summary = "parse and compile a policy, warn about rules that have no effect",
		.details = "Exit status 0 if the policy could be applied, warnings or not.\n",
		.run = run_check,
	},
	{
		.name = "diff",
		.arguments = "[IFACE] POLICY [-j]",
		.summary = "what a policy would change: rules, and live connections",
		.details = diff_details,
		.run = policy_command_diff,
	},
	{
		.name = "apply",
		.arguments = "[IFACE] POLICY [--confirm SECONDS]",
		.summary = "replace the policy in force, without losing a packet",
		.details = apply_details,
		.run = policy_command_apply,
	},
	{
		.name = "confirm",
		.arguments = "[IFACE]",
		.summary = "keep a policy that was applied with --confirm",
		.run = policy_command_confirm,
	},
	{
		.name = "set",
		.arguments = "[IFACE] NAME add|del|replace PREFIX... [-j]",
		.summary = "change a named set of the policy in force",
		.details = set_details,
		.run = policy_command_set,
	},
	{
		.name = "show",
		.arguments = "[IFACE] [-j]",
		.summary = "the policy in force, with hit counters per rule",
		.details = show_details,
		.run = run_show,
	},
	{
		.name = "import",
		.summary = "make a policy of what another program has",
		.family = policy_command_import,
	},
	{.name = NULL},
};

const struct command command_policy = {
	.name = "policy",
	.summary = "check, compare, apply, change, show or import policies",
	.family = family,
};

struct check_result {
	const char *path;
	json_t *warnings;
	bool json;
};

static void on_warning(void *context, struct position position, const char *text)
{
	struct check_result *result = context;

	if (result->json)
		json_array_append_new(result->warnings,
				      json_pack("{s:i,s:i,s:s}", "line", position.line, "column",
						position.column, "warning", text));
	else
		printf("%s:%u:%u: warning: %s\n", result->path, position.line, position.column,
		       text);
}

/* Look for rules without effect, and print a warning for each. */
static int find_warnings(const struct policy *policy, const struct classifier *classifier,
			 struct check_result *result, struct error *error)
{
	size_t n = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	bool *dead = calloc(n + 1, sizeof(*dead));
	struct interface_address *addresses;
	struct error ignored;
	int err;

	if (!dead)
		return error_no_memory(error);
	err = policy_check(policy, on_warning, result, dead, error);
	if (!err)
		err = policy_cover(&(struct cover_input){policy, classifier, dead}, on_warning,
				   result, error);
	free(dead);
	if (err || netlink_read_addresses(&addresses, &n, &ignored))
		return err;
	policy_check_local(policy, addresses, n, on_warning, result);
	free(addresses);
	return 0;
}

/* Parse and compile a policy, and print what was found. */
static int check(struct check_result *result, struct error *error)
{
	struct classifier *classifier = NULL;
	struct policy *policy;
	size_t rules;
	int err;

	err = policy_load(result->path, &policy, error);
	if (err) {
		error->invalid_input = true;
		return err;
	}
	err = classifier_compile(policy, NULL, 0, CLASSIFIER_BUDGET_BYTES, &classifier, error);
	if (!err)
		err = find_warnings(policy, classifier, result, error);
	rules = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	if (!err && result->json)
		err = output_json(json_pack("{s:b,s:I,s:I,s:O}", "valid", 1, "rules",
					    (json_int_t)rules, "memory_bytes",
					    (json_int_t)classifier_memory(classifier), "warnings",
					    result->warnings),
				  stdout, error);
	else if (!err)
		printf("%s: valid, %zu rules, tables of %zu kB\n", result->path, rules,
		       (classifier_memory(classifier) + 1023) / 1024);
	classifier_free(classifier);
	policy_free(policy);
	return err;
}

/* The command `shrike policy check`. */
static int run_check(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS, {}};
	struct check_result result = {};
	struct error error;
	int option, err;

	while ((option = getopt_long(argc, argv, "jv", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		result.json |= option == 'j';
	}
	if (argc - optind != 1)
		return command_usage(command, "one policy file is needed");
	result.path = argv[optind];
	result.warnings = json_array();
	err = check(&result, &error);
	json_decref(result.warnings);
	return err ? command_fail(&error) : EXIT_DONE;
}

/* Print the policy in force on an interface. */
static int show(const char *given, bool json, struct error *error)
{
	struct policy *policy = NULL;
	struct rule_view *rules = NULL;
	char name[IF_NAMESIZE], *text = NULL;
	size_t n_rules, len;
	struct attached attached;
	struct undo undo;
	int ifindex, err;

	err = policy_command_interface(given, name, &ifindex, error);
	if (err)
		return err;
	err = attached_open(ifindex, &attached, error);
	if (err)
		return error_prefix(error, "%s", name);
	err = attached_policy_text(&attached, &text, &len, error);
	if (!err)
		err = policy_parse(attached.instance.policy_path, text, len, &policy, error);
	if (!err)
		err = generation_read_rules(&attached.maps, &rules, &n_rules, error);
	if (!err)
		err = confirm_read(&attached.maps, &undo, error);
	if (!err)
		err = policy_print(
			&(struct policy_view){policy, &attached.instance, &undo, rules, n_rules},
			json, stdout, error);
	free(rules);
	free(text);
	policy_free(policy);
	attached_close(&attached);
	return err;
}

/* The command `shrike policy show`. */
static int run_show(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {COMMON_LONG_OPTIONS, {}};
	bool json = false;
	struct error error;
	int option;

	while ((option = getopt_long(argc, argv, "jv", options, NULL)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		json |= option == 'j';
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	return show(argv[optind], json, &error) ? command_fail(&error) : EXIT_DONE;
}
