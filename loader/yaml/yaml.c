/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walking a YAML tree: expected kinds, keys, and the words common to all files.
 */
#include "yaml/yaml.h"

#include <string.h>

static const char *const kind_names[] = {
	[YAML_SCALAR] = "a single value",
	[YAML_SEQUENCE] = "a list",
	[YAML_MAPPING] = "a mapping of keys to values",
};

/**
 * yaml_is_null() - Whether a value is left out, ~ or null
 */
bool yaml_is_null(const struct yaml_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	size_t i;

	if (node->kind != YAML_SCALAR || !node->plain)
		return false;
	for (i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		if (strcmp(node->text, nulls[i]) == 0)
			return true;
	}
	return false;
}

/**
 * yaml_get() - Value of a key
 * @mapping: a mapping; anything else has no keys
 * @key: the key
 *
 * Return: the value or NULL.  Time is linear in the number of keys.
 */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
	const struct yaml_node *node;

	if (mapping->kind != YAML_MAPPING)
		return NULL;
	for (node = mapping->first; node; node = node->next) {
		if (strcmp(node->key, key) == 0)
			return node;
	}
	return NULL;
}

/**
 * yaml_list_first() - First item of a list; a single value counts as a list of one
 * @node: anything but a mapping
 *
 * Return: the item, or NULL where the list is empty.
 */
const struct yaml_node *yaml_list_first(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR ? node : node->first;
}

/**
 * yaml_list_next() - Item after another
 * @node: what was given to yaml_list_first()
 * @item: the item before
 *
 * Return: the item, or NULL at the end.
 */
const struct yaml_node *yaml_list_next(const struct yaml_node *node, const struct yaml_node *item)
{
	return node->kind == YAML_SCALAR ? NULL : item->next;
}

/**
 * yaml_list_count() - Number of items, as yaml_list_first() and yaml_list_next() see them
 */
size_t yaml_list_count(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR ? 1 : node->n_children;
}

/**
 * yaml_expect() - Insist on a kind of value
 * @doc: for the position
 * @node: the value
 * @kind: what it must be; YAML_SEQUENCE accepts a single value too where @what is not NULL
 * @what: what the value should be, in words; NULL: the kind's name
 * @error: set where it is something else or null
 *
 * Return: 0 or -EINVAL.
 */
int yaml_expect(const struct yaml_doc *doc, const struct yaml_node *node, enum yaml_kind kind,
		const char *what, struct error *error)
{
	bool single = kind == YAML_SEQUENCE && what && node->kind == YAML_SCALAR;

	if (!what)
		what = kind_names[kind];
	if (yaml_is_null(node))
		return yaml_error(doc, node->position, error, "value missing, expected %s", what);
	if (node->kind != kind && !single)
		return yaml_error(doc, node->position, error, "expected %s, not %s", what,
				  kind_names[node->kind]);
	return 0;
}

/**
 * yaml_require() - Insist on a key
 * @doc: for the position
 * @mapping: where the key must be
 * @key: the key
 * @error: set where it is missing
 *
 * Return: 0 or -EINVAL.
 */
int yaml_require(const struct yaml_doc *doc, const struct yaml_node *mapping, const char *key,
		 struct error *error)
{
	if (yaml_get(mapping, key))
		return 0;
	return yaml_error(doc, mapping->position, error, "key '%s' is missing", key);
}

/**
 * yaml_read_fields() - Read a mapping with known keys into a struct
 * @in: the file; its context is for the fields' functions
 * @node: the value, which must be a mapping
 * @fields: the keys it may have; a field without a function is accepted and not read
 * @n_fields: number of fields
 * @to: the struct
 *
 * Return: 0, -EINVAL for an unknown key, or the failure of a field's function.
 */
int yaml_read_fields(const struct yaml_reader *in, const struct yaml_node *node,
		     const struct yaml_field *fields, size_t n_fields, void *to)
{
	const struct yaml_node *child;
	size_t i;
	int err;

	err = yaml_expect(in->doc, node, YAML_MAPPING, NULL, in->error);
	if (err)
		return err;
	for (child = node->first; child; child = child->next) {
		for (i = 0; i < n_fields && strcmp(fields[i].key, child->key) != 0; i++)
			;
		if (i == n_fields)
			err = yaml_error(in->doc, child->key_position, in->error,
					 "unknown key '%.80s'", child->key);
		else if (fields[i].read)
			err = fields[i].read(in, child, (char *)to + fields[i].offset);
		err = yaml_go_on(in->doc, in->error, err);
		if (err)
			return err;
	}
	return 0;
}

/**
 * yaml_read_bool() - Read true or false, as a yaml_read_fn; @to is a bool
 */
int yaml_read_bool(const struct yaml_reader *in, const struct yaml_node *node, void *to)
{
	static const char *const words[] = {"false", "true",  "False",
					    "True",  "FALSE", "TRUE"}; /* YAML 1.2.2, 10.3.2 */
	bool *value = to;
	size_t i;
	int err;

	err = yaml_expect(in->doc, node, YAML_SCALAR, "true or false", in->error);
	if (err)
		return err;
	for (i = 0; node->plain && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(node->text, words[i]) == 0) {
			*value = i % 2;
			return 0;
		}
	}
	return yaml_error(in->doc, node->position, in->error, "expected true or false, not '%.80s'",
			  node->text);
}

/**
 * yaml_read_choice() - Read one of several words
 * @doc: for positions
 * @node: the value
 * @names: the words, NULL at the end
 * @choice: result: index of the word
 * @error: names the words where the value is none of them
 *
 * Return: 0 or -EINVAL.
 */
int yaml_read_choice(const struct yaml_doc *doc, const struct yaml_node *node,
		     const char *const *names, unsigned int *choice, struct error *error)
{
	char list[128] = "";
	unsigned int i;
	size_t used;

	for (i = 0; names[i]; i++) {
		if (node->kind == YAML_SCALAR && strcmp(node->text, names[i]) == 0) {
			*choice = i;
			return 0;
		}
		used = strlen(list);
		if (i > 0)
			strncat(list, names[i + 1] ? ", " : " or ", sizeof(list) - used - 1);
		used = strlen(list);
		strncat(list, names[i], sizeof(list) - used - 1);
	}
	if (node->kind != YAML_SCALAR || yaml_is_null(node))
		return yaml_expect(doc, node, YAML_SCALAR, list, error);
	return yaml_error(doc, node->position, error, "expected %s, not '%.80s'", list, node->text);
}
