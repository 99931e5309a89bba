/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The JSON text of a network map, value by value: of a map with a hundred thousand rules only one
 * is in memory as a tree at a time.
 */
#ifndef SHRIKE_NETBIRD_READER_H
#define SHRIKE_NETBIRD_READER_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/*
 * struct reader - a text that is being read
 * @path: of the file, for messages
 * @text: JSON in UTF-8; need not end with a NUL
 * @len: of @text in bytes
 * @pos: offset of what comes next
 * @error: set on failure, with line and column
 */
struct reader {
	const char *path;
	const char *text;
	size_t len;
	size_t pos;
	struct error *error;
};

/* Reads the value of a member, by one of the functions below.  Returns 0 or -errno. */
typedef int (*reader_member_fn)(struct reader *reader, const char *key, void *arg);

/* Takes the item of a list, an object.  Returns 0 or -errno, with the reader's error set. */
typedef int (*reader_item_fn)(size_t index, const json_t *item, void *arg);

int reader_peek(struct reader *reader);
int reader_value(struct reader *reader, json_t **value);
int reader_object(struct reader *reader, reader_member_fn member, void *arg);
int reader_list(struct reader *reader, const char *name, reader_item_fn item, void *arg);
int reader_end(struct reader *reader);

#endif /* SHRIKE_NETBIRD_READER_H */
