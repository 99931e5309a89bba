/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a text must be before libfyaml sees it: UTF-8 (RFC 3629) without control characters, and
 * directives, if any, at the beginning.
 */
#include "yaml/yaml_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DIRECTIVE_MAX 64 /* bytes; the only one of use is %YAML 1.2 */

/* Decodes one character; its length in bytes, or 0 where the bytes are not UTF-8. */
static size_t decode(const unsigned char *text, size_t len, uint32_t *character)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size, i;
	uint32_t value;

	if (text[0] < 0x80) {
		*character = text[0];
		return 1;
	}
	size = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || size > len)
		return 0;
	value = text[0] & (0x7fu >> size);
	for (i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < smallest[size] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	*character = value;
	return size;
}

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x2028 ||
	       character == 0x2029; /* line breaks to a terminal */
}

/**
 * yaml_scan_text() - Check the bytes of a file
 * @text: the file
 * @len: in bytes
 * @at: result: where the fault is
 *
 * Return: NULL, or what is wrong.
 */
const char *yaml_scan_text(const char *text, size_t len, struct position *at)
{
	struct position here = {.line = 1, .column = 1};
	size_t i = 0, size;
	uint32_t character;

	while (i < len) {
		size = decode((const unsigned char *)text + i, len - i, &character);
		*at = here;
		if (size == 0)
			return "not UTF-8";
		i += size;
		here.column++;
		if (character == '\n' || (character == '\r' && !(i < len && text[i] == '\n'))) {
			here.line++;
			here.column = 1;
		} else if (character == 0) {
			return "NUL byte";
		} else if (is_control(character) && character != '\t' && character != '\r') {
			return "control character";
		}
	}
	return NULL;
}

/**
 * yaml_scan_scalar() - Check a text as it is after its escapes were replaced
 * @text: the text
 * @len: in bytes
 *
 * Return: NULL, or what is wrong.
 */
const char *yaml_scan_scalar(const char *text, size_t len)
{
	uint32_t character;
	size_t i, size;

	for (i = 0; i < len; i += size) {
		size = decode((const unsigned char *)text + i, len - i, &character);
		if (size == 0)
			return "not UTF-8";
		if (is_control(character))
			return "control character in a text";
	}
	return NULL;
}

/**
 * yaml_scan_name() - Check a name of the system's, which need be no UTF-8
 * @name: the name, such as a path
 *
 * Return: whether it has a control character.
 */
bool yaml_scan_name(const char *name)
{
	size_t len = strlen(name), size;
	uint32_t character;

	for (size_t i = 0; i < len; i += size ? size : 1) {
		size = decode((const unsigned char *)name + i, len - i, &character);
		if (size && is_control(character))
			return true;
	}
	return false;
}

/* First byte of a line that is not blank, or its end. */
static const char *skip_blanks(const char *line, const char *end)
{
	while (line < end && strchr(" \t\r", *line))
		line++;
	return line;
}

/**
 * yaml_scan_head() - Find where the content begins, and check the directives before it
 * @text: the file, without NUL bytes
 * @len: in bytes
 * @start: result: offset of the line with the first content, @len where there is none
 * @at: result: position of that line, or of a fault
 *
 * libfyaml ignores directives inside the content, and needs quadratic time for long ones.
 *
 * Return: NULL, or what is wrong.
 */
const char *yaml_scan_head(const char *text, size_t len, size_t *start, struct position *at)
{
	const char *line = text, *end = text + len, *line_end, *first;
	bool found = false;
	unsigned int number;

	*start = len;
	for (number = 1; line < end; number++, line = line_end + 1) {
		line_end = memchr(line, '\n', (size_t)(end - line));
		if (!line_end)
			line_end = end;
		first = skip_blanks(line, line_end);
		if (!found || *line == '%')
			*at = (struct position){.line = number, .column = 1};
		if (*line == '%' && found)
			return "directive after the beginning of the content";
		if (*line == '%' && line_end - line > DIRECTIVE_MAX)
			return "directive too long";
		if (!found && first < line_end && *first != '#' && *line != '%') {
			found = true;
			*start = (size_t)(line - text);
		}
	}
	return NULL;
}
