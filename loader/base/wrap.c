/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/wrap.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define SEPARATORS    "/-:_" /* of the parts of a word */
#define DOTS	      "."    /* of those of a part, such as an address, which is broken last */
#define ESCAPED_WIDTH 4	     /* of \xff, as libsmartcols writes a byte that cannot be printed */

/* Bytes of the first character, 1 or more, and the columns that it takes. */
static size_t character(const char *text, size_t *columns)
{
	mbstate_t state = {};
	wchar_t wide = L'\0';
	size_t bytes = mbrtowc(&wide, text, MB_LEN_MAX, &state);
	int width = wcwidth(wide);

	if (bytes == 0 || bytes > MB_LEN_MAX) { /* no character */
		bytes = 1;
		width = -1;
	}
	*columns = width < 0 ? ESCAPED_WIDTH * bytes : (size_t)width;
	return bytes;
}

/* Columns of so many bytes. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = 0, columns;

	for (size_t at = 0; at < len; width += columns)
		at += character(text + at, &columns);
	return width;
}

/* Bytes of the first word: up to a blank, or with the comma that ends it. */
static size_t word_len(const char *text)
{
	size_t len = strcspn(text, " ,");

	return len + (text[len] == ',');
}

/**
 * wrap_width() - Columns that a text takes
 */
size_t wrap_width(const char *text)
{
	return width_of(text, strlen(text));
}

/* Bytes of the first part of a word, with the separator that ends it. */
static size_t piece_len(const char *word, size_t len)
{
	size_t at = 0;

	while (at < len && !strchr(SEPARATORS, word[at]))
		at++;
	return at < len ? at + 1 : len;
}

/**
 * wrap_narrowest() - Columns in which a text has room
 * @text: the text
 * @whole_words: with its words whole, else with their parts whole
 *
 * Return: the columns.
 */
size_t wrap_narrowest(const char *text, bool whole_words)
{
	size_t most = 0;

	while (*text) {
		size_t word = word_len(text), len = whole_words ? word : piece_len(text, word),
		       width = width_of(text, len);

		if (width > most)
			most = width;
		text += len;
		text += strspn(text, " ");
	}
	return most;
}

/* Bytes of a word that fit: to behind the last separator, else all that have room. */
static size_t part_len(const char *word, size_t len, size_t width)
{
	size_t used = 0, columns, at = 0, best = 0;

	while (at < len) {
		size_t bytes = character(word + at, &columns);

		if (at && used + columns > width)
			break;
		used += columns;
		at += bytes;
		if (strchr(SEPARATORS DOTS, word[at - 1]))
			best = at;
	}
	return at == len || !best ? at : best;
}

/*
 * struct paper - what is written
 * @to: its end
 * @used: columns of the last line
 */
struct paper {
	char *to;
	size_t used;
	size_t width;
};

static void end_line(struct paper *paper)
{
	*paper->to++ = '\n';
	paper->used = 0;
}

static void put(struct paper *paper, const char *text, size_t len)
{
	memcpy(paper->to, text, len);
	paper->to += len;
	paper->used += width_of(text, len);
}

/* Write a word, in the line if there is room, in several where none has room for it. */
static void put_word(struct paper *paper, const char *word, size_t len, bool after_blank)
{
	size_t needed = width_of(word, len) + after_blank;

	if (paper->used && paper->used + needed > paper->width)
		end_line(paper);
	else if (after_blank && paper->used)
		put(paper, " ", 1);
	for (size_t part; (part = part_len(word, len, paper->width)) < len; len -= part) {
		put(paper, word, part);
		end_line(paper);
		word += part;
	}
	put(paper, word, len);
}

/**
 * wrap() - Break a text into lines
 * @text: without line breaks
 * @width: columns of a line, 1 or more
 *
 * Return: the text with line breaks, to be freed; NULL without memory.
 */
char *wrap(const char *text, size_t width)
{
	char *wrapped = malloc(2 * strlen(text) + 1);
	struct paper paper = {.to = wrapped, .width = width};
	bool after_blank = false;

	while (wrapped && *text) {
		size_t len = word_len(text);

		put_word(&paper, text, len, after_blank);
		text += len;
		after_blank = *text == ' ';
		text += strspn(text, " ");
	}
	if (wrapped)
		*paper.to = '\0';
	return wrapped;
}

/* Bytes of the colour that begins here (ECMA-48, SGR), which takes no column. */
static size_t colour_len(const char *text)
{
	size_t len;

	if (strncmp(text, "\033[", 2))
		return 0;
	len = 2 + strspn(text + 2, "0123456789;");
	return text[len] == 'm' ? len + 1 : 0;
}

/* Bytes of a text that have room: up to a blank; of a word that has none in any line, all. */
static size_t fitting_len(const char *text, size_t len, size_t width)
{
	size_t used = 0, best = 0, columns;

	for (size_t at = 0; at < len; used += columns) {
		size_t colour = colour_len(text + at);

		if (text[at] == ' ' && (used <= width || !best))
			best = at;
		columns = 0;
		at += colour ? colour : character(text + at, &columns);
	}
	return used <= width || !best ? len : best;
}

/* Bytes of a text without the blanks at its end. */
static size_t trimmed_len(const char *text, size_t len)
{
	while (len && text[len - 1] == ' ')
		len--;
	return len;
}

/* Print a line. */
static void print_line(const char *line, size_t len, const struct wrap_lines *lines, FILE *file)
{
	size_t margin = strspn(line, " "), indent = margin;

	len = trimmed_len(line, len);
	for (size_t at = margin < len ? margin : len, part; at < len; at += part) {
		part = fitting_len(line + at, len - at,
				   lines->width > margin ? lines->width - margin : 1);
		fprintf(file, "%*s%.*s\n", (int)margin, "", (int)trimmed_len(line + at, part),
			line + at);
		part += strspn(line + at + part, " ");
		margin = indent + lines->hang;
	}
	if (!len)
		fputc('\n', file);
}

/**
 * wrap_print() - Print lines of text, those that are too long in several
 * @text: with line breaks and colours; blanks within lines stay
 * @lines: how wide they are
 * @file: where to; a failure to write stays in its own error flag
 */
void wrap_print(const char *text, const struct wrap_lines *lines, FILE *file)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		print_line(text, len, lines, file);
		text += len + (text[len] == '\n');
	}
}
