/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text as wide as there is room for.
 *
 * Lines end at blanks and after commas, which lists have.  What is in between, a word such as an address
 * or an id, is broken where it has no room by itself: between its parts, and at last anywhere.
 */
#ifndef SHRIKE_BASE_WRAP_H
#define SHRIKE_BASE_WRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * struct wrap_lines - lines to be printed
 * @width: columns that they have
 * @hang: so many further than the line the rest of it begins
 */
struct wrap_lines {
	size_t width;
	size_t hang;
};

size_t wrap_width(const char *text);
size_t wrap_narrowest(const char *text, bool whole_words);
char *wrap(const char *text, size_t width);
void wrap_print(const char *text, const struct wrap_lines *lines, FILE *file);

#endif /* SHRIKE_BASE_WRAP_H */
