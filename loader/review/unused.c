/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/unused.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "classify/classifier.h"
#include "conntrack/event_print.h"
#include "conntrack/tables.h"
#include "dataplane/history.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "review/cover.h"

static bool is_netbirds(const struct policy *policy, const struct unused_rule *one)
{
	return policy_rule_is_netbirds(policy, one->acl, one->rule);
}

/* ---- hits ---- */

static int compare_ids(const void *a, const void *b)
{
	const struct rule_view *x = a, *y = b;

	return strcmp(x->rule.id, y->rule.id);
}

/* Note the hits of each rule. */
static int read_hits(const struct attached *attached, struct unused *unused, struct error *error)
{
	uint64_t offset_ns = flow_clock_offset_ns();
	struct rule_view *views;
	size_t n;
	int err = generation_read_rules(&attached->maps, &views, &n, error);

	if (err)
		return err;
	if (n)
		qsort(views, n, sizeof(*views), compare_ids);
	for (size_t i = 0; i < unused->n; i++) {
		struct rule_view key = {};
		const struct rule_view *found;

		strncpy(key.rule.id, unused->rules[i].rule->id, RULE_ID_MAX - 1);
		found = n ? bsearch(&key, views, n, sizeof(*views), compare_ids) : NULL;
		if (!found)
			continue;
		unused->rules[i].number = found->rule.number;
		unused->rules[i].packets = found->rule.packets;
		if (found->rule.last_hit_ns)
			unused->rules[i].last_hit_ns = found->rule.last_hit_ns + offset_ns;
	}
	free(views);
	return 0;
}

/* ---- connections ---- */

/* Rules by their numbers. */
struct numbered {
	struct unused_rule **list;
	size_t n;
	uint64_t now_ns; /* CLOCK_REALTIME */
};

static int compare_numbers(const void *a, const void *b)
{
	const struct unused_rule *x = *(struct unused_rule *const *)a;
	const struct unused_rule *y = *(struct unused_rule *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Note when a connection was last used that a rule has let in; fits conntrack_walk(). */
static int note_connection(void *arg, const struct flow_view *view)
{
	const struct numbered *numbered = arg;
	const struct unused_rule of_number = {.number = view->rule}, *key = &of_number;
	uint64_t used_ns = numbered->now_ns - view->idle_ns;
	struct unused_rule **found;

	if (view->rule == RULE_NONE)
		return 0;
	found = bsearch(&key, numbered->list, numbered->n, sizeof(key), compare_numbers);
	if (found && (*found)->last_use_ns < used_ns)
		(*found)->last_use_ns = used_ns;
	return 0;
}

/* Note which rules have connections: these have hit them when they began, maybe long ago. */
static int read_connections(const struct attached *attached, struct unused *unused,
			    struct error *error)
{
	struct numbered numbered = {calloc(unused->n + 1, sizeof(*numbered.list)), unused->n,
				    clock_ns(CLOCK_REALTIME)};
	struct conntrack conntrack;
	struct flow_clock clock;
	int err = numbered.list ? 0 : error_no_memory(error);

	for (size_t i = 0; i < unused->n && !err; i++)
		numbered.list[i] = &unused->rules[i];
	if (!err)
		err = conntrack_open(&attached->maps, &conntrack, error);
	if (!err) {
		qsort(numbered.list, numbered.n, sizeof(*numbered.list), compare_numbers);
		flow_clock_read(&attached->instance, &clock);
		err = conntrack_walk(&conntrack, &clock, NULL, note_connection, &numbered, error);
	}
	free(numbered.list);
	return err;
}

/* ---- since when they are counted ---- */

/* A rule that has been in all policies of the history so far, from the newest on. */
struct standing {
	struct unused_rule *rule;
	bool is_there; /* in the policy that is looked at */
};

static int compare_standing(const void *a, const void *b)
{
	const struct standing *x = a, *y = b;

	return strcmp(x->rule->rule->id, y->rule->rule->id);
}

/* Note which rules an older policy has; an id is one of the whole policy. */
static void look_for(struct standing *list, size_t n, const struct policy *policy)
{
	for (size_t i = 0; i < n; i++)
		list[i].is_there = false;
	for (enum acl acl = 0; acl < ACL_MAX; acl++)
		for (size_t i = 0; i < policy->acl[acl].n_rules && n; i++) {
			struct unused_rule one = {.rule = &policy->acl[acl].rules[i]};
			struct standing key = {&one, false}, *found;

			found = bsearch(&key, list, n, sizeof(*list), compare_standing);
			if (found)
				found->is_there = true;
		}
}

/* Go one policy back; false: none is left, or it is too old to matter. */
static bool go_back(const char *ifname, uint32_t number, struct standing *list, size_t *n,
		    const struct unused *unused)
{
	struct history_entry entry;
	struct policy *policy;
	struct error ignored;
	size_t kept = 0;
	bool older;

	if (history_read(ifname, number, &entry, &ignored))
		return false;
	older = entry.time_ns > unused->counted_ns;
	if (policy_parse(entry.path, entry.text, entry.len, &policy, &ignored)) {
		history_entry_free(&entry);
		return false;
	}
	look_for(list, *n, policy);
	for (size_t i = 0; i < *n; i++) {
		if (!list[i].is_there)
			continue;
		list[i].rule->counted_ns = older ? entry.time_ns : unused->counted_ns;
		list[kept++] = list[i];
	}
	*n = kept;
	policy_free(policy);
	history_entry_free(&entry);
	return older && kept;
}

/* Find out since when the hits of each rule are counted. */
static int read_history(const char *ifname, const struct attached *attached,
			const struct policy *policy, struct unused *unused, struct error *error)
{
	struct standing *list = calloc(unused->n + 1, sizeof(*list));
	uint32_t *numbers = NULL;
	struct error ignored;
	size_t n = 0, n_numbers = 0;

	if (!list)
		return error_no_memory(error);
	for (size_t i = 0; i < unused->n; i++) {
		unused->rules[i].counted_ns = attached->instance.applied_ns;
		if (!is_netbirds(policy, &unused->rules[i]))
			list[n++].rule = &unused->rules[i];
	}
	unused->counted_ns = attached->instance.applied_ns;
	qsort(list, n, sizeof(*list), compare_standing);
	if (history_counted_since(ifname, &attached->maps, &unused->counted_ns) &&
	    !history_list(ifname, &numbers, &n_numbers, &ignored))
		while (n_numbers && go_back(ifname, numbers[n_numbers - 1], list, &n, unused))
			n_numbers--;
	free(numbers);
	free(list);
	return 0;
}

/* ---- rules that decide about nothing ---- */

/* What is said of rules; the first sentence about each is kept. */
struct sayings {
	struct unused *unused;
	char **text; /* by rule */
	int error;
};

static void on_warning(void *context, struct position at, const char *text)
{
	struct sayings *sayings = context;

	for (size_t i = 0; i < sayings->unused->n; i++) {
		const struct position *of = &sayings->unused->rules[i].rule->position;

		if (of->line != at.line || of->column != at.column)
			continue;
		if (!sayings->text[i])
			sayings->text[i] = strdup(text);
		sayings->error |= sayings->text[i] ? 0 : -ENOMEM;
	}
}

/* Ask the checks; @dead and @covered get a place for each rule. */
static int ask_checks(const struct policy *policy, struct sayings *sayings, bool *dead,
		      bool *covered, struct error *error)
{
	struct classifier *classifier;
	int err = classifier_compile(policy, NULL, 0, CLASSIFIER_BUDGET_BYTES, &classifier, error);

	if (err)
		return err;
	err = policy_check(policy, on_warning, sayings, dead, error);
	if (!err)
		err = policy_cover(&(struct cover_input){policy, classifier, dead, covered},
				   on_warning, sayings, error);
	classifier_free(classifier);
	return err;
}

/* Note which rules decide about nothing, and why. */
static int find_covered(const struct policy *policy, struct unused *unused, struct error *error)
{
	bool *dead = calloc(2 * unused->n + 1, sizeof(*dead));
	struct sayings sayings = {unused, calloc(unused->n + 1, sizeof(char *)), 0};
	int err = dead && sayings.text ? 0 : error_no_memory(error);

	if (!err)
		err = ask_checks(policy, &sayings, dead, dead + unused->n, error);
	if (!err && sayings.error)
		err = error_no_memory(error);
	for (size_t i = 0; i < unused->n && sayings.text; i++) {
		if (!err && (dead[i] || dead[unused->n + i]))
			unused->rules[i].why = sayings.text[i];
		else
			free(sayings.text[i]);
	}
	free(sayings.text);
	free(dead);
	return err;
}

/**
 * unused_find() - Look at each rule of a policy in force
 * @ifname: the interface
 * @attached: the generation in force
 * @policy: parsed from its text; outlives the result
 * @unused: becomes the result, for unused_free(), whatever is returned
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int unused_find(const char *ifname, const struct attached *attached, const struct policy *policy,
		struct unused *unused, struct error *error)
{
	size_t n = policy->acl[ACL_PEER].n_rules + policy->acl[ACL_ROUTE].n_rules;
	int err;

	*unused = (struct unused){.rules = calloc(n + 1, sizeof(*unused->rules))};
	if (!unused->rules)
		return error_no_memory(error);
	for (enum acl acl = 0; acl < ACL_MAX; acl++)
		for (size_t i = 0; i < policy->acl[acl].n_rules; i++)
			unused->rules[unused->n++] = (struct unused_rule){
				.rule = &policy->acl[acl].rules[i], .acl = acl};
	err = read_hits(attached, unused, error);
	if (!err)
		err = read_connections(attached, unused, error);
	if (!err)
		err = read_history(ifname, attached, policy, unused, error);
	return err ? err : find_covered(policy, unused, error);
}

/**
 * unused_is() - Whether nothing has needed a rule
 * @rule: the rule
 * @since_ns: what was before does not count; 0: all does
 */
bool unused_is(const struct unused_rule *rule, uint64_t since_ns)
{
	bool is_hit = rule->packets && rule->last_hit_ns >= since_ns;
	bool has_connection = rule->last_use_ns && rule->last_use_ns >= since_ns;

	return rule->why || (!is_hit && !has_connection);
}

/**
 * unused_free() - Let go of a result
 */
void unused_free(struct unused *unused)
{
	for (size_t i = 0; i < unused->n; i++)
		free(unused->rules[i].why);
	free(unused->rules);
	*unused = (struct unused){};
}
