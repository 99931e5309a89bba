/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "yaml/position.h"

/**
 * place_find() - The file that a position is in
 * @places: lines that are those of other files
 * @n: of @places
 * @path: the file that all other lines are of
 * @at: a position in the text; becomes that in the file
 *
 * Return: the file.
 */
const char *place_find(const struct place *places, size_t n, const char *path, struct position *at)
{
	for (size_t i = 0; i < n; i++) {
		if (at->line < places[i].first || at->line > places[i].last)
			continue;
		at->line -= places[i].first - 1;
		at->column -= at->column > places[i].indent ? places[i].indent : 0;
		return places[i].path;
	}
	return path;
}
