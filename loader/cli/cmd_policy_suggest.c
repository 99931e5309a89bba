/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy suggest: rules that would let in what was dropped.
 *
 * Text is made from the JSON values, so that the two cannot differ.  It is YAML: what is no rule is a
 * comment.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/output.h"
#include "base/value.h"
#include "cli/cmd_policy.h"
#include "conntrack/event_print.h"
#include "policy/rule_json.h"
#include "trace/drops.h"
#include "trace/suggest.h"

#define RULES_DEFAULT 20
#define RULES_MAX     10000
#define TEXT_COLUMNS  80
#define KEY_INDENT    4

enum { OPTION_SINCE = OPTION_COMMAND };

/* What was asked. */
struct asked {
	const char *ifname;
	uint64_t since_ns; /* a duration; 0: all that is recorded */
	uint64_t most;	   /* rules that are shown */
	bool json;
};

/* What the answer is made of. */
struct answer {
	struct attached attached;
	struct policy *policy; /* in force */
	struct drops drops;
	struct suggestions suggestions;
	uint64_t offset_ns; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
};

static bool has_rule(const struct policy *policy, const char *id)
{
	for (int acl = 0; acl < ACL_MAX; acl++)
		for (size_t i = 0; i < policy->acl[acl].n_rules; i++)
			if (!strcmp(policy->acl[acl].rules[i].id, id))
				return true;
	return false;
}

static json_t *time_json(const struct answer *answer, uint64_t time_ns)
{
	char time[OUTPUT_TIME_LEN];

	return json_string(output_time(time, time_ns + answer->offset_ns));
}

/* A rule with the next id that is free. */
static json_t *suggestion_json(const struct answer *answer, const struct suggestion *suggestion,
			       unsigned int *number)
{
	struct policy_rule rule = suggestion->rule;
	char id[RULE_ID_MAX];

	do {
		snprintf(id, sizeof(id), "suggested-%u", ++*number);
	} while (has_rule(answer->policy, id));
	rule.id = id;
	return json_pack("{s:s,s:o,s:I,s:I,s:o,s:o}", "acl", acl_name(suggestion->acl), "rule",
			 policy_rule_json(answer->policy, &rule, suggestion->acl), "packets",
			 (json_int_t)suggestion->packets, "kinds", (json_int_t)suggestion->kinds,
			 "first", time_json(answer, suggestion->first_ns), "last",
			 time_json(answer, suggestion->last_ns));
}

static json_t *suggestions_json(const struct answer *answer, uint64_t most)
{
	json_t *list = json_array();
	unsigned int number = 0;

	for (size_t i = 0; i < answer->suggestions.n && i < most; i++)
		json_array_append_new(
			list, suggestion_json(answer, &answer->suggestions.list[i], &number));
	return list;
}

/* What no rule can allow, and why. */
static json_t *refusals_json(const struct drops *drops)
{
	json_t *list = json_array();

	for (size_t i = 0; i < drops->n_refusals; i++) {
		const struct drop_refusal *refusal = &drops->refusals[i];
		json_t *why = refusal->rule[0]
				      ? json_sprintf("denied by rule %s, which comes first",
						     refusal->rule)
				      : json_string(reason_help(refusal->reason));

		json_array_append_new(list,
				      json_pack("{s:s,s:s?,s:o,s:I,s:I}", "reason",
						reason_name(refusal->reason), "rule",
						refusal->rule[0] ? refusal->rule : NULL, "why", why,
						"packets", (json_int_t)refusal->count.packets,
						"kinds", (json_int_t)refusal->count.kinds));
	}
	return list;
}

/* A text as YAML reads it back: what is not plain is quoted. */
static int put_word(char *to, size_t size, const json_t *value)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz./-";
	const char *text = json_string_value(value);

	if (!text)
		return snprintf(to, size, "%lld", (long long)json_integer_value(value));
	if (text[strspn(text, plain)])
		return snprintf(to, size, "\"%s\"", text);
	return snprintf(to, size, "%s", text);
}

/* Print a list, on as many lines as it takes. */
static void print_list(const json_t *list)
{
	int column = TEXT_COLUMNS;
	const json_t *value;
	char word[128];
	size_t i;

	json_array_foreach (list, i, value) {
		int len = put_word(word, sizeof(word), value);

		if (i && column + len > TEXT_COLUMNS - 4)
			column = printf(",\n%*s%s", 2 * KEY_INDENT, "", word) - 2;
		else
			column = (i ? column : 2 * KEY_INDENT) +
				 printf("%s%s", i ? ", " : "[", word);
	}
	puts("]");
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

/* Print a rule as an item of its list. */
static void print_rule(const json_t *suggestion)
{
	long long packets = number_of(suggestion, "packets"),
		  kinds = number_of(suggestion, "kinds");
	const json_t *rule = json_object_get(suggestion, "rule"), *value;
	const char *lead = "  - ", *key;
	char word[128];

	printf("  # %lld packet%s of %lld kind%s, last %s\n", packets, plural(packets), kinds,
	       plural(kinds), json_string_value(json_object_get(suggestion, "last")));
	json_object_foreach ((json_t *)rule, key, value) {
		printf("%s%s: ", lead, key);
		lead = "    ";
		if (json_is_array(value)) {
			print_list(value);
			continue;
		}
		put_word(word, sizeof(word), value);
		puts(word);
	}
}

/* Print the rules of an ACL, below its key. */
static void print_acl(const json_t *suggestions, const char *acl)
{
	const json_t *suggestion;
	bool any = false;
	size_t i;

	json_array_foreach (suggestions, i, suggestion) {
		if (strcmp(json_string_value(json_object_get(suggestion, "acl")), acl))
			continue;
		if (!any)
			printf("%s:\n", acl);
		print_rule(suggestion);
		any = true;
	}
}

/* Print what there is no rule for. */
static void print_rest(const json_t *object)
{
	const json_t *refusals = json_object_get(object, "no_rule"), *refusal;
	long long more = number_of(object, "more");
	long long allowed = number_of(object, "allowed_now"), rest = number_of(object, "rest");
	size_t i;

	if (more)
		printf("# %lld more rule%s: see --count\n", more, plural(more));
	if (json_array_size(refusals))
		puts("# No rule can allow:");
	json_array_foreach (refusals, i, refusal)
		printf("# %lld packet%s, %s: %s\n", number_of(refusal, "packets"),
		       plural(number_of(refusal, "packets")),
		       json_string_value(json_object_get(refusal, "reason")),
		       json_string_value(json_object_get(refusal, "why")));
	if (allowed)
		printf("# The policy in force would let in %lld dropped packet%s.\n", allowed,
		       plural(allowed));
	if (rest)
		printf("# %lld more packet%s, of too many kinds to be told apart\n", rest,
		       plural(rest));
}

static int print_text(const json_t *object, struct error *error)
{
	const json_t *suggestions = json_object_get(object, "suggestions");

	if (!json_array_size(suggestions))
		puts("# Nothing was dropped that a rule could allow.");
	for (int acl = 0; acl < ACL_MAX; acl++)
		print_acl(suggestions, acl_name(acl));
	print_rest(object);
	return output_flush(stdout, error);
}

/* Print the answer. */
static int print(const struct asked *asked, const struct answer *answer, struct error *error)
{
	size_t n = answer->suggestions.n;
	json_t *object = json_pack("{s:o,s:I,s:o,s:I,s:o,s:I,s:I}", "interface",
				   output_json_text(asked->ifname), "generation",
				   (json_int_t)answer->attached.instance.config.generation,
				   "suggestions", suggestions_json(answer, asked->most), "more",
				   (json_int_t)(n > asked->most ? n - asked->most : 0), "no_rule",
				   refusals_json(&answer->drops), "allowed_now",
				   (json_int_t)answer->drops.allowed.packets, "rest",
				   (json_int_t)answer->drops.rest.packets);
	int err;

	if (!object)
		return error_no_memory(error);
	if (asked->json)
		return output_json(object, stdout, error);
	err = print_text(object, error);
	json_decref(object);
	return err;
}

/* Ask what rules could do, and print it. */
static int suggest(const struct asked *asked, int ifindex, struct error *error)
{
	uint64_t now_ns = clock_kernel_ns(CLOCK_MONOTONIC), from_ns = 0;
	struct answer answer = {.offset_ns = flow_clock_offset_ns()};
	int err = attached_open(ifindex, &answer.attached, error);

	if (!err)
		err = attached_policy(&answer.attached, &answer.policy, error);
	if (asked->since_ns && asked->since_ns < now_ns)
		from_ns = now_ns - asked->since_ns;
	if (!err)
		err = drops_ask(&answer.attached, from_ns, &answer.drops, error);
	if (err)
		error_prefix(error, "%s", asked->ifname);
	if (!err)
		err = suggest_rules(answer.drops.packets, answer.drops.n_packets,
				    &answer.suggestions, error);
	if (!err)
		err = print(asked, &answer, error);
	suggestions_free(&answer.suggestions);
	drops_free(&answer.drops);
	policy_free(answer.policy);
	attached_close(&answer.attached);
	return err;
}

static int set_option(struct asked *asked, int option, const char *argument, struct error *error)
{
	int err = 0;

	if (option == OPTION_SINCE)
		return since_parse(argument, &asked->since_ns, error);
	if (option == 'n') {
		err = number_parse(argument, 1, RULES_MAX, &asked->most, error);
		return err ? error_prefix(error, "count") : 0;
	}
	asked->json |= option == 'j';
	return 0;
}

/**
 * policy_command_suggest() - shrike policy suggest
 */
int policy_command_suggest(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"since", required_argument, NULL, OPTION_SINCE},
		{"count", required_argument, NULL, 'n'},
		COMMON_LONG_OPTIONS,
		{},
	};
	char name[IF_NAMESIZE];
	struct asked asked = {.ifname = name, .most = RULES_DEFAULT};
	struct error error;
	int option, ifindex, err;

	while ((option = command_option(argc, argv, "n:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (set_option(&asked, option, optarg, &error))
			return command_fail(&error);
	}
	if (argc - optind > 1)
		return command_usage(command, "unexpected argument '%s'", argv[optind + 1]);
	err = policy_command_interface(argv[optind], name, &ifindex, &error);
	if (!err)
		err = suggest(&asked, ifindex, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}
