/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* All but the text, which may be made of the former one. */
static void begin(struct error *error, int code, bool invalid_input)
{
	error->code = code;
	error->invalid_input = invalid_input;
	error->in_file = false;
	error->line = error->column = 0;
	error->what = 0;
}

/*
 * Keep a text on one line, whatever the user, a file or a file's name has brought into it: what a terminal
 * would take for more than text becomes '?', also the control characters of ISO 6429 above ASCII.
 */
static void keep_to_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		bool is_upper = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

		if (is_upper)
			c[1] = '?';
		if (is_upper || *c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

/**
 * error_set() - Note what went wrong
 * @error: where; a former text is replaced
 * @code: positive errno value
 * @format: printf format of "what: why"
 *
 * Return: -@code, so that callers can return it at once.
 */
int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	begin(error, code, false);
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	keep_to_line(error->text);
	return -code;
}

/**
 * error_input() - Note that the caller's input is at fault
 * @error: where
 * @format: printf format of the sentence
 *
 * Return: -EINVAL.
 */
int error_input(struct error *error, const char *format, ...)
{
	va_list args;

	begin(error, EINVAL, true);
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	keep_to_line(error->text);
	return -EINVAL;
}

/**
 * error_no_memory() - Note that memory ran out
 * @error: where
 *
 * Return: -ENOMEM.
 */
int error_no_memory(struct error *error)
{
	return error_set(error, ENOMEM, "out of memory");
}

/**
 * error_no_memory_for() - Note what memory ran out for
 * @error: where
 * @what: what needed it, such as the path of a file; cut after 256 bytes
 *
 * Return: -ENOMEM.
 */
int error_no_memory_for(struct error *error, const char *what)
{
	return error_set(error, ENOMEM, "%.256s: out of memory", what);
}

/**
 * error_prefix() - Say in front of a sentence what was being done
 * @error: an error that has been set
 * @format: printf format of the words, without the ": " that follows them
 *
 * Return: the error's negative code, unchanged.
 */
int error_prefix(struct error *error, const char *format, ...)
{
	char rest[sizeof(error->text)];
	va_list args;
	size_t len, room;

	memcpy(rest, error->text, sizeof(rest));
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	keep_to_line(error->text);
	len = strlen(error->text);
	room = sizeof(error->text) - len;
	if (room > 2) {
		memcpy(error->text + len, ": ", 3);
		memcpy(error->text + len + 2, rest, room - 2);
		error->text[sizeof(error->text) - 1] = '\0';
		error->what += len + 2;
	}
	return -error->code;
}
