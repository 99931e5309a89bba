/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrike policy prove and shrike policy equal: questions with yes or no for an answer, and a packet
 * that shows it, on which the programs have the last word.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/output.h"
#include "cli/cmd_policy.h"
#include "cli/policy_source.h"
#include "cli/reach_print.h"
#include "policy/claim.h"
#include "trace/record_json.h"
#include "trace/record_print.h"

/* What the programs say of a packet; without the right to load them nothing. */
struct word {
	char *text;
	json_t *json;
};

static void word_free(struct word *word)
{
	free(word->text);
	json_decref(word->json);
}

/* Whether the programs judge a packet as it was said. */
static int check_word(const struct witness *witness, const struct simulation_result *result,
		      struct error *error)
{
	const char *id = witness->rule ? witness->rule->id : NULL;
	bool allowed = result->event.verdict != VERDICT_DROP;
	char text[WITNESS_TEXT_MAX];

	if (allowed == witness->allowed &&
	    (!id || (result->rule_id && !strcmp(result->rule_id, id))))
		return 0;
	return error_set(
		error, EPROTO, "%s, say the rules, but the programs: %s by %s%s; please report",
		witness_format(witness, text), allowed ? "allowed" : "denied",
		result->rule_id ? "rule " : "no rule", result->rule_id ? result->rule_id : "");
}

/* Have the programs judge a packet, and keep what they say; says so where the right lacks. */
static int hear(const struct policy_source *source, const struct witness *witness,
		struct word *word, struct error *error)
{
	struct simulation_result result = {};
	struct simulation *simulation = NULL;
	struct record_names names = {.names = &source->question.scenario.policy->names};
	int err = question_trace(&source->question, witness, &simulation, &result, error);

	if (!err)
		err = check_word(witness, &result, error);
	if (!err) {
		names.rule_id = result.rule_id;
		word->text = record_text(&result.event, &names);
		word->json = record_json(&result.event, &names);
		if (!word->text || !word->json)
			err = error_no_memory(error);
	}
	simulation_free(simulation);
	if (err != -EPERM && err != -EACCES)
		return err;
	fprintf(stderr, "shrike: %s: no trace of the packet: needs CAP_BPF\n", source->argument);
	return 0;
}

/* A trace that was not made is null. */
static json_t *trace_json(const struct word *word)
{
	return word->json ? json_incref(word->json) : json_null();
}

static int print_proof(const char *claim, const struct witness *witness, const struct word *word,
		       bool json, struct error *error)
{
	char text[WITNESS_TEXT_MAX];

	if (json)
		return output_json(json_pack("{s:s,s:b,s:o,s:o}", "claim", claim, "holds", !witness,
					     "witness",
					     witness ? witness_json(witness) : json_null(), "trace",
					     trace_json(word)),
				   stdout, error);
	if (!witness)
		puts("yes");
	else
		printf("no: %s\n", witness_format(witness, text));
	if (word->text)
		fputs(word->text, stdout);
	return output_flush(stdout, error);
}

/* Answer a claim.  Return: 1: it holds; 0: not; -errno. */
static int prove(struct policy_source *source, const char *text, bool json, struct error *error)
{
	struct policy_claim claim = {};
	struct word word = {};
	struct witness witness;
	int err = 0, answer = claim_parse(source->question.scenario.policy, text, &claim, error);

	if (answer)
		return answer;
	answer = policy_source_open(source, NULL, error);
	if (!answer)
		answer = ask_claim(&source->question.inquiry, &claim, &witness, error);
	if (!answer)
		err = hear(source, &witness, &word, error);
	if (answer >= 0 && !err)
		err = print_proof(text, answer ? NULL : &witness, &word, json, error);
	word_free(&word);
	policy_claim_free(&claim);
	return err ? err : answer;
}

/* Options of both commands; -1: go on, with the arguments from optind on. */
static int read_options(const struct command *command, int argc, char **argv, const char **ifname,
			bool *json)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		COMMON_LONG_OPTIONS,
		{},
	};
	int option;

	*ifname = NULL;
	*json = false;
	while ((option = command_option(argc, argv, "i:jv", options)) != -1) {
		if (option == OPTION_HELP)
			return command_help(command);
		if (option == '?')
			return command_unknown_option(command, argv);
		if (option == 'i')
			*ifname = optarg;
		*json |= option == 'j';
	}
	return -1;
}

/**
 * policy_command_prove() - shrike policy prove
 */
int policy_command_prove(const struct command *command, int argc, char **argv)
{
	struct policy_source source;
	struct error error;
	const char *ifname;
	bool json;
	int answer, status = read_options(command, argc, argv, &ifname, &json);

	if (status >= 0)
		return status;
	if (argc - optind != 2)
		return command_usage(command, "a policy or an interface and a sentence are needed");
	answer = policy_source_read(&source, argv[optind], ifname, &error);
	if (!answer)
		answer = prove(&source, argv[optind + 1], json, &error);
	policy_source_close(&source);
	if (answer < 0)
		return command_fail(&error);
	return answer ? EXIT_DONE : EXIT_FAILED;
}

/* ---- two policies ---- */

/* Whether a list of port translations has one. */
static bool has_port(const struct policy *policy, const struct nat_port_rule *nat)
{
	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *other = &policy->nat_port[i];

		if (other->l4_proto == nat->l4_proto && other->port == nat->port &&
		    other->to == nat->to && other->ip_version == nat->ip_version &&
		    !memcmp(&other->addr, &nat->addr, sizeof(nat->addr)))
			return true;
	}
	return false;
}

static bool has_one_to_one(const struct policy *policy, const struct nat_one_to_one *nat)
{
	for (size_t i = 0; i < policy->n_one_to_one; i++)
		if (!memcmp(&policy->one_to_one[i].original, &nat->original,
			    sizeof(nat->original)) &&
		    !memcmp(&policy->one_to_one[i].translated, &nat->translated,
			    sizeof(nat->translated)))
			return true;
	return false;
}

/* Whether two policies translate alike, so that a packet is the same one to the rules of both. */
static bool translate_alike(const struct policy *a, const struct policy *b)
{
	bool same = a->n_nat_port == b->n_nat_port && a->n_one_to_one == b->n_one_to_one;

	for (size_t i = 0; i < a->n_nat_port && same; i++)
		same = has_port(b, &a->nat_port[i]);
	for (size_t i = 0; i < a->n_one_to_one && same; i++)
		same = has_one_to_one(b, &a->one_to_one[i]);
	return same;
}

static int print_difference(const struct policy_source sources[2], const struct witness witness[2],
			    const struct word words[2], struct error *error)
{
	char text[WITNESS_TEXT_MAX];

	printf("different: %s\n", witness_packet(&witness[0], text));
	for (int i = 0; i < 2; i++) {
		const struct policy_rule *rule = witness[i].rule;

		printf("%s: %s by %s%s (%s)\n", sources[i].argument,
		       witness[i].allowed ? "allowed" : "denied", rule ? "rule " : "no rule",
		       rule ? rule->id : "", reason_name(witness[i].reason));
	}
	for (int i = 0; i < 2; i++)
		if (words[i].text)
			printf("\n%s:%s", sources[i].argument, words[i].text);
	return output_flush(stdout, error);
}

static int print_difference_json(const struct policy_source sources[2],
				 const struct witness witness[2], const struct word words[2],
				 struct error *error)
{
	json_t *list = json_array();

	for (int i = 0; i < 2; i++)
		json_array_append_new(
			list, json_pack("{s:s,s:o,s:o}", "policy", sources[i].argument, "witness",
					witness_json(&witness[i]), "trace", trace_json(&words[i])));
	return output_json(json_pack("{s:b,s:o}", "equal", 0, "policies", list), stdout, error);
}

/* Compare two policies that were read.  Return: 1: equal; 0: not; -errno. */
static int equal(struct policy_source sources[2], bool json, struct error *error)
{
	const char *ifname = sources[0].ifname[0] ? sources[0].ifname : sources[1].ifname;
	struct witness witness[2];
	struct word words[2] = {};
	int err = 0, answer;

	if (!translate_alike(sources[0].question.scenario.policy,
			     sources[1].question.scenario.policy))
		return error_set(error, EOPNOTSUPP,
				 "%s and %s translate differently (nat), so a packet is not the "
				 "same one to both",
				 sources[0].argument, sources[1].argument);
	for (int i = 0; i < 2 && !err; i++)
		err = policy_source_open(&sources[i], *ifname ? ifname : NULL, error);
	if (err)
		return err;
	answer = prove_equal(&sources[0].question.inquiry, &sources[1].question.inquiry, witness);
	if (answer < 0)
		return error_set(error, -answer, "too many rules overlap to find out");
	for (int i = 0; i < 2 && !answer && !err; i++)
		err = hear(&sources[i], &witness[i], &words[i], error);
	if (!err && !answer)
		err = json ? print_difference_json(sources, witness, words, error)
			   : print_difference(sources, witness, words, error);
	else if (!err && json)
		err = output_json(json_pack("{s:b}", "equal", 1), stdout, error);
	else if (!err)
		puts("equal");
	for (int i = 0; i < 2; i++)
		word_free(&words[i]);
	return err ? err : answer;
}

/**
 * policy_command_equal() - shrike policy equal
 */
int policy_command_equal(const struct command *command, int argc, char **argv)
{
	struct policy_source sources[2] = {};
	struct error error;
	const char *ifname;
	bool json;
	int answer = 0, status = read_options(command, argc, argv, &ifname, &json);

	if (status >= 0)
		return status;
	if (argc - optind != 2)
		return command_usage(command, "two policies or interfaces are needed");
	for (int i = 0; i < 2 && !answer; i++)
		answer = policy_source_read(&sources[i], argv[optind + i], ifname, &error);
	if (!answer)
		answer = equal(sources, json, &error);
	for (int i = 0; i < 2; i++)
		policy_source_close(&sources[i]);
	if (answer < 0)
		return command_fail(&error);
	return answer ? EXIT_DONE : EXIT_DIFFERENT;
}
