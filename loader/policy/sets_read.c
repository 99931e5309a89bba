/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/sets_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD_MAX   256 /* bytes of a word of a list, far more than a prefix has */
#define READ_BYTES 65536

/* Give the elements of the word before a time, but for those that have one of their own. */
static int set_time(struct sets_reader *reader, const char *word, struct error *error)
{
	struct sets_change *change = reader->change;
	uint64_t timeout_ns;
	int err = set_timeout_parse(word, &timeout_ns, error);

	if (err)
		return err;
	for (; reader->first < change->n_elements; reader->first++)
		if (!change->elements[reader->first].timeout_ns)
			change->elements[reader->first].timeout_ns = timeout_ns;
	reader->expects_time = false;
	return 0;
}

/* The word "timeout" has come. */
static int expect_time(struct sets_reader *reader, struct error *error)
{
	if (reader->change->operation == SETS_DEL)
		return error_input(error, SET_TIMEOUT ": is for elements that are added");
	if (reader->first == reader->change->n_elements)
		return error_input(error, SET_TIMEOUT ": no address or prefix stands before it");
	reader->expects_time = true;
	return 0;
}

/**
 * sets_read_word() - Read a word of a change
 * @reader: where it goes
 * @word: as the user wrote it: an address, a prefix, "timeout", or what follows that
 * @error: what is wrong with it
 *
 * Return: 0, -EINVAL (invalid input), -E2BIG or -ENOMEM.
 */
int sets_read_word(struct sets_reader *reader, const char *word, struct error *error)
{
	struct sets_change *change = reader->change;
	struct set_element element = {.timeout_ns = 0};

	if (reader->expects_time)
		return set_time(reader, word, error);
	if (!strcmp(word, SET_TIMEOUT))
		return expect_time(reader, error);
	if (change->n_elements == reader->room) {
		size_t more = reader->room * 2 + 64;
		struct set_element *larger = realloc(change->elements, more * sizeof(*larger));

		if (!larger)
			return error_no_memory(error);
		change->elements = larger;
		reader->room = more;
	}
	if (change->n_elements == SETS_ELEMENTS_MAX)
		return error_input(error, "more than %d prefixes at once", SETS_ELEMENTS_MAX);
	if (prefix_parse(word, &element.prefix, error)) {
		error->invalid_input = true;
		return -error->code;
	}
	reader->first = change->n_elements;
	change->elements[change->n_elements++] = element;
	return 0;
}

/**
 * sets_read_end() - See whether all words have come
 *
 * Return: 0 or -EINVAL (invalid input).
 */
int sets_read_end(const struct sets_reader *reader, struct error *error)
{
	if (reader->expects_time)
		return error_input(error, SET_TIMEOUT ": for how long is missing, such as 10m");
	return 0;
}

/* A word of standard input on its way. */
struct word {
	char text[WORD_MAX];
	size_t len;
	unsigned int line, column; /* of its first byte */
};

/* Read the word that has come to its end. */
static int end_word(struct word *word, struct sets_reader *reader, struct error *error)
{
	struct error why;
	int err;

	if (!word->len)
		return 0;
	word->text[word->len] = '\0';
	for (size_t i = 0; i < word->len; i++)
		if (!isgraph((unsigned char)word->text[i]))
			word->text[i] = '?'; /* the message is one line */
	word->len = 0;
	err = sets_read_word(reader, word->text, &why);
	if (!err)
		return 0;
	error_set(error, why.code, "-:%u:%u: %s", word->line, word->column, why.text);
	error->invalid_input = error->in_file = true;
	return -error->code;
}

/* The last word of the file; a timeout that follows is for all its elements. */
static int end_file(struct word *word, struct sets_reader *reader, size_t first,
		    struct error *error)
{
	int err = end_word(word, reader, error);

	if (!err)
		err = sets_read_end(reader, error);
	reader->first = first;
	return err;
}

/**
 * sets_read_file() - Read the words of a file
 * @reader: where they go
 * @fd: the file: words with white space or commas between them; the rest of a line from # on is
 *	not read
 * @error: "-:LINE:COLUMN: what", or why it cannot be read
 *
 * Return: 0 or -errno.
 */
int sets_read_file(struct sets_reader *reader, int fd, struct error *error)
{
	struct word word = {.len = 0};
	unsigned int line = 1, column = 0;
	size_t first = reader->change->n_elements;
	bool is_comment = false;
	char buffer[READ_BYTES];
	ssize_t got;
	int err;

	reader->first = first; /* what stands before the file gets no time from within it */
	while ((got = read(fd, buffer, sizeof(buffer))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, errno, "-: %s", strerror(errno));
		for (ssize_t i = 0; i < got; i++) {
			char c = buffer[i];

			column++;
			is_comment = c != '\n' && (is_comment || c == '#');
			if (is_comment || c == ',' || isspace((unsigned char)c)) {
				err = end_word(&word, reader, error);
				if (err)
					return err;
			} else if (word.len < WORD_MAX - 1) {
				if (!word.len)
					word.line = line, word.column = column;
				word.text[word.len++] = c;
			}
			if (c == '\n')
				line++, column = 0;
		}
	}
	return end_file(&word, reader, first, error);
}
