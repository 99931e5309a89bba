/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/splice.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE_LINE_MAX 6 /* elements in brackets on one line; of more each has its own */
#define BOM	     "\xef\xbb\xbf"

/* The line behind the one at @offset. */
static size_t next_line(const char *text, size_t len, size_t offset)
{
	while (offset < len && text[offset] != '\n' && text[offset] != '\r')
		offset++;
	if (offset + 1 < len && text[offset] == '\r' && text[offset + 1] == '\n')
		offset++;
	return offset < len ? offset + 1 : len;
}

static size_t line_offset(const char *text, size_t len, unsigned int line)
{
	size_t offset = len >= 3 && !memcmp(text, BOM, 3) ? 3 : 0;

	for (unsigned int i = 1; i < line; i++)
		offset = next_line(text, len, offset);
	return offset;
}

/* Columns are characters, not bytes. */
static size_t offset_of(const char *text, size_t len, struct position at)
{
	size_t offset = line_offset(text, len, at.line);

	for (unsigned int i = 1; i < at.column && offset < len; i++) {
		offset++;
		while (offset < len && ((unsigned char)text[offset] & 0xc0) == 0x80)
			offset++;
	}
	return offset;
}

/* The end of what is in quotes; the text is valid, so that they end. */
static size_t quoted_end(const char *text, size_t offset)
{
	char quote = text[offset++];

	while (text[offset] && text[offset] != quote)
		offset += text[offset] == '\\' && quote == '"' && text[offset + 1] ? 2 : 1;
	return offset + (text[offset] != '\0');
}

/* The end of a list in brackets, which holds prefixes and comments. */
static size_t brackets_end(const char *text, size_t offset)
{
	while (text[offset] && text[offset] != ']') {
		if (strchr("\"'", text[offset]))
			offset = quoted_end(text, offset);
		else if (text[offset] == '#' && strchr(" \t\n", text[offset - 1]))
			offset += strcspn(text + offset, "\r\n");
		else
			offset++;
	}
	return offset + (text[offset] != '\0');
}

/* The end of a single element, which has blanks in it where it has a timeout. */
static size_t scalar_end(const struct splice *splice, size_t offset)
{
	const char *text = splice->text, *element = splice->set->text;

	if (strchr("\"'", text[offset]))
		return quoted_end(text, offset);
	if (!strncmp(text + offset, element, strlen(element)))
		return offset + strlen(element);
	return offset + strcspn(text + offset, " \t\r\n,}]");
}

static void put_element(FILE *out, const struct set_element *element, bool is_quoted)
{
	char text[SET_ELEMENT_TEXT_MAX];

	set_element_format(element, text, sizeof(text));
	is_quoted |= element->prefix.ip_version == 6;
	fprintf(out, "%s%s%s", is_quoted ? "\"" : "", text, is_quoted ? "\"" : "");
}

/* Write a list in brackets in the place of the one that is there, or of a single prefix. */
static void write_brackets(FILE *out, const struct splice *splice, size_t start)
{
	bool is_list = splice->text[start] == '[';
	size_t end = is_list ? brackets_end(splice->text, start) : scalar_end(splice, start);
	size_t key = offset_of(splice->text, splice->len, splice->set->key_position);
	/* where the key is in quotes, this may be JSON */
	bool is_quoted = splice->text[key] == '"' || memchr(splice->text + start, '"', end - start);
	bool has_lines = splice->n_elements > ONE_LINE_MAX;

	fwrite(splice->text, 1, start, out);
	putc('[', out);
	for (size_t i = 0; i < splice->n_elements; i++) {
		fputs(i ? "," : "", out);
		if (has_lines)
			fprintf(out, "\n%*s", (int)splice->set->key_position.column + 1, "");
		else if (i)
			putc(' ', out);
		put_element(out, &splice->elements[i], is_quoted);
	}
	putc(']', out);
	fwrite(splice->text + end, 1, splice->len - end, out);
}

/* Note that an item is in the content, if it is; those that are not noted will be new. */
static bool keeps(const struct splice *splice, const struct yaml_node *item, bool *is_there)
{
	const struct set_element *found;
	struct set_element element;
	struct error ignored;

	if (set_element_parse(item->text, &element, &ignored))
		return false;
	found = bsearch(&element, splice->elements, splice->n_elements, sizeof(element),
			set_element_compare);
	if (!found || found->timeout_ns != element.timeout_ns)
		return false;
	is_there[found - splice->elements] = true;
	return true;
}

/* Behind the colon of the set's key. */
static size_t after_key(const struct splice *splice)
{
	size_t at = offset_of(splice->text, splice->len, splice->set->key_position);

	if (strchr("\"'", splice->text[at]))
		at = quoted_end(splice->text, at);
	while (splice->text[at] &&
	       !(splice->text[at] == ':' && strchr(" \t\r\n", splice->text[at + 1])))
		at++;
	return at + (splice->text[at] != '\0');
}

/* Write elements that are not there yet as lines like those that are. */
static void write_new(FILE *out, const struct splice *splice, const bool *is_there)
{
	for (size_t i = 0; i < splice->n_elements; i++) {
		if (is_there[i])
			continue;
		fprintf(out, "%*s- ", (int)splice->set->position.column - 1, "");
		put_element(out, &splice->elements[i], false);
		putc('\n', out);
	}
}

/* Write a list that has a line for each item: without those that go, with the new ones at its end. */
static void write_lines(FILE *out, const struct splice *splice, bool *is_there)
{
	const char *text = splice->text;
	unsigned int line = splice->set->position.line;
	size_t from = 0, start, end = line_offset(text, splice->len, line);

	if (!splice->n_elements) {
		from = after_key(splice);
		fwrite(text, 1, from, out);
		fputs(" []", out);
	}
	for (const struct yaml_node *item = splice->set->first; item; item = item->next) {
		for (; line < item->position.line; line++)
			end = next_line(text, splice->len, end);
		start = end;
		end = next_line(text, splice->len, start);
		line++;
		if (keeps(splice, item, is_there))
			continue;
		fwrite(text + from, 1, start - from, out);
		from = end;
	}
	if (from < end) {
		fwrite(text + from, 1, end - from, out);
		if (text[end - 1] != '\n')
			putc('\n', out);
	}
	write_new(out, splice, is_there);
	from = from < end ? end : from;
	fwrite(text + from, 1, splice->len - from, out);
}

/**
 * splice_write() - Write a policy with another content of a set
 * @splice: the policy, the set and its content
 * @text: set to the policy; the caller frees it
 * @len: set to its length
 * @error: set on failure
 *
 * Return: 0 or -ENOMEM.
 */
int splice_write(const struct splice *splice, char **text, size_t *len, struct error *error)
{
	size_t start = offset_of(splice->text, splice->len, splice->set->position);
	bool *is_there = calloc(splice->n_elements + 1, sizeof(*is_there));
	FILE *out = is_there ? open_memstream(text, len) : NULL;
	int failed;

	if (!out) {
		free(is_there);
		return error_no_memory(error);
	}
	if (splice->set->kind == YAML_SEQUENCE && splice->text[start] != '[')
		write_lines(out, splice, is_there);
	else
		write_brackets(out, splice, start);
	failed = ferror(out);
	failed |= fclose(out);
	free(is_there);
	if (!failed)
		return 0;
	free(*text);
	return error_no_memory(error);
}
