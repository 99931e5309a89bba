/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/part.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml/yaml.h"

#define KEY	    "netbird"
#define LINES_DEPTH 2 /* of braces and brackets: what is in them has a line */
#define COMMENT	    "# of the daemon's map; 'shrike run' replaces it with each"

/* Where a line begins that a position is in. */
static size_t line_start(const struct part_text *text, struct position at)
{
	const char *line = text->text;

	for (unsigned int i = 1; i < at.line; i++)
		line = strchr(line, '\n') + 1;
	return line - text->text;
}

/* Whether a policy is one pair of braces, as JSON is, and not a line for each key. */
static bool is_in_braces(const struct part_text *text, const struct yaml_node *root)
{
	return text->text[line_start(text, root->position) + root->position.column - 1] == '{';
}

static size_t trimmed(const char *text, size_t len)
{
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return len;
}

/* NetBird's part comes from a process that is not trusted: nothing in it may end it. */
static int check_part(const struct part_text *part, struct error *error)
{
	size_t len = trimmed(part->text, part->len);

	for (size_t i = 0; i < len; i++)
		if (part->text[i] < ' ' || part->text[i] > '~')
			return error_input(error, "NetBird's part has a character that is not "
						  "printable");
	if (len < 2 || part->text[0] != '{' || part->text[len - 1] != '}')
		return error_input(error, "NetBird's part is no JSON object");
	return 0;
}

/* Where the structure of JSON allows a line to end: not within what is in quotes. */
struct structure {
	int depth;
	bool is_quoted;
	bool is_escaped;
};

static void follow_structure(struct structure *at, char c)
{
	if (at->is_escaped)
		at->is_escaped = false;
	else if (at->is_quoted && c == '\\')
		at->is_escaped = true;
	else if (c == '"')
		at->is_quoted = !at->is_quoted;
	else if (!at->is_quoted)
		at->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
}

/*
 * Write the part, deeper than its key, so that it cannot end it.  Each rule, set and name has a line:
 * to read them, and since libfyaml looks to the end of a line for what a bracket begins.
 */
static void write_part(FILE *file, const struct part_text *part, int indent)
{
	size_t len = trimmed(part->text, part->len);
	struct structure at = {};

	fprintf(file, "%*s", indent + 1, "");
	for (size_t i = 0; i < len; i++) {
		char c = part->text[i];

		follow_structure(&at, c);
		putc(c, file);
		if (!at.is_quoted && at.depth <= LINES_DEPTH && strchr("{[,", c))
			fprintf(file, "\n%*s", indent + 1, "");
	}
	putc('\n', file);
}

static int write_joined(FILE *file, const struct part_text *own, const struct yaml_node *root,
			const struct part_text *part, struct error *error)
{
	size_t len = trimmed(own->text, own->len);
	int indent;

	if (is_in_braces(own, root)) {
		if (!len || own->text[len - 1] != '}')
			return error_input(error, "the policy has to end with its brace for "
						  "NetBird's part to be put in");
		fwrite(own->text, 1, trimmed(own->text, len - 1), file);
		fprintf(file, ",\n\"" KEY "\":\n");
		write_part(file, part, 0);
		fputs("}\n", file);
		return 0;
	}
	indent = root->first ? (int)root->first->key_position.column - 1 : 0;
	fwrite(own->text, 1, own->len, file);
	if (own->len && own->text[own->len - 1] != '\n')
		putc('\n', file);
	fprintf(file, "%*s" KEY ": " COMMENT "\n", indent, "");
	write_part(file, part, indent);
	return 0;
}

static int join(const struct part_text *own, const struct yaml_node *root,
		const struct part_text *part, struct part_text *whole, struct error *error)
{
	struct part_text joined = {};
	FILE *file = open_memstream(&joined.text, &joined.len);
	int err;

	if (!file)
		return error_no_memory(error);
	err = write_joined(file, own, root, part, error);
	if (ferror(file) && !err)
		err = error_no_memory(error);
	if (fclose(file) && !err)
		err = error_no_memory(error);
	if (err)
		free(joined.text);
	else
		*whole = joined;
	return err;
}

static int refuse_key(const struct yaml_doc *doc, struct error *error)
{
	const struct yaml_node *node = yaml_get(yaml_root(doc), KEY);

	if (!node)
		return 0;
	return yaml_error(doc, node->key_position, error,
			  "this key is for NetBird's part, which shrike puts there itself");
}

/**
 * part_refuse() - Refuse a policy that has NetBird's part already, as a user may have written it
 * @path: of the policy, for messages
 * @own: the user's policy
 * @error: names the place
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int part_refuse(const char *path, const struct part_text *own, struct error *error)
{
	struct yaml_doc *doc;
	int err;

	if (!strstr(own->text, KEY))
		return 0;
	err = yaml_parse(path, own->text, own->len, &doc, error);
	if (err)
		return err;
	err = refuse_key(doc, error);
	yaml_free(doc);
	return err;
}

/**
 * part_join() - Put NetBird's part behind a policy
 * @path: of the policy, for messages
 * @own: the user's policy
 * @part: a JSON object, on one line
 * @whole: set to both; the caller frees its text
 * @error: set on failure
 *
 * Whether the whole is a policy is seen when it is read.
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int part_join(const char *path, const struct part_text *own, const struct part_text *part,
	      struct part_text *whole, struct error *error)
{
	struct yaml_doc *doc;
	int err = check_part(part, error);

	if (!err)
		err = yaml_parse(path, own->text, own->len, &doc, error);
	if (err)
		return err;
	err = yaml_expect(doc, yaml_root(doc), YAML_MAPPING, NULL, error);
	if (!err)
		err = refuse_key(doc, error);
	if (!err)
		err = join(own, yaml_root(doc), part, whole, error);
	yaml_free(doc);
	return err;
}

static int copy(const char *from, size_t len, const char *end, struct part_text *to,
		struct error *error)
{
	char *text = malloc(len + strlen(end) + 1);

	if (!text)
		return error_no_memory(error);
	memcpy(text, from, len);
	strcpy(text + len, end);
	to->text = text;
	to->len = len + strlen(end);
	return 0;
}

/* Take out again what write_part() has put in: the ends of lines, and what they begin with. */
static void put_on_one_line(struct part_text *part)
{
	size_t len = 0;

	for (const char *c = part->text; *c; c++) {
		if (*c == '\n')
			c += strspn(c + 1, " ");
		else
			part->text[len++] = *c;
	}
	part->text[len] = '\0';
	part->len = len;
}

/* Take apart what part_join() has joined, or sets_change() has written since. */
static int split(const struct part_text *whole, const struct yaml_node *root, struct part_text *own,
		 struct part_text *part, struct error *error)
{
	const struct yaml_node *key = yaml_get(root, KEY);
	bool in_braces = is_in_braces(whole, root);
	size_t own_len, start, end = trimmed(whole->text, whole->len);
	int err;

	if (!key)
		return copy(whole->text, whole->len, "", own, error);
	if (key->next || key->kind != YAML_MAPPING)
		return error_input(error, "NetBird's part does not end the policy");
	own_len = line_start(whole, key->key_position);
	start = line_start(whole, key->position) + key->position.column - 1;
	if (in_braces) {
		own_len = trimmed(whole->text, own_len);
		own_len -= own_len && whole->text[own_len - 1] == ',';
		end = trimmed(whole->text, end - 1);
	}
	err = copy(whole->text, own_len, in_braces ? "\n}\n" : "", own, error);
	if (err)
		return err;
	err = copy(whole->text + start, end - start, "", part, error);
	if (err) {
		free(own->text);
		own->text = NULL;
		return err;
	}
	put_on_one_line(part);
	return 0;
}

/**
 * part_split() - Take a policy in force apart
 * @path: of the policy, for messages
 * @whole: the policy
 * @own: set to the user's; the caller frees its text
 * @part: set to NetBird's on one line, without a text where there is none; the caller frees its text
 * @error: set on failure
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int part_split(const char *path, const struct part_text *whole, struct part_text *own,
	       struct part_text *part, struct error *error)
{
	struct yaml_doc *doc;
	int err = yaml_parse(path, whole->text, whole->len, &doc, error);

	if (err)
		return err;
	*own = *part = (struct part_text){};
	err = yaml_expect(doc, yaml_root(doc), YAML_MAPPING, NULL, error);
	if (!err)
		err = split(whole, yaml_root(doc), own, part, error);
	yaml_free(doc);
	return err;
}

/**
 * part_is_in() - Whether NetBird's part is in a policy in force
 * @path: of the policy
 * @whole: the policy
 */
bool part_is_in(const char *path, const struct part_text *whole)
{
	struct part_text own = {}, part = {};
	struct error ignored;
	bool is_there;

	if (!strstr(whole->text, KEY))
		return false;
	is_there = !part_split(path, whole, &own, &part, &ignored) && part.text;
	free(own.text);
	free(part.text);
	return is_there;
}
