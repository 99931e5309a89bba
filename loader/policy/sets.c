/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/sets.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/include.h"
#include "policy/splice.h"
#include "yaml/yaml.h"

#define TOO_LARGE   "the policy would be larger than %zu bytes"
#define LINES_DEPTH 3 /* values at this depth and above get a line of their own */

/* ---- writing a tree of values as JSON, which is YAML too ---- */

/* A set that is written with this content instead of its own. */
struct content {
	const struct yaml_node *set;
	const struct prefix *prefixes;
	size_t n_prefixes;
};

struct writer {
	FILE *file;
	const struct content *contents; /* in the order of the text */
	size_t n_contents;
	char line_end; /* a blank: all is in one line */
};

/* No control characters are in it (yaml.h). */
static void write_quoted(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

/* Numbers, true and false mean what they mean without quotes only. */
static bool is_bare(const struct yaml_node *node)
{
	const char *c = node->text;

	if (!node->plain || !isalnum((unsigned char)*c))
		return false;
	for (; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.+-", *c))
			return false;
	return true;
}

static void write_scalar(FILE *file, const struct yaml_node *node)
{
	if (yaml_is_null(node))
		fputs("null", file);
	else if (is_bare(node))
		fputs(node->text, file);
	else
		write_quoted(file, node->text);
}

static void write_set(const struct writer *writer, const struct content *content)
{
	char text[PREFIX_TEXT_MAX];

	fputc('[', writer->file);
	for (size_t i = 0; i < content->n_prefixes; i++)
		fprintf(writer->file, "%s%c\"%s\"", i ? "," : "", writer->line_end,
			prefix_format(&content->prefixes[i], text, sizeof(text)));
	fputc(']', writer->file);
}

/* The depth is bounded by YAML_DEPTH_MAX. */
static void write_node(struct writer *writer, const struct yaml_node *node, int depth)
{
	const char *ends = node->kind == YAML_MAPPING ? "{}" : "[]";
	const struct yaml_node *child;

	if (writer->n_contents && node == writer->contents->set) {
		write_set(writer, writer->contents++);
		writer->n_contents--;
		return;
	}
	if (node->kind == YAML_SCALAR) {
		write_scalar(writer->file, node);
		return;
	}
	fputc(ends[0], writer->file);
	for (child = node->first; child; child = child->next) {
		if (child != node->first)
			fputc(',', writer->file);
		if (depth + 1 < LINES_DEPTH)
			fputc(writer->line_end, writer->file);
		else if (child != node->first)
			fputc(' ', writer->file);
		if (node->kind == YAML_MAPPING) {
			write_quoted(writer->file, child->key);
			fputs(": ", writer->file);
		}
		write_node(writer, child, depth + 1);
	}
	fputc(ends[1], writer->file);
}

/* Write the policy with those sets changed to a text. */
static int write_text(struct writer writer, const struct yaml_node *root, struct sets_text *to,
		      struct error *error)
{
	char *buffer = NULL;
	size_t size = 0;
	bool failed;

	writer.file = open_memstream(&buffer, &size);
	if (!writer.file)
		return error_no_memory(error);
	write_node(&writer, root, 0);
	fputc('\n', writer.file);
	failed = ferror(writer.file);
	failed |= fclose(writer.file) != 0;
	if (failed) {
		free(buffer);
		return error_no_memory(error);
	}
	if (size > YAML_TEXT_MAX) {
		free(buffer);
		return error_set(error, E2BIG, TOO_LARGE, YAML_TEXT_MAX);
	}
	to->text = buffer;
	to->len = size;
	return 0;
}

/* ---- the content of a set ---- */

/**
 * sets_sort() - Sort prefixes, and remove what is there twice
 * @prefixes: sorted in place; NULL only if @n is 0
 * @n: how many
 *
 * Return: how many are left.
 */
size_t sets_sort(struct prefix *prefixes, size_t n)
{
	size_t kept = 0;

	if (n > 1)
		qsort(prefixes, n, sizeof(*prefixes), prefix_compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || prefix_compare(&prefixes[kept - 1], &prefixes[i]))
			prefixes[kept++] = prefixes[i];
	return kept;
}

static int read_set(const struct yaml_node *set, struct set_element **elements, size_t *n,
		    struct error *error)
{
	struct set_element *list = calloc(yaml_list_count(set) + 1, sizeof(*list));
	const struct yaml_node *item;
	size_t len = 0;
	int err = 0;

	if (!list)
		return error_no_memory(error);
	for (item = yaml_list_first(set); item && !err; item = yaml_list_next(set, item))
		err = set_element_parse(item->text, &list[len++], error);
	if (err) {
		free(list);
		return err;
	}
	*elements = list;
	*n = set_elements_sort(list, len);
	return 0;
}

/*
 * Whether an element that is there gets another time, or the same anew.  Adding for a while takes
 * nothing from what is there to stay.
 */
static bool is_renewed(const struct set_element *old, const struct set_element *given,
		       const struct sets_change *change)
{
	if (change->operation == SETS_DEL || (change->leaves_timed && given->timeout_ns))
		return false;
	if (!old->timeout_ns)
		return given->timeout_ns && change->operation == SETS_REPLACE;
	return true;
}

/* Whether an element is in the set afterwards; NULL: it is not there, or not given. */
static bool is_kept(const struct set_element *old, const struct set_element *given,
		    const struct sets_change *change)
{
	if (!given)
		return change->operation != SETS_REPLACE ||
		       (change->leaves_timed && old->timeout_ns);
	if (!old && change->leaves_timed && given->timeout_ns)
		return false;
	return change->operation != SETS_DEL;
}

/* Merge two sorted lists, the content and that of the change, by the operation. */
static size_t merge(const struct set_element *old, size_t n_old, const struct sets_change *change,
		    struct set_element *merged, struct sets_result *result)
{
	size_t i = 0, j = 0, n = 0;

	while (i < n_old || j < change->n_elements) {
		int order = i == n_old ? 1
			    : j == change->n_elements
				    ? -1
				    : set_element_compare(&old[i], &change->elements[j]);
		const struct set_element *there = order <= 0 ? &old[i] : NULL;
		const struct set_element *given = order >= 0 ? &change->elements[j] : NULL;
		bool keeps = is_kept(there, given, change);
		bool renews = there && given && is_renewed(there, given, change);

		if (keeps)
			merged[n++] = !there || renews ? *given : *there;
		result->added += keeps && !there;
		result->removed += !keeps && there;
		result->renewed += renews;
		result->unchanged += there ? given && keeps && !renews : !keeps;
		i += there != NULL;
		j += given != NULL;
	}
	return n;
}

/* Say that there is no such set, and which ones there are. */
static int no_such_set(const struct yaml_node *sets, const char *name, struct error *error)
{
	char names[512] = "";

	for (const struct yaml_node *set = sets ? sets->first : NULL; set; set = set->next) {
		size_t used = strlen(names);

		if (used + strlen(set->key) + 8 > sizeof(names)) {
			strcpy(names + used, ", ...");
			break;
		}
		snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", set->key);
	}
	return error_input(error, "%.80s: no such set in the policy in force, %s%s", name,
			   names[0] ? "which has: " : "which has none", names);
}

static const struct yaml_node *set_of(const struct yaml_node *mapping, const char *name)
{
	const struct yaml_node *sets = mapping ? yaml_get(mapping, "sets") : NULL;

	return sets ? yaml_get(sets, name) : NULL;
}

/* The user's set of a name, in the policy or a file that it includes, or else NetBird's. */
static const struct yaml_node *find_set(const struct yaml_node *root, const char *name)
{
	const struct yaml_node *included = yaml_get(root, INCLUDED_KEY), *file;
	const struct yaml_node *set = set_of(root, name);

	for (file = included ? included->first : NULL; file && !set; file = file->next)
		set = set_of(file, name);
	return set ? set : set_of(yaml_get(root, "netbird"), name);
}

/* Make the change in the text that @splice has, with the set in it. */
static int change_text(struct splice splice, const struct sets_change *change, struct sets_text *to,
		       struct sets_result *result, struct error *error)
{
	struct sets_result done = {0};
	struct set_element *old = NULL, *merged = NULL;
	struct sets_change sorted = *change;
	size_t n_old = 0;
	int err;

	err = read_set(splice.set, &old, &n_old, error);
	if (err)
		return err;
	sorted.n_elements = set_elements_sort(change->elements, change->n_elements);
	merged = calloc(n_old + sorted.n_elements + 1, sizeof(*merged));
	if (!merged) {
		err = error_no_memory(error);
	} else {
		done.n = merge(old, n_old, &sorted, merged, &done);
		splice.elements = merged;
		splice.n_elements = done.n;
		err = splice_write(&splice, &to->text, &to->len, error);
	}
	if (!err && to->len > YAML_TEXT_MAX) {
		free(to->text);
		err = error_set(error, E2BIG, TOO_LARGE, YAML_TEXT_MAX);
	}
	if (!err)
		*result = done;
	free(merged);
	free(old);
	return err;
}

/**
 * sets_change() - Change the content of a set in a policy's text
 * @from: a valid policy
 * @change: what to do; its elements are sorted
 * @to: its text becomes the policy with the change made; the caller frees it
 * @result: what the change came to; where nothing was added, removed or renewed, the policy means
 *	the same
 * @error: set on failure
 *
 * Return: 0; -EINVAL (invalid input) if there is no such set; -E2BIG; -ENOMEM.
 */
int sets_change(const struct sets_text *from, const struct sets_change *change,
		struct sets_text *to, struct sets_result *result, struct error *error)
{
	struct splice splice = {.text = from->text, .len = from->len};
	struct yaml_doc *doc;
	int err;

	err = yaml_parse(from->path, from->text, from->len, &doc, error);
	if (err)
		return err;
	splice.set = find_set(yaml_root(doc), change->name);
	err = splice.set ? change_text(splice, change, to, result, error)
			 : no_such_set(yaml_get(yaml_root(doc), "sets"), change->name, error);
	yaml_free(doc);
	return err;
}

/* ---- the content of many sets ---- */

/* Compare the content of a set with the one that it is to have, and sum up what changes. */
static int compare_content(const struct content *content, struct sets_result *sum,
			   struct error *error)
{
	struct sets_change change = {
		.operation = SETS_REPLACE,
		.elements = calloc(content->n_prefixes + 1, sizeof(*change.elements)),
		.n_elements = content->n_prefixes,
	};
	struct set_element *old = NULL, *merged = NULL;
	size_t n_old = 0;
	int err = change.elements ? read_set(content->set, &old, &n_old, error)
				  : error_no_memory(error);

	if (!err) {
		for (size_t i = 0; i < content->n_prefixes; i++)
			change.elements[i].prefix = content->prefixes[i];
		merged = calloc(n_old + content->n_prefixes + 1, sizeof(*merged));
		err = merged ? 0 : error_no_memory(error);
	}
	if (!err)
		sum->n += merge(old, n_old, &change, merged, sum);
	free(merged);
	free(old);
	free(change.elements);
	return err;
}

/* Contents of the sets of a policy, and what they change. */
struct contents {
	struct content *list; /* with room for all sets */
	size_t n;
	struct sets_result sum;
};

/* Ask for the content of each set of the policy. */
static int ask_contents(const struct yaml_node *sets, const struct sets_source *source,
			struct contents *contents, struct error *error)
{
	const struct yaml_node *set = sets ? sets->first : NULL;
	int err = 0;

	for (; set && !err; set = set->next) {
		struct content *content = &contents->list[contents->n];

		content->set = set;
		if (!source->find(source->arg, set->key, &content->prefixes, &content->n_prefixes))
			continue;
		err = compare_content(content, &contents->sum, error);
		contents->n++;
	}
	return err;
}

/**
 * sets_fill() - Give sets of a policy the content that somebody else knows
 * @from: a valid policy
 * @source: knows the content of some sets; the others stay as they are
 * @to: its text becomes the policy with these contents; the caller frees it.  NULL where nothing
 *	changes
 * @result: what the change came to, over all sets that @source knows
 * @error: set on failure
 *
 * Return: 0, -E2BIG or -ENOMEM, or an error of yaml_parse().
 */
int sets_fill(const struct sets_text *from, const struct sets_source *source, struct sets_text *to,
	      struct sets_result *result, struct error *error)
{
	struct contents contents = {.n = 0};
	const struct yaml_node *sets;
	struct yaml_doc *doc;
	int err;

	err = yaml_parse(from->path, from->text, from->len, &doc, error);
	if (err)
		return err;
	sets = yaml_get(yaml_root(doc), "sets");
	contents.list = calloc(sets ? sets->n_children + 1 : 1, sizeof(*contents.list));
	err = contents.list ? ask_contents(sets, source, &contents, error) : error_no_memory(error);
	if (!err && (contents.sum.added || contents.sum.removed || contents.sum.renewed))
		err = write_text((struct writer){.contents = contents.list,
						 .n_contents = contents.n,
						 .line_end = source->one_line ? ' ' : '\n'},
				 yaml_root(doc), to, error);
	else if (!err)
		to->text = NULL;
	if (!err)
		*result = contents.sum;
	free(contents.list);
	yaml_free(doc);
	return err;
}

/* Whom sets_visit() calls. */
struct visitor {
	sets_visit_fn visit;
	void *arg;
};

/* Show the prefixes of a set. */
static int visit_set(const char *name, const struct set_element *elements, size_t n,
		     const struct visitor *visitor, struct error *error)
{
	struct prefix *prefixes = calloc(n + 1, sizeof(*prefixes));

	if (!prefixes)
		return error_no_memory(error);
	for (size_t i = 0; i < n; i++)
		prefixes[i] = elements[i].prefix;
	visitor->visit(visitor->arg, name, prefixes, n);
	free(prefixes);
	return 0;
}

/**
 * sets_visit() - See what the sets of a policy hold
 * @from: a valid policy
 * @visit: called for each set, with its content sorted
 * @arg: for @visit
 * @error: set on failure
 *
 * Return: 0, -ENOMEM, or an error of yaml_parse().
 */
int sets_visit(const struct sets_text *from, sets_visit_fn visit, void *arg, struct error *error)
{
	const struct visitor visitor = {visit, arg};
	const struct yaml_node *sets, *set;
	struct set_element *elements = NULL;
	struct yaml_doc *doc;
	size_t n;
	int err = yaml_parse(from->path, from->text, from->len, &doc, error);

	if (err)
		return err;
	sets = yaml_get(yaml_root(doc), "sets");
	for (set = sets ? sets->first : NULL; set && !err; set = set->next) {
		err = read_set(set, &elements, &n, error);
		if (!err)
			err = visit_set(set->key, elements, n, &visitor, error);
		free(elements);
		elements = NULL;
	}
	yaml_free(doc);
	return err;
}
