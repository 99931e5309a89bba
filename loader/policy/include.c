/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/include.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "yaml/yaml_file.h"

#define FILES_MAX      1024 /* that a policy includes */
#define DEPTH_MAX      8    /* files that include each other */
#define PATH_MAX_BYTES 512
#define INDENT	       4 /* blanks in front of the lines of a file */
#define BOM	       "\xef\xbb\xbf"

static const char *const suffixes[] = {".yaml", ".yml", ".json"};

/* A policy whose files are being put together. */
struct inclusion {
	FILE *out;
	struct {
		dev_t device;
		ino_t inode;
	} files[FILES_MAX]; /* seen so far */
	size_t n_files;
	unsigned int depth;
};

/* A file, and where in it something is. */
struct source {
	const struct yaml_doc *doc;
	const char *path;
	struct position at;
};

/* Lines that become comments; none: first is above last. */
struct lines {
	unsigned int first;
	unsigned int last;
};

static bool ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);

	return len > end && !strcmp(name + len - end, suffix);
}

/* Of a directory only what looks like a policy, and no file that an editor or package manager left. */
static int is_policy_file(const struct dirent *entry)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (entry->d_name[0] != '.' && ends_in(entry->d_name, suffixes[i]))
			return 1;
	return 0;
}

/* By bytes, so that the order of rules does not depend on a locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Bytes of the line at @text without its end; @next is set to the line after it. */
static size_t line_length(const char *text, const char *end, const char **next)
{
	const char *c = text;

	while (c < end && *c != '\n' && *c != '\r')
		c++;
	*next = c + (c < end) + (c + 1 < end && c[0] == '\r' && c[1] == '\n');
	return (size_t)(c - text);
}

/* Whether a line begins or ends a document: what is put into another one has no such lines. */
static bool is_document_mark(const char *line, size_t len)
{
	return len >= 3 && (!memcmp(line, "---", 3) || !memcmp(line, "...", 3)) &&
	       (len == 3 || line[3] == ' ' || line[3] == '\t');
}

static void write_line(FILE *out, const char *line, size_t len, unsigned int indent)
{
	if (len)
		fprintf(out, "%*s%.*s", (int)indent, "", (int)len, line);
	putc('\n', out);
}

/* Write the lines of a file, @indent blanks deeper, those of @comments as comments. */
static void write_lines(FILE *out, const char *text, size_t len, struct lines comments,
			unsigned int indent)
{
	const char *end = text + len, *next;
	unsigned int number = 1;

	for (const char *line = text; line < end; line = next, number++) {
		size_t bytes = line_length(line, end, &next);
		size_t blanks = strspn(line, " \t");
		bool is_comment = number >= comments.first && number <= comments.last &&
				  blanks < bytes && line[blanks] != '#';

		if (is_comment || (indent && bytes && *line == '%'))
			fprintf(out, "%*s# %.*s\n", (int)indent, "", (int)bytes, line);
		else if (is_document_mark(line, bytes) && (indent || *line == '.'))
			write_line(out, line + 3, bytes - 3, indent + 3);
		else
			write_line(out, line, bytes, indent);
	}
}

/* The lines of the key `include`, which nobody is to read again. */
static struct lines lines_of(const struct yaml_node *include)
{
	if (!include)
		return (struct lines){1, 0};
	return (struct lines){include->key_position.line,
			      include->next ? include->next->key_position.line - 1 : UINT32_MAX};
}

/* In braces, as JSON is, there are no lines of a key. */
static int check_style(const struct yaml_doc *doc, const char *text,
		       const struct yaml_node *include, struct error *error)
{
	const struct yaml_node *root = yaml_root(doc);
	const char *line = text, *end = text + strlen(text);

	for (unsigned int i = 1; i < root->position.line; i++)
		line_length(line, end, &line);
	if (!include || line[root->position.column - 1] != '{')
		return 0;
	return yaml_error(doc, include->key_position, error,
			  "include needs a policy with a line for each key, not one in braces");
}

/* The path of what a file includes: relative to the file. */
static int join_path(const struct source *from, const char *entry, char path[PATH_MAX_BYTES],
		     struct error *error)
{
	const char *slash = *entry == '/' ? NULL : strrchr(from->path, '/');
	size_t len = strlen(entry);

	while (len > 1 && entry[len - 1] == '/')
		len--;
	if (snprintf(path, PATH_MAX_BYTES, "%.*s%.*s", slash ? (int)(slash + 1 - from->path) : 0,
		     from->path, (int)len, entry) < PATH_MAX_BYTES)
		return 0;
	return yaml_error(from->doc, from->at, error, "a path of more than %d bytes",
			  PATH_MAX_BYTES - 1);
}

/* Refuse a file for the second time, which it would be without end in a loop. */
static int note_file(struct inclusion *inclusion, const struct source *from, const char *path,
		     const struct stat *status, struct error *error)
{
	for (size_t i = 0; i < inclusion->n_files; i++)
		if (inclusion->files[i].device == status->st_dev &&
		    inclusion->files[i].inode == status->st_ino)
			return yaml_error(from->doc, from->at, error, "%.200s is included already",
					  path);
	if (inclusion->n_files == FILES_MAX)
		return yaml_error(from->doc, from->at, error, "more than %d files", FILES_MAX);
	inclusion->files[inclusion->n_files].device = status->st_dev;
	inclusion->files[inclusion->n_files++].inode = status->st_ino;
	return 0;
}

static int include_all(struct inclusion *inclusion, const struct source *from,
		       const struct yaml_node *include, struct error *error);

/* Write the key that an included file's lines are under. */
static void write_key(FILE *out, const char *path)
{
	fprintf(out, "%*s\"", INDENT / 2, "");
	for (; *path; path++)
		fprintf(out, "%s%c", strchr("\"\\", *path) ? "\\" : "", *path);
	fputs("\":\n", out);
}

/* Add the text of a file that is YAML, and what it includes. */
static int add_text(struct inclusion *inclusion, const char *path, const char *text, size_t len,
		    struct error *error)
{
	size_t bom = len >= 3 && !memcmp(text, BOM, 3) ? 3 : 0;
	const struct yaml_node *include;
	struct yaml_doc *doc;
	int err = yaml_parse(path, text, len, &doc, error);

	if (err)
		return err;
	err = yaml_expect(doc, yaml_root(doc), YAML_MAPPING, NULL, error);
	include = err ? NULL : yaml_get(yaml_root(doc), INCLUDE_KEY);
	if (!err)
		err = check_style(doc, text + bom, include, error);
	if (!err) {
		write_key(inclusion->out, path);
		write_lines(inclusion->out, text + bom, len - bom, lines_of(include), INDENT);
	}
	if (include && !err)
		err = include_all(inclusion, &(struct source){.doc = doc, .path = path}, include,
				  error);
	yaml_free(doc);
	return err;
}

/* Add a file that another one includes. */
static int add_file(struct inclusion *inclusion, const struct source *from, const char *path,
		    struct error *error)
{
	struct error why;
	struct stat status;
	char *text;
	size_t len;
	int err;

	/* a pipe might never end, and a device is none of the user's text */
	if (stat(path, &status))
		return yaml_error(from->doc, from->at, error, "%.200s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return yaml_error(from->doc, from->at, error, "%.200s: not a regular file", path);
	err = yaml_check_path(path, &why);
	if (!err)
		err = yaml_read_file(path, &text, &len, &why);
	if (err)
		return yaml_error(from->doc, from->at, error, "%.300s", why.text);
	err = note_file(inclusion, from, path, &status, error);
	if (!err)
		err = add_text(inclusion, path, text, len, error);
	free(text);
	return err;
}

/* Add the files of a directory, in the order of their names. */
static int add_directory(struct inclusion *inclusion, const struct source *from, const char *dir,
			 struct error *error)
{
	char path[PATH_MAX_BYTES];
	struct dirent **entries;
	int n = scandir(dir, &entries, is_policy_file, by_name), err = 0;

	if (n < 0)
		return yaml_error(from->doc, from->at, error, "%.200s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!err && snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name) >=
				    PATH_MAX_BYTES)
			err = yaml_error(from->doc, from->at, error, "a path of more than %d bytes",
					 PATH_MAX_BYTES - 1);
		if (!err)
			err = add_file(inclusion, from, path, error);
		free(entries[i]);
	}
	free(entries);
	return err;
}

/* Add what a file includes. */
static int include_all(struct inclusion *inclusion, const struct source *from,
		       const struct yaml_node *include, struct error *error)
{
	const struct yaml_node *item;
	char path[PATH_MAX_BYTES];
	struct stat status;
	int err = yaml_expect(from->doc, include, YAML_SEQUENCE, "a list of files and directories",
			      error);

	if (!err && inclusion->depth++ == DEPTH_MAX)
		err = yaml_error(from->doc, include->key_position, error,
				 "files that include each other more than %d deep", DEPTH_MAX);
	for (item = err ? NULL : yaml_list_first(include); item && !err;
	     item = yaml_list_next(include, item)) {
		struct source at = {from->doc, from->path, item->position};

		err = yaml_expect(from->doc, item, YAML_SCALAR, "a file or directory", error);
		if (!err)
			err = join_path(&at, item->text, path, error);
		if (!err && !stat(path, &status) && S_ISDIR(status.st_mode))
			err = add_directory(inclusion, &at, path, error);
		else if (!err)
			err = add_file(inclusion, &at, path, error);
	}
	inclusion->depth--;
	return err;
}

/* Write the policy with its included files behind it. */
static int write_expanded(struct inclusion *inclusion, const struct source *from, const char *text,
			  size_t len, struct error *error)
{
	const struct yaml_node *root = yaml_root(from->doc);
	const struct yaml_node *include = yaml_get(root, INCLUDE_KEY);
	const struct yaml_node *included = yaml_get(root, INCLUDED_KEY);
	struct stat status;
	size_t n_before;
	int err = check_style(from->doc, text, include, error);

	if (err)
		return err;
	if (included)
		return yaml_error(from->doc, included->key_position, error,
				  INCLUDED_KEY
				  " is what 'shrike policy export' makes of " INCLUDE_KEY
				  ": only one of them can be there");
	if (root->first->key_position.column != 1)
		return yaml_error(from->doc, include->key_position, error,
				  "include needs the keys of the policy at the margin");
	if (!stat(from->path, &status))
		note_file(inclusion, from, from->path, &status, error);
	write_lines(inclusion->out, text, len, lines_of(include), 0);
	fputs(INCLUDED_KEY ": " INCLUDE_MARK "\n", inclusion->out);
	n_before = inclusion->n_files;
	err = include_all(inclusion, from, include, error);
	if (!err && inclusion->n_files == n_before)
		fprintf(inclusion->out, "%*s{}\n", INDENT, "");
	return err;
}

static int expand(const struct source *from, char **text, size_t *len, struct error *error)
{
	size_t bom = *len >= 3 && !memcmp(*text, BOM, 3) ? 3 : 0, new_len;
	struct inclusion *inclusion = calloc(1, sizeof(*inclusion));
	char *expanded = NULL;
	int err;

	if (!inclusion)
		return error_no_memory(error);
	inclusion->out = open_memstream(&expanded, &new_len);
	if (!inclusion->out) {
		free(inclusion);
		return error_no_memory(error);
	}
	err = write_expanded(inclusion, from, *text + bom, *len - bom, error);
	if (ferror(inclusion->out) && !err)
		err = error_no_memory(error);
	if (fclose(inclusion->out) && !err)
		err = error_no_memory(error);
	free(inclusion);
	if (err) {
		free(expanded);
		return err;
	}
	free(*text);
	*text = expanded;
	*len = new_len;
	return 0;
}

/**
 * include_expand() - Put the files that a policy includes behind it
 * @path: of the policy, "-" for standard input, whose files are relative to the working directory
 * @text: the policy, allocated; becomes the whole one where it includes something
 * @len: of @text
 * @error: names the file, line and column, also of an included file
 *
 * A text that is no policy stays as it is: whoever reads it will say so.
 *
 * Return: 0, -EINVAL (invalid input) or -ENOMEM.
 */
int include_expand(const char *path, char **text, size_t *len, struct error *error)
{
	struct source from = {.path = path};
	struct yaml_doc *doc;
	struct error ignored;
	int err = 0;

	if (!memmem(*text, *len, INCLUDE_KEY, strlen(INCLUDE_KEY)) ||
	    yaml_parse(path, *text, *len, &doc, &ignored))
		return 0;
	from.doc = doc;
	if (yaml_get(yaml_root(doc), INCLUDE_KEY))
		err = expand(&from, text, len, error);
	yaml_free(doc);
	return err;
}

/* Whether the lines below the key are still those of the files. */
static bool is_marked(const char *text, size_t len, unsigned int number)
{
	const char *line = text, *end = text + len, *next;

	for (unsigned int i = 1; i < number; i++)
		line_length(line, end, &line);
	return memmem(line, line_length(line, end, &next), INCLUDE_MARK, strlen(INCLUDE_MARK));
}

/**
 * include_places() - Note which lines of a policy's source are those of included files
 * @root: the policy
 * @policy: has its source; gets the places
 *
 * Return: 0 or -ENOMEM.
 */
int include_places(const struct yaml_node *root, struct policy *policy)
{
	const struct yaml_node *included = yaml_get(root, INCLUDED_KEY), *file;

	if (!included || included->kind != YAML_MAPPING || !included->n_children ||
	    !is_marked(policy->text, policy->text_len, included->key_position.line))
		return 0;
	policy->places = calloc(included->n_children, sizeof(*policy->places));
	if (!policy->places)
		return -ENOMEM;
	for (file = included->first; file; file = file->next) {
		const struct yaml_node *next = file->next ? file->next : included->next;
		struct place *place = &policy->places[policy->n_places++];

		place->first = file->key_position.line + 1;
		place->last = next ? next->key_position.line - 1 : UINT32_MAX;
		place->indent = INDENT;
		place->path = strdup(file->key);
		if (!place->path)
			return -ENOMEM;
	}
	return 0;
}
