/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/set_deadlines.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "maps.h"
#include "policy/parse.h"
#include "set_deadline.h"

/**
 * set_deadlines_now_ns() - The clock of deadlines: it goes on while the machine sleeps
 */
uint64_t set_deadlines_now_ns(void)
{
	return clock_kernel_ns(CLOCK_BOOTTIME);
}

/**
 * set_deadlines_count() - How many elements of a policy's sets are there for a time
 */
size_t set_deadlines_count(const struct policy *policy)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_sets; i++)
		for (size_t j = 0; policy->sets[i].times && j < policy->sets[i].n_prefixes; j++)
			n += policy->sets[i].times[j].timeout_ns != 0;
	return n;
}

static int compare(const void *a, const void *b)
{
	const struct set_deadline *x = a, *y = b;
	int order = strcmp(x->set, y->set);

	if (!order)
		order = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (!order)
		order = x->ip_version - y->ip_version;
	return order ? order : x->prefix_len - y->prefix_len;
}

/* The entry of an element, without its end. */
static void describe(const struct prefix_set *set, size_t at, struct set_deadline *entry)
{
	const struct prefix *prefix = &set->prefixes[at];

	*entry = (struct set_deadline){
		.addr = prefix->addr,
		.ip_version = prefix->ip_version,
		.prefix_len = prefix->len,
	};
	snprintf(entry->set, sizeof(entry->set), "%s", set->name);
}

/* The entries of a generation, sorted; none where another version has built it. */
static int read_entries(const struct map_set *maps, struct set_deadline **entries, size_t *n,
			struct error *error)
{
	const struct map_entry *map = map_set_find(maps, MAP_SET_DEADLINE);
	struct set_deadline *list;

	*n = 0;
	*entries = NULL;
	if (!map || map->value_size != sizeof(*list))
		return 0;
	list = calloc(map->max_entries, sizeof(*list));
	if (!list)
		return error_no_memory(error);
	for (uint32_t key = 0; key < map->max_entries; key++) {
		if (bpf_map_lookup_elem(map->fd, &key, &list[key])) {
			free(list);
			return error_set(error, errno, "cannot read BPF map %s: %s",
					 MAP_SET_DEADLINE, strerror(errno));
		}
		if (!list[key].ip_version)
			break;
		++*n;
	}
	qsort(list, *n, sizeof(*list), compare);
	*entries = list;
	return 0;
}

/* Whether a change gives an element its time anew. */
static bool is_renewed(const struct sets_change *change, const struct prefix_set *set, size_t at)
{
	const struct set_element element = {.prefix = set->prefixes[at]}, *found;

	if (!change || strcmp(change->name, set->name))
		return false;
	found = bsearch(&element, change->elements, change->n_elements, sizeof(element),
			set_element_compare);
	return found && found->timeout_ns;
}

/**
 * set_deadlines_plan() - Decide when elements of a policy end
 * @policy: the policy; the deadlines of its sets are filled
 * @previous: maps of the generation from which the policy's text comes, whose elements keep their
 *	deadlines; NULL: it is a new text
 * @renewed: a change that was made to the text, by sets_change(), and gives the elements that it adds
 *	their time anew; NULL: none
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int set_deadlines_plan(struct policy *policy, const struct map_set *previous,
		       const struct sets_change *renewed, struct error *error)
{
	uint64_t now_ns = set_deadlines_now_ns();
	struct set_deadline *entries = NULL, key;
	size_t n = 0;
	int err;

	if (!set_deadlines_count(policy))
		return 0;
	err = previous ? read_entries(previous, &entries, &n, error) : 0;
	for (size_t i = 0; i < policy->n_sets && !err; i++) {
		const struct prefix_set *set = &policy->sets[i];

		for (size_t j = 0; set->times && j < set->n_prefixes; j++) {
			const struct set_deadline *kept = NULL;

			describe(set, j, &key);
			if (n && !is_renewed(renewed, set, j))
				kept = bsearch(&key, entries, n, sizeof(key), compare);
			set->times[j].deadline_ns = kept ? kept->deadline_ns
							 : now_ns + set->times[j].timeout_ns;
		}
	}
	free(entries);
	return err;
}

/**
 * set_deadlines_fill() - Write the deadlines of a policy to the generation that is built for it
 * @maps: of the generation, sized by set_deadlines_count()
 * @policy: after set_deadlines_plan()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int set_deadlines_fill(const struct map_set *maps, const struct policy *policy, struct error *error)
{
	int fd = map_set_fd(maps, MAP_SET_DEADLINE);
	struct set_deadline entry;
	uint32_t key = 0;

	for (size_t i = 0; i < policy->n_sets; i++) {
		const struct prefix_set *set = &policy->sets[i];

		for (size_t j = 0; set->times && j < set->n_prefixes; j++) {
			if (!set->times[j].timeout_ns)
				continue;
			describe(set, j, &entry);
			entry.deadline_ns = set->times[j].deadline_ns;
			if (bpf_map_update_elem(fd, &key, &entry, BPF_ANY))
				return error_set(error, errno, "cannot fill BPF map %s: %s",
						 MAP_SET_DEADLINE, strerror(errno));
			key++;
		}
	}
	return 0;
}

/**
 * set_deadlines_next() - When the next element of a generation ends
 * @maps: of the generation
 *
 * Return: by set_deadlines_now_ns(); SET_DEADLINE_NEVER: none does.
 */
uint64_t set_deadlines_next(const struct map_set *maps)
{
	uint64_t next = SET_DEADLINE_NEVER;
	struct set_deadline *entries;
	struct error ignored;
	size_t n;

	if (read_entries(maps, &entries, &n, &ignored))
		return next;
	for (size_t i = 0; i < n; i++)
		if (entries[i].deadline_ns < next)
			next = entries[i].deadline_ns;
	free(entries);
	return next;
}

/* ---- texts ---- */

/* Put elements of a set into a change, which has room for all of them. */
typedef void (*choose_fn)(const struct prefix_set *set, struct sets_change *change, void *user);

/*
 * struct rewrite - how the text in force is changed
 * @choose, @user: which elements of a set the operation is for
 */
struct rewrite {
	enum sets_operation operation;
	choose_fn choose;
	void *user;
};

/* Make the change of one set in the text. */
static int rewrite_set(const struct rewrite *rewrite, const struct prefix_set *set,
		       struct sets_text *text, struct error *error)
{
	struct sets_change change = {.name = set->name, .operation = rewrite->operation};
	struct sets_text to = {.text = NULL};
	struct sets_result result;
	int err = 0;

	change.elements = calloc(set->n_prefixes + 1, sizeof(*change.elements));
	if (!change.elements)
		return error_no_memory(error);
	rewrite->choose(set, &change, rewrite->user);
	if (change.n_elements || change.operation == SETS_REPLACE)
		err = sets_change(text, &change, &to, &result, error);
	free(change.elements);
	if (err || !to.text)
		return err;
	free(text->text);
	text->text = to.text;
	text->len = to.len;
	return 0;
}

/* The text in force, with those sets changed that have elements which end. */
static int rewrite_text(const struct attached *attached, const struct rewrite *rewrite, char **text,
			size_t *len, struct error *error)
{
	const char *path = attached->instance.policy_path;
	struct sets_text to = {.path = path[0] ? path : NULL};
	struct policy *policy = NULL;
	int err = attached_policy_text(attached, &to.text, &to.len, error);

	if (!err && set_deadlines_next(&attached->maps) != SET_DEADLINE_NEVER) {
		err = policy_parse(to.path, to.text, to.len, &policy, error);
		if (!err)
			err = set_deadlines_plan(policy, &attached->maps, NULL, error);
		for (size_t i = 0; !err && i < policy->n_sets; i++)
			if (policy->sets[i].times)
				err = rewrite_set(rewrite, &policy->sets[i], &to, error);
		policy_free(policy);
	}
	if (err) {
		free(to.text);
		return err;
	}
	*text = to.text;
	*len = to.len;
	return 0;
}

/* All elements, with the time that is left to them; not those that have ended. */
static void choose_left(const struct prefix_set *set, struct sets_change *change, void *now_ns)
{
	for (size_t i = 0; i < set->n_prefixes; i++) {
		const struct set_time *time = &set->times[i];
		int64_t left_ns = (int64_t)(time->deadline_ns - *(uint64_t *)now_ns);

		if (time->timeout_ns && left_ns <= 0)
			continue;
		if (time->timeout_ns && left_ns < (int64_t)NS_PER_S)
			left_ns = NS_PER_S; /* the least that a policy takes */
		change->elements[change->n_elements++] = (struct set_element){
			.prefix = set->prefixes[i],
			.timeout_ns = time->timeout_ns ? (uint64_t)left_ns : 0,
		};
	}
}

/**
 * set_deadlines_text() - The policy in force, with the time that is left to elements of sets
 * @attached: the generation in force
 * @text: set to the policy; the caller frees it
 * @len: set to its length
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int set_deadlines_text(const struct attached *attached, char **text, size_t *len,
		       struct error *error)
{
	uint64_t now_ns = set_deadlines_now_ns();
	const struct rewrite rewrite = {SETS_REPLACE, choose_left, &now_ns};

	return rewrite_text(attached, &rewrite, text, len, error);
}

/* The elements that have ended. */
static void choose_due(const struct prefix_set *set, struct sets_change *change, void *arg)
{
	uint64_t now_ns = set_deadlines_now_ns();
	struct set_expiry *expiry = arg;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < set->n_prefixes; i++) {
		const struct set_time *time = &set->times[i];

		if (!time->timeout_ns || (int64_t)(now_ns - time->deadline_ns) < 0)
			continue;
		change->elements[change->n_elements++].prefix = set->prefixes[i];
		if (!expiry->n++)
			snprintf(expiry->subject, sizeof(expiry->subject), "%s %s", set->name,
				 prefix_format(&set->prefixes[i], text, sizeof(text)));
	}
}

/**
 * set_deadlines_expire() - The policy in force without the elements that have ended
 * @attached: the generation in force
 * @text: set to the policy; the caller frees it
 * @len: set to its length
 * @expiry: a struct set_expiry, all zero; is filled
 * @error: set on failure
 *
 * For dataplane_request.edit.
 *
 * Return: 0; -ECANCELED: none has ended; or another -errno.
 */
int set_deadlines_expire(const struct attached *attached, char **text, size_t *len, void *expiry,
			 struct error *error)
{
	const struct rewrite rewrite = {SETS_DEL, choose_due, expiry};
	struct set_expiry *found = expiry;
	struct sets_text without = {.text = NULL};
	size_t used;
	int err = rewrite_text(attached, &rewrite, &without.text, &without.len, error);

	if (err)
		return err;
	if (!found->n) {
		free(without.text);
		return error_set(error, ECANCELED, "no element of a set has ended");
	}
	used = strlen(found->subject);
	if (found->n > 1)
		snprintf(found->subject + used, sizeof(found->subject) - used, ", %zu more",
			 found->n - 1);
	*text = without.text;
	*len = without.len;
	return 0;
}
