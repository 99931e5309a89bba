/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policies in memory: the defaults, and freeing.
 */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY_TEXT "version: 1\n" /* the built-in default as a file */

static const struct policy defaults = {
#define MODE(name, type, kind, value) .mode.name = value,
#define LIMIT(name, entries)	      .limits.name = entries,
#define SIZE_LIMIT(name, mebibytes)   .limits.name = (mebibytes) << 20,
#define TIMEOUT(name, seconds, what)  .timeouts.name = (seconds)*NS_PER_S,
#define SWITCH(name, value)	      .name = value,
	/* clang-format off */
	POLICY_MODES(MODE)
	POLICY_LIMITS(LIMIT)
	POLICY_SIZE_LIMITS(SIZE_LIMIT)
	POLICY_TIMEOUTS(TIMEOUT)
	POLICY_SWITCHES(SWITCH)
/* clang-format on */
#undef MODE
#undef LIMIT
#undef SIZE_LIMIT
#undef TIMEOUT
#undef SWITCH
};

/**
 * policy_create() - A policy of the defaults and no rules
 * @path: as given, NULL: there is none
 * @text: its source, which is copied
 * @len: of @text in bytes
 *
 * Return: the policy, to be freed with policy_free(), or NULL where memory ran out.
 */
struct policy *policy_create(const char *path, const char *text, size_t len)
{
	struct policy *policy;

	policy = malloc(sizeof(*policy));
	if (!policy)
		return NULL;
	*policy = defaults;
	policy->path = path ? strdup(path) : NULL;
	policy->text = malloc(len + 1);
	if ((path && !policy->path) || !policy->text) {
		policy_free(policy);
		return NULL;
	}
	memcpy(policy->text, text, len);
	policy->text[len] = '\0';
	policy->text_len = len;
	return policy;
}

/**
 * policy_default() - The policy of a user who wrote none: the defaults and no rules
 *
 * Return: the policy, to be freed with policy_free(), or NULL where memory ran out.
 */
struct policy *policy_default(void)
{
	return policy_create(NULL, EMPTY_TEXT, strlen(EMPTY_TEXT));
}

static void match_free(struct address_match *match)
{
	free(match->prefixes);
	free(match->sets);
}

/* Free the rules of an ACL. */
static void acl_free(struct policy_acl *acl)
{
	struct policy_rule *rule;
	size_t i;

	for (i = 0; i < acl->n_rules; i++) {
		rule = &acl->rules[i];
		free(rule->id);
		free(rule->description);
		match_free(&rule->source);
		match_free(&rule->destination);
		free(rule->source_ports);
		free(rule->destination_ports);
		free(rule->icmp_types);
	}
	free(acl->rules);
}

/**
 * policy_claim_free() - Release what a claim holds
 */
void policy_claim_free(struct policy_claim *claim)
{
	free(claim->from.prefixes);
	free(claim->to.prefixes);
	free(claim->ports);
	free(claim->types);
}

/**
 * policy_free() - Free a policy
 * @policy: may be NULL
 */
void policy_free(struct policy *policy)
{
	size_t i;

	if (!policy)
		return;
	for (i = 0; i < ACL_MAX; i++)
		acl_free(&policy->acl[i]);
	for (i = 0; i < policy->n_sets; i++) {
		free(policy->sets[i].name);
		free(policy->sets[i].prefixes);
		free(policy->sets[i].times);
	}
	for (i = 0; i < policy->n_tests; i++) {
		free(policy->tests[i].from.prefixes);
		free(policy->tests[i].to.prefixes);
		free(policy->tests[i].rule);
		free(policy->tests[i].text);
		if (policy->tests[i].claim)
			policy_claim_free(policy->tests[i].claim);
		free(policy->tests[i].claim);
	}
	for (i = 0; i < policy->n_missing; i++)
		free(policy->missing[i].name);
	free(policy->missing);
	for (i = 0; i < policy->n_places; i++)
		free(policy->places[i].path);
	free(policy->places);
	free(policy->tests);
	free(policy->sets);
	names_free(&policy->names);
	free(policy->one_to_one);
	free(policy->nat_port);
	free(policy->uplinks.names);
	free(policy->follow_netbird);
	free(policy->blocked);
	free(policy->text);
	free(policy->path);
	free(policy);
}

/**
 * policy_included() - The included file that a place of a policy is in
 * @policy: the policy
 * @at: the place in its source; becomes that in the file
 *
 * Return: the file; NULL: the place is in the policy's own.
 */
const char *policy_included(const struct policy *policy, struct position *at)
{
	return place_find(policy->places, policy->n_places, NULL, at);
}

/**
 * policy_place() - The file that a place of a policy is in
 * @policy: the policy
 * @at: the place in its source; becomes that in the file
 *
 * Return: the file that was given, or one that it includes.
 */
const char *policy_place(const struct policy *policy, struct position *at)
{
	return policy_included(policy, at) ?: policy->path ?: "(default)";
}

/**
 * policy_place_text() - Where a place of a policy is, for messages about another one
 * @policy: the policy
 * @at: the place
 * @text: set to "line 4", or "FILE:4" in an included file
 *
 * Return: @text.
 */
const char *policy_place_text(const struct policy *policy, struct position at,
			      char text[POLICY_PLACE_LEN])
{
	const char *file = policy_included(policy, &at);

	snprintf(text, POLICY_PLACE_LEN, "%.200s%s%u", file ?: "", file ? ":" : "line ", at.line);
	return text;
}
