/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where something stands in a file.
 */
#ifndef SHRIKE_YAML_POSITION_H
#define SHRIKE_YAML_POSITION_H

#include <stddef.h>

struct position {
	unsigned int line; /* from 1 */
	unsigned int column;
};

/*
 * struct place - lines of a text that are those of another file
 * @path: of that file
 * @first: line of the text that is the file's first
 * @last: that is its last
 * @indent: blanks that are in front of the file's lines
 */
struct place {
	char *path;
	unsigned int first;
	unsigned int last;
	unsigned int indent;
};

const char *place_find(const struct place *places, size_t n, const char *path, struct position *at);

#endif /* SHRIKE_YAML_POSITION_H */
