/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The order of rules, the course of a compilation, and what can be asked of its result.
 */
#include "classify/classifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "classify/compile.h"
#include "classify/lists.h"
#include "classify/lookup.h"
#include "classify/partition.h"
#include "classify/positions.h"
#include "classify/rows.h"
#include "classify/tables.h"

/* ---- the order of rules ---- */

static void add_item(struct build *build, const struct policy_rule *rule, enum acl acl,
		     uint8_t flags)
{
	struct classifier *c = build->c;

	build->groups |= rule->destination.groups != 0;
	build->icmp |= rule->n_icmp_types != 0;
	c->items[c->n_items++] = (struct item){.rule = rule, .acl = acl, .flags = flags};
}

/* Per ACL: built-in rules, denials, allowances; each in the order of the file. */
static int order_rules(struct build *build, const struct prefix *overlay, size_t n_overlay)
{
	const struct policy *policy = build->policy;
	struct classifier *c = build->c;
	size_t n = 1;

	for (int acl = 0; acl < ACL_MAX; acl++)
		n += policy->acl[acl].n_rules;
	if (n > INT32_MAX)
		return tables_over_budget(build);
	c->items = calloc(n, sizeof(*c->items));
	if (!c->items)
		return tables_out_of_memory(build);
	for (int acl = 0; acl < ACL_MAX; acl++) {
		const struct policy_acl *rules = &policy->acl[acl];

		if (acl == ACL_ROUTE && n_overlay) {
			build->builtin = (struct policy_rule){
				.source.any = true,
				.destination.prefixes = (struct prefix *)overlay,
				.destination.n_prefixes = n_overlay,
				.protocol = PROTOCOL_ALL,
			};
			add_item(build, &build->builtin, acl, RULE_BUILTIN);
		}
		for (int allow = 0; allow < 2; allow++)
			for (size_t i = 0; i < rules->n_rules; i++)
				if (rules->rules[i].allow == allow)
					add_item(build, &rules->rules[i], acl,
						 allow ? RULE_ALLOW : 0);
	}
	return 0;
}

/* ---- a compilation ---- */

static int make_layout(struct build *build)
{
	struct classify_layout *layout;
	int err = tables_grow(build, CLASSIFY_TABLE_LAYOUT, 1, &layout);

	if (!err)
		*layout = build->c->layout;
	return err;
}

/* Maps have at least one entry, used or not. */
static int pad_tables(struct build *build)
{
	void *entry;
	int err = 0;

	for (int t = 0; !err && t < CLASSIFY_TABLES; t++)
		if (!build->c->tables[t].len)
			err = tables_grow(build, t, 1, &entry);
	return err;
}

/* -EAGAIN if the rows of addresses say that lines are better than the tries that they are. */
static int make_tables(struct build *build)
{
	int err = 0;

	for (int d = 0; !err && d < CLASSIFY_DIMENSIONS; d++) {
		if (d == CLASSIFY_SPORT && build->wanted == BUILD_AS_FITS && rows_are_dense(build))
			err = -EAGAIN;
		else if (d == CLASSIFY_PROTOCOL)
			err = lookup_protocols(build);
		else if (d == CLASSIFY_SPORT || d == CLASSIFY_DPORT)
			err = lookup_ports(build, d);
		else
			err = lookup_addresses(build, d);
	}
	if (!err)
		err = rows_finish(build);
	return err;
}

/* Everything after the lists of rules, with rows laid out as wanted. */
static int make_rows(struct build *build, enum build_rows wanted)
{
	struct classifier *c = build->c;
	int err;

	positions_free(build);
	for (int d = 0; d < CLASSIFY_DIMENSIONS; d++)
		partition_free(&build->dimensions[d]);
	for (int t = 0; t < CLASSIFY_TABLES; t++)
		c->tables[t].len = 0;
	memset(build->n_numbers, 0, sizeof(build->n_numbers));
	c->config = (struct classify_config){.groups = build->groups, .icmp = build->icmp};
	c->layout = (struct classify_layout){0};
	build->used_bytes = 0;
	build->wanted = wanted;
	err = positions_make(build);
	return err ? err : make_tables(build);
}

/* Run the steps of compile.h in their order. */
static int compile(struct build *build, const struct prefix *overlay, size_t n_overlay)
{
	int err;

	if (getrandom(build->seed, sizeof(build->seed), 0) != sizeof(build->seed))
		return error_set(build->error, errno, "no random numbers");
	err = order_rules(build, overlay, n_overlay);
	if (!err)
		err = lists_make(build);
	if (!err && build->c->n_items)
		err = make_rows(build, BUILD_AS_FITS);
	if (err == -EAGAIN) {
		err = make_rows(build, BUILD_LINES);
		if (err == -E2BIG)
			err = make_rows(build, BUILD_TRIES);
	}
	if (!err)
		err = make_layout(build);
	if (!err)
		err = pad_tables(build);
	return err;
}

static void build_release(struct build *build)
{
	lists_free(build);
	positions_free(build);
}

/**
 * classifier_compile() - Compile the rules of a policy
 * @policy: must outlive the classifier
 * @overlay: prefixes of the protected interface; traffic routed to them is denied by a built-in
 *	rule before all others
 * @n_overlay: how many; 0 for no such rule
 * @budget_bytes: of kernel memory for the tables
 * @classifier: the result, to be freed with classifier_free()
 * @error: what went wrong
 *
 * Return: 0; -E2BIG if the tables do not fit the budget or the limits of their format; -ENOMEM.
 */
int classifier_compile(const struct policy *policy, const struct prefix *overlay, size_t n_overlay,
		       size_t budget_bytes, struct classifier **classifier, struct error *error)
{
	struct build build = {.policy = policy, .error = error, .budget_bytes = budget_bytes};
	int err;

	build.c = calloc(1, sizeof(*build.c));
	if (!build.c)
		return tables_out_of_memory(&build);
	err = compile(&build, overlay, n_overlay);
	build_release(&build);
	if (err)
		classifier_free(build.c);
	else
		*classifier = build.c;
	return err;
}

/**
 * classifier_free() - Release a classifier
 * @classifier: may be NULL
 */
void classifier_free(struct classifier *classifier)
{
	if (!classifier)
		return;
	for (int t = 0; t < CLASSIFY_TABLES; t++)
		free(classifier->tables[t].data);
	free(classifier->items);
	free(classifier);
}

/* ---- what can be asked ---- */

/**
 * classifier_n_rules() - How many rules there are, built-in ones included
 */
size_t classifier_n_rules(const struct classifier *classifier)
{
	return classifier->n_items;
}

/**
 * classifier_rule() - A rule by its index
 * @classifier: the classifier
 * @index: below classifier_n_rules(); lookups return it plus 1
 */
struct classifier_rule classifier_rule(const struct classifier *classifier, size_t index)
{
	const struct item *item = &classifier->items[index];

	return (struct classifier_rule){
		.rule = item->flags & RULE_BUILTIN ? NULL : item->rule,
		.acl = item->acl,
		.flags = item->flags,
	};
}

/**
 * classifier_memory() - Kernel memory of all tables, in bytes
 */
size_t classifier_memory(const struct classifier *classifier)
{
	size_t bytes = 0;

	for (int t = 0; t < CLASSIFY_TABLES; t++)
		bytes += classifier->tables[t].len * table_kinds[t].value_size;
	return bytes;
}

/**
 * classifier_config() - What the read-only data of the programs must be
 */
const struct classify_config *classifier_config(const struct classifier *classifier)
{
	return &classifier->config;
}

/**
 * classifier_table() - One of the tables
 * @classifier: owns the data
 * @table: which, below CLASSIFY_TABLES
 */
struct classifier_table classifier_table(const struct classifier *classifier,
					 enum classify_table table)
{
	return (struct classifier_table){
		.map_name = table_kinds[table].map_name,
		.entries = classifier->tables[table].len,
		.value_size = table_kinds[table].value_size,
		.data = classifier->tables[table].data,
	};
}
