/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/parse_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/include.h"

#define KEY    "names"
#define QUOTED "\"names\":"
#define FILES  "\n" INCLUDED_KEY ":" /* whose names are deeper */
#define PART   "\nnetbird:"	     /* of a policy that is not JSON as a whole */

/* Read an address of the name that was begun last. */
static int parse_address(const struct yaml_reader *in, const struct yaml_node *item,
			 struct names *names)
{
	union addr addr;
	uint8_t ip_version;
	int err = yaml_expect(in->doc, item, YAML_SCALAR, "an address", in->error);

	if (err)
		return err;
	if (addr_parse(item->text, &addr, &ip_version, in->error))
		return yaml_locate(in->doc, item->position, in->error);
	return names_add_address(names, &addr, ip_version) ? parse_no_memory(in->error) : 0;
}

/* Read the addresses of the name that was begun last. */
static int parse_addresses(const struct yaml_reader *in, const struct yaml_node *node,
			   struct names *names)
{
	const struct yaml_node *item;
	int err;

	err = yaml_expect(in->doc, node, YAML_SEQUENCE, "a list of addresses", in->error);
	if (err)
		return err;
	if (yaml_list_count(node) == 0)
		return yaml_error(in->doc, node->position, in->error, "a name without an address");
	for (item = yaml_list_first(node); item; item = yaml_list_next(node, item)) {
		err = yaml_go_on(in->doc, in->error, parse_address(in, item, names));
		if (err)
			return err;
	}
	return 0;
}

/* Read a name, and what it stands for. */
static int parse_name_of(const struct yaml_reader *in, const struct yaml_node *node,
			 struct names *names)
{
	if (!names_is_valid(node->key))
		return yaml_error(
			in->doc, node->key_position, in->error,
			"'%.80s' cannot be a name: it takes 1 to %d letters, digits, '.', "
			"'-' and '_', is no number and no other word",
			node->key, NAME_MAX_BYTES);
	if (names_add(names, node->key))
		return parse_no_memory(in->error);
	return parse_addresses(in, node, names);
}

/* Read a value of the key "names".  Names that are there already stay, or are a mistake. */
static int parse_names(const struct yaml_reader *in, const struct yaml_node *node, bool is_unique,
		       struct names *names)
{
	const struct yaml_node *child;
	size_t n_known = names->n_names;
	int err;

	err = yaml_expect(in->doc, node, YAML_MAPPING, NULL, in->error);
	for (child = err ? NULL : node->first; child && !err; child = child->next) {
		bool is_known = n_known &&
				keyed_find(names->by_name, n_known, child->key, strlen(child->key));

		if (!is_known)
			err = parse_name_of(in, child, names);
		else if (is_unique)
			err = yaml_error(in->doc, child->key_position, in->error,
					 "duplicate name '%.80s', which another file has",
					 child->key);
		err = yaml_go_on(in->doc, in->error, err);
	}
	if (!err && names_seal(names))
		err = parse_no_memory(in->error);
	return err;
}

/* Read the names of the files that a policy includes. */
static int parse_included_names(const struct yaml_reader *in, const struct yaml_node *root,
				struct names *names)
{
	const struct yaml_node *included = yaml_get(root, INCLUDED_KEY), *file, *own;
	int err = 0;

	file = included && included->kind == YAML_MAPPING ? included->first : NULL;
	for (; file && !err; file = file->next) {
		own = yaml_get(file, KEY);
		err = own ? parse_names(in, own, true, names) : 0;
	}
	return err;
}

/**
 * parse_all_names() - Read a policy's names, and those of NetBird's part
 * @in: the file
 * @root: the policy
 * @names: gets them
 *
 * Names are read before the rules, which may use them.  Where both have one, the user's counts.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int parse_all_names(const struct yaml_reader *in, const struct yaml_node *root, struct names *names)
{
	const struct yaml_node *part = yaml_get(root, "netbird"), *own = yaml_get(root, KEY);
	int err = own ? parse_names(in, own, false, names) : 0;

	if (!err)
		err = parse_included_names(in, root, names);
	names->n_own = names->n;
	if (err || !part)
		return err;
	err = yaml_expect(in->doc, part, YAML_MAPPING, NULL, in->error);
	own = err ? NULL : yaml_get(part, KEY);
	return own ? parse_names(in, own, false, names) : err;
}

/* Whether a word can be nothing but an address, so that no name needs to be looked for. */
static bool is_numeric(const char *word)
{
	return strspn(word, "0123456789./") == strlen(word) || strchr(word, ':');
}

/**
 * parse_named() - The addresses that a word of the file stands for, if it is a name
 * @in: the file, with a struct parse
 * @node: a scalar
 * @n: set to their number
 *
 * Return: the first of them; NULL where the word is no name.
 */
const struct name_address *parse_named(const struct yaml_reader *in, const struct yaml_node *node,
				       size_t *n)
{
	const struct parse *parse = in->context;

	*n = 0;
	return is_numeric(node->text) ? NULL : names_find(&parse->policy->names, node->text, n);
}

/**
 * parse_missing() - Take a word that stands for nothing, as NetBird's next map may have it
 * @in: the file, with a struct parse
 * @node: a scalar
 * @word: of it: a name, or a set with what stands in front of it
 * @name: that of it which NetBird would give
 *
 * Where NetBird is not expected, or has left the word out of its own part, nothing is taken.
 *
 * Return: 0, -ENOENT: it is an error; or -ENOMEM.
 */
int parse_missing(const struct yaml_reader *in, const struct yaml_node *node, const char *word,
		  const char *name)
{
	const struct parse *parse = in->context;
	struct policy *policy = parse->policy;
	struct missing_name *larger = policy->missing;
	bool is_bool;

	/* true and false are no text, unless in quotes */
	if (!parse->expects_netbird || parse->in_part || !names_is_valid(name) ||
	    !yaml_read_bool(in, node, &is_bool))
		return -ENOENT;
	for (size_t i = 0; i < policy->n_missing; i++)
		if (!strcmp(policy->missing[i].name, word))
			return 0;
	if (policy->n_missing == POLICY_MISSING_MAX)
		return 0;
	larger = reallocarray(larger, policy->n_missing + 1, sizeof(*larger));
	if (!larger)
		return parse_no_memory(in->error);
	policy->missing = larger;
	larger[policy->n_missing] = (struct missing_name){strdup(word), node->position};
	if (!larger[policy->n_missing].name)
		return parse_no_memory(in->error);
	policy->n_missing++;
	return 0;
}

/**
 * parse_is_netbirds() - Whether an address is of a name that NetBird's part has given
 */
bool parse_is_netbirds(const struct yaml_reader *in, const struct name_address *named)
{
	const struct names *names = &((const struct parse *)in->context)->policy->names;

	return named && (size_t)(named - names->list) >= names->n_own;
}

/* The lines of the key "names" where it stands at the margin; false: there are none. */
static bool find_lines(const char *text, size_t len, const char **lines, size_t *n)
{
	const char *end = text + len, *line = text;
	bool found = false;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *next = newline ? newline + 1 : end;

		if (found && !strchr(" \t\r\n#", *line))
			break;
		if (!found && (size_t)(next - line) > strlen(KEY) &&
		    !memcmp(line, KEY ":", strlen(KEY ":"))) {
			found = true;
			*lines = line;
		}
		line = next;
	}
	*n = found ? (size_t)(line - *lines) : 0;
	return found;
}

/* Read the names of a text that has the key "names" at its top. */
static int read_text(const char *text, size_t len, struct names *names, struct error *error)
{
	struct yaml_doc *doc;
	int err;

	err = yaml_parse(KEY, text, len, &doc, error);
	if (err)
		return err;
	err = parse_all_names(&(struct yaml_reader){doc, NULL, error}, yaml_root(doc), names);
	yaml_free(doc);
	if (err)
		names_free(names);
	return err;
}

/* Read the user's names alone. */
static int read_own(const char *text, size_t len, struct names *names, struct error *error)
{
	const char *lines = NULL;
	size_t n = 0;

	if (!memmem(text, len, KEY, strlen(KEY)))
		return 0;
	if (!memmem(text, len, FILES, strlen(FILES)) && find_lines(text, len, &lines, &n) &&
	    !read_text(lines, n, names, error))
		return 0;
	return read_text(text, len, names, error);
}

/*
 * Read the names of NetBird's part, which is JSON: an object whose texts hold no braces.  What is in
 * quotes before it has its own quotes escaped.
 */
static int read_part(const char *text, size_t len, struct names *names, struct error *error)
{
	const char *key = memmem(text, len, QUOTED, strlen(QUOTED));
	const char *end = key ? memchr(key, '}', (size_t)(text + len - key)) : NULL;
	char *alone;
	int err;

	if (!end)
		return 0;
	if (asprintf(&alone, "{%.*s}", (int)(end + 1 - key), key) < 0)
		return error_no_memory(error);
	err = read_text(alone, strlen(alone), names, error);
	free(alone);
	return err;
}

/**
 * names_read() - The names of a policy that is in force
 * @text: the policy, which is valid
 * @len: of @text
 * @names: is filled; to be freed with names_free()
 * @error: set on failure
 *
 * Looks at these lines alone, where they stand by themselves: commands that show addresses read them
 * each time, and a policy may have a hundred thousand rules.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int names_read(const char *text, size_t len, struct names *names, struct error *error)
{
	const char *part = memmem(text, len, PART, strlen(PART));
	int err;

	*names = (struct names){0};
	err = read_own(text, part ? (size_t)(part + 1 - text) : len, names, error);
	if (!err && part)
		err = read_part(part, (size_t)(text + len - part), names, error);
	return err;
}
