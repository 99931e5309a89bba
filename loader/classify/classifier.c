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

struct table_kind {
	const char *map_name;
	uint32_t value_size; /* a multiple of 8, as the kernel would round it up to */
};

static const struct table_kind table_kinds[CLASSIFY_TABLES] = {
	[CLASSIFY_TABLE_LAYOUT] = {"class_layout_v1", sizeof(struct classify_layout)},
	[CLASSIFY_TABLE_PAGE] = {"class_page_v1", sizeof(struct classify_page)},
	[CLASSIFY_TABLE_NODE] = {"class_node_v1", sizeof(struct classify_node)},
	[CLASSIFY_TABLE_LEAF] = {"class_leaf_v1", sizeof(struct classify_leaf)},
	[CLASSIFY_TABLE_TREE] = {"class_tree_v1", sizeof(struct classify_tree)},
	[CLASSIFY_TABLE_PORT] = {"class_port_v1", sizeof(struct classify_ports)},
	[CLASSIFY_TABLE_PROTO] = {"class_proto_v1", sizeof(struct classify_protocols)},
	[CLASSIFY_TABLE_LINE] = {"class_line_v1", sizeof(struct classify_line)},
	[CLASSIFY_TABLE_ROW] = {"class_row_v1", sizeof(struct classify_row)},
	[CLASSIFY_TABLE_MASK] = {"class_mask_v1", sizeof(struct classify_mask)},
	[CLASSIFY_TABLE_WORD] = {"class_word_v1", sizeof(struct classify_word)},
	[CLASSIFY_TABLE_FLAT] = {"class_flat_v1", sizeof(struct classify_word)},
	[CLASSIFY_TABLE_RULE] = {"class_rule_v1", sizeof(struct classify_page)},
	[CLASSIFY_TABLE_BASE] = {"class_base_v1", sizeof(struct classify_page)},
	[CLASSIFY_TABLE_ORIGIN] = {"class_origin_v1", sizeof(struct classify_page)},
};

/**
 * build_out_of_memory() - The error of a failed allocation
 * @build: the compilation
 *
 * Return: -ENOMEM.
 */
int build_out_of_memory(struct build *build)
{
	return error_set(build->error, ENOMEM, "out of memory compiling the rules");
}

/**
 * build_over_budget() - The error of tables that become too large
 * @build: the compilation
 *
 * Return: -E2BIG.
 */
int build_over_budget(struct build *build)
{
	const struct dimension *d = build->dimensions;

	return error_set(build->error, E2BIG,
			 "the rules are too large: the tables of %zu rules exceed %zu MiB of "
			 "kernel memory (classes so far: %zu of source, %zu of destination "
			 "addresses, %zu of source, %zu of destination ports)",
			 build->c->n_items, build->budget_bytes >> 20, d[CLASSIFY_SOURCE].n_classes,
			 d[CLASSIFY_DESTINATION].n_classes, d[CLASSIFY_SPORT].n_classes,
			 d[CLASSIFY_DPORT].n_classes);
}

/**
 * build_grow() - Append entries to a table
 * @build: the compilation
 * @table: which
 * @n: how many
 * @entries: points to a pointer that is set to the first of them, all zero; entries of the same
 *	table from before may have moved
 *
 * Return: 0, -ENOMEM, or -E2BIG if all tables together would exceed the budget.
 */
int build_grow(struct build *build, enum classify_table table, size_t n, void *entries)
{
	struct table *t = &build->c->tables[table];
	size_t size = table_kinds[table].value_size;
	char *data;

	if (n > (build->budget_bytes - build->used_bytes) / size || t->len + n > INT32_MAX)
		return build_over_budget(build);
	if (t->len + n > t->cap) {
		size_t cap = t->len + n + t->len / 2;

		data = realloc(t->data, cap * size);
		if (!data)
			return build_out_of_memory(build);
		t->data = data;
		t->cap = cap;
	}
	data = (char *)t->data + t->len * size;
	memset(data, 0, n * size);
	t->len += n;
	build->used_bytes += n * size;
	*(void **)entries = data;
	return 0;
}

/**
 * build_add_number() - Append to a table that is pages of plain numbers
 * @build: the compilation
 * @table: which
 * @number: what to append
 *
 * Return: 0, -ENOMEM, or -E2BIG.
 */
int build_add_number(struct build *build, enum classify_table table, uint32_t number)
{
	uint32_t at = build->n_numbers[table];
	struct classify_page *pages;
	int err;

	if (at % 256 == 0) {
		err = build_grow(build, table, 1, &pages);
		if (err)
			return err;
	}
	pages = build->c->tables[table].data;
	pages[at / 256].entry[at % 256] = number;
	build->n_numbers[table]++;
	return 0;
}

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
		return build_over_budget(build);
	c->items = calloc(n, sizeof(*c->items));
	if (!c->items)
		return build_out_of_memory(build);
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
	int err = build_grow(build, CLASSIFY_TABLE_LAYOUT, 1, &layout);

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
			err = build_grow(build, t, 1, &entry);
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
		sweep_forget(&build->dimensions[d]);
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
		return build_out_of_memory(&build);
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
