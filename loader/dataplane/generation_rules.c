/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/generation_rules.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classify/classifier.h"
#include "maps.h"

/* Read all of an array map; the caller frees. */
static int read_array(const struct map_entry *map, size_t value_size, void **values,
		      struct error *error)
{
	char *all = calloc(map->max_entries, value_size);

	if (!all)
		return error_no_memory(error);
	for (uint32_t key = 0; key < map->max_entries; key++)
		if (bpf_map_lookup_elem(map->fd, &key, all + key * value_size)) {
			free(all);
			return error_set(error, errno, "cannot read BPF map %s: %s", map->name,
					 strerror(errno));
		}
	*values = all;
	return 0;
}

static void sum_hits(const struct rule_hits *cpus, int n_cpus, struct rule *rule)
{
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		rule->packets += cpus[cpu].packets;
		rule->bytes += cpus[cpu].bytes;
		if (cpus[cpu].last_hit_ns > rule->last_hit_ns)
			rule->last_hit_ns = cpus[cpu].last_hit_ns;
	}
}

/**
 * generation_read_rules() - The rules of a generation with their hits so far
 * @maps: of the generation
 * @rules: set to an array in order of precedence, built-in rules included; the caller frees it
 * @n: set to its length
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int generation_read_rules(const struct map_set *maps, struct rule_view **rules, size_t *n,
			  struct error *error)
{
	const struct map_entry *rules_map = map_set_find(maps, MAP_RULES);
	const struct map_entry *hits_map = map_set_find(maps, MAP_RULE_HITS);
	int n_cpus = libbpf_num_possible_cpus(), err;
	struct rule_view *views = NULL;
	struct rule_hits *hits = NULL;
	struct rule *rule = NULL;
	size_t count = 0;

	if (!rules_map || !hits_map || n_cpus < 1 || rules_map->value_size != sizeof(*rule) ||
	    hits_map->value_size != sizeof(*hits) || hits_map->max_entries < rules_map->max_entries)
		return error_set(error, EPROTO,
				 "the generation in force has no rule tables of this version of "
				 "shrike");
	err = read_array(rules_map, sizeof(*rule), (void **)&rule, error);
	if (err)
		return err;
	err = read_array(hits_map, n_cpus * sizeof(*hits), (void **)&hits, error);
	if (err)
		goto out;
	views = calloc(rules_map->max_entries, sizeof(*views));
	if (!views) {
		err = error_no_memory(error);
		goto out;
	}
	for (uint32_t i = 0; i < rules_map->max_entries; i++) {
		if (!rule[i].id[0] && !(rule[i].flags & RULE_BUILTIN))
			continue; /* a map has one entry even where there is no rule */
		views[count].rule = rule[i];
		views[count].index = i;
		sum_hits(hits + (size_t)i * n_cpus, n_cpus, &views[count++].rule);
	}
	*rules = views;
	*n = count;
out:
	free(hits);
	free(rule);
	return err;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct rule_view *x = a, *y = b;

	return (x->rule.number > y->rule.number) - (x->rule.number < y->rule.number);
}

/**
 * generation_sort_rules() - Put rules into the order that generation_rule_id() needs
 */
void generation_sort_rules(struct rule_view *rules, size_t n)
{
	if (n)
		qsort(rules, n, sizeof(*rules), compare_numbers);
}

/**
 * generation_rule() - The rule of a number, NULL if no rule in force has it
 * @rules: sorted by generation_sort_rules()
 * @n: their count
 * @number: as flows, fragments and trace records hold it
 */
const struct rule_view *generation_rule(const struct rule_view *rules, size_t n, uint32_t number)
{
	struct rule_view key = {.rule.number = number};

	if (number == RULE_NONE || !n)
		return NULL;
	return bsearch(&key, rules, n, sizeof(*rules), compare_numbers);
}

/**
 * generation_rule_id() - The id of a rule number, NULL if no rule in force has it
 * @rules, @n, @number: as for generation_rule()
 */
const char *generation_rule_id(const struct rule_view *rules, size_t n, uint32_t number)
{
	const struct rule_view *found = generation_rule(rules, n, number);

	return found ? found->rule.id : NULL;
}

static int compare_ids(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int compare_view_ids(const void *a, const void *b)
{
	const struct rule_view *x = a, *y = b;

	return compare_ids(&x->rule, &y->rule);
}

/* The rule of an earlier generation with the id of @rule; @views are sorted by id. */
static const struct rule_view *find_id(const struct rule *rule, const struct rule_view *views,
				       size_t n)
{
	struct rule_view key = {.rule = *rule};

	if (!rule->id[0] || !n)
		return NULL;
	return bsearch(&key, views, n, sizeof(*views), compare_view_ids);
}

static void describe(const struct classifier_rule *from, struct rule *to)
{
	memset(to, 0, sizeof(*to));
	if (from->rule)
		strncpy(to->id, from->rule->id, RULE_ID_MAX - 1);
	to->acl = from->acl;
	to->flags = from->flags;
}

static int write_rules(const struct map_set *maps, const struct rule *rules, uint32_t n,
		       struct error *error)
{
	int fd = map_set_fd(maps, MAP_RULES);

	for (uint32_t key = 0; key < n; key++)
		if (bpf_map_update_elem(fd, &key, &rules[key], BPF_ANY))
			return error_set(error, errno, "cannot fill BPF map rules_v1: %s",
					 strerror(errno));
	return 0;
}

/**
 * generation_fill_rules() - Number the rules and write rules_v1
 * @spec: with the maps of the generation in force, if there is one
 * @generation: whose rules_v1 is filled; instance.next_rule_number is the first that is free, and
 *	is moved on
 * @error: set on failure
 *
 * An id that the generation in force has keeps its number; numbers are never used again, so that
 * a flow cannot seem to belong to a rule that came later.
 *
 * Return: 0 or -errno.
 */
int generation_fill_rules(const struct generation_spec *spec, struct generation *generation,
			  struct error *error)
{
	uint32_t next = generation->instance.next_rule_number;
	size_t n_old = 0, n = classifier_n_rules(generation->classifier);
	struct rule *rules = calloc(n ? n : 1, sizeof(*rules));
	struct rule_view *old = NULL;
	int err = 0;

	if (!rules)
		return error_no_memory(error);
	if (spec->previous)
		err = generation_read_rules(spec->previous, &old, &n_old, error);
	if (err)
		goto out;
	if (n_old)
		qsort(old, n_old, sizeof(*old), compare_view_ids);
	for (size_t i = 0; i < n; i++) {
		struct classifier_rule rule = classifier_rule(generation->classifier, i);
		const struct rule_view *known;

		describe(&rule, &rules[i]);
		if (!rules[i].id[0])
			continue;
		known = find_id(&rules[i], old, n_old);
		rules[i].number = known ? known->rule.number : next++;
	}
	generation->instance.next_rule_number = next;
	err = write_rules(&generation->maps, rules, n, error);
out:
	free(old);
	free(rules);
	return err;
}

/**
 * generation_carry_hits() - Add the hits of the generation that was in force, by rule id
 * @from: maps of the generation that was in force; its programs judge no more
 * @to: the generation that has taken over
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int generation_carry_hits(const struct map_set *from, const struct generation *to,
			  struct error *error)
{
	uint32_t n = classifier_n_rules(to->classifier);
	int fd = map_set_fd(&to->maps, MAP_RULES), err;
	struct rule_view *old;
	struct rule rule;
	size_t n_old;

	err = generation_read_rules(from, &old, &n_old, error);
	if (err)
		return err;
	if (n_old)
		qsort(old, n_old, sizeof(*old), compare_view_ids);
	for (uint32_t key = 0; key < n; key++) {
		const struct rule_view *known;

		if (bpf_map_lookup_elem(fd, &key, &rule))
			continue;
		known = find_id(&rule, old, n_old);
		if (!known || !known->rule.packets)
			continue;
		rule.packets = known->rule.packets;
		rule.bytes = known->rule.bytes;
		rule.last_hit_ns = known->rule.last_hit_ns;
		if (bpf_map_update_elem(fd, &key, &rule, BPF_ANY))
			err = error_set(error, errno, "cannot carry hit counters over: %s",
					strerror(errno));
	}
	free(old);
	return err;
}
