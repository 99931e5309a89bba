/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/reader.h"

#include <errno.h>
#include <string.h>

/* peers put text into the map as they like, their version for one, and none may spoil the map by a NUL */
#define LOAD_FLAGS                                                                                 \
	(JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* Note what is wrong at an offset of the text. */
static int fail_at(struct reader *reader, size_t pos, const char *what)
{
	unsigned int line = 1, column = 1;

	for (size_t i = 0; i < pos && i < reader->len; i++) {
		column++;
		if (reader->text[i] == '\n')
			line++, column = 1;
	}
	error_input(reader->error, "%.256s:%u:%u: %.160s", reader->path, line, column, what);
	reader->error->in_file = true;
	return -EINVAL;
}

/**
 * reader_peek() - The first character of what comes next, '\0' at the end of the text
 */
int reader_peek(struct reader *reader)
{
	while (reader->pos < reader->len && strchr(" \t\r\n", reader->text[reader->pos]) &&
	       reader->text[reader->pos])
		reader->pos++;
	return reader->pos < reader->len ? (unsigned char)reader->text[reader->pos] : '\0';
}

/* Go past a character, if it comes next. */
static bool take(struct reader *reader, char c)
{
	if (reader_peek(reader) != c)
		return false;
	reader->pos++;
	return true;
}

/**
 * reader_value() - Read the value that comes next as a tree
 * @reader: the text
 * @value: set to a new reference
 *
 * Return: 0 or -EINVAL.
 */
int reader_value(struct reader *reader, json_t **value)
{
	json_error_t where;
	json_t *loaded;

	reader_peek(reader); /* so that positions count from a value */
	loaded = json_loadb(reader->text + reader->pos, reader->len - reader->pos, LOAD_FLAGS,
			    &where);
	if (!loaded)
		return fail_at(reader,
			       reader->pos + (where.position > 0 ? (size_t)where.position : 0),
			       where.text);
	reader->pos += (size_t)where.position;
	*value = loaded;
	return 0;
}

/* Read the key of a member, and the colon behind it. */
static int read_key(struct reader *reader, json_t *seen, json_t **key)
{
	size_t pos;
	int err;

	if (reader_peek(reader) != '"')
		return fail_at(reader, reader->pos, "a key in quotes is expected");
	pos = reader->pos;
	err = reader_value(reader, key);
	if (err)
		return err;
	if (strlen(json_string_value(*key)) != json_string_length(*key))
		err = fail_at(reader, pos, "NUL in an object key");
	else if (json_object_get(seen, json_string_value(*key)))
		err = fail_at(reader, pos, "duplicate object key");
	else if (!take(reader, ':'))
		err = fail_at(reader, reader->pos, "':' is expected");
	else if (json_object_set_new(seen, json_string_value(*key), json_true()))
		err = error_no_memory(reader->error);
	if (err)
		json_decref(*key);
	return err;
}

/**
 * reader_object() - Read the object that comes next, member by member
 * @reader: the text; '{' comes next
 * @member: reads the value of each member
 * @arg: for @member
 *
 * Return: 0, -EINVAL, -ENOMEM, or what @member returned.
 */
int reader_object(struct reader *reader, reader_member_fn member, void *arg)
{
	json_t *seen = json_object(), *key;
	int err = seen ? 0 : error_no_memory(reader->error);
	bool more;

	take(reader, '{');
	more = !err && !take(reader, '}');
	while (more) {
		err = read_key(reader, seen, &key);
		if (err)
			break;
		err = member(reader, json_string_value(key), arg);
		json_decref(key);
		more = !err && take(reader, ',');
		if (!err && !more && !take(reader, '}'))
			err = fail_at(reader, reader->pos, "',' or '}' is expected");
	}
	json_decref(seen);
	return err;
}

/* Read an item of a list, and pass it on. */
static int read_item(struct reader *reader, const char *name, size_t index, reader_item_fn item,
		     void *arg)
{
	json_t *value;
	int err = reader_value(reader, &value);

	if (err)
		return err;
	if (json_is_object(value))
		err = item(index, value, arg);
	else
		err = error_input(reader->error, "%.256s: %s[%zu] is not an object", reader->path,
				  name, index);
	json_decref(value);
	return err;
}

/**
 * reader_list() - Read the list of objects that comes next, item by item; null is an empty one
 * @reader: the text
 * @name: of the list, for messages
 * @item: takes each item
 * @arg: for @item
 *
 * Return: 0, -EINVAL, or what @item returned.
 */
int reader_list(struct reader *reader, const char *name, reader_item_fn item, void *arg)
{
	json_t *value;
	bool more;
	int err;

	if (!take(reader, '[')) {
		err = reader_value(reader, &value);
		if (err)
			return err;
		if (!json_is_null(value))
			err = error_input(reader->error, "%.256s: %s is not a list", reader->path,
					  name);
		json_decref(value);
		return err;
	}
	err = 0;
	more = !take(reader, ']');
	for (size_t index = 0; more; index++) {
		err = read_item(reader, name, index, item, arg);
		more = !err && take(reader, ',');
		if (!err && !more && !take(reader, ']'))
			err = fail_at(reader, reader->pos, "',' or ']' is expected");
	}
	return err;
}

/**
 * reader_end() - See that nothing comes next
 *
 * Return: 0 or -EINVAL.
 */
int reader_end(struct reader *reader)
{
	return reader_peek(reader) || reader->pos < reader->len
		       ? fail_at(reader, reader->pos, "nothing more is expected")
		       : 0;
}
