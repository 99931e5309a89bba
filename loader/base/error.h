/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Errors with a sentence: everything below the cmd_*.c files returns them and never prints.
 */
#ifndef SHRIKE_BASE_ERROR_H
#define SHRIKE_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * struct error - what went wrong, for one line on stderr
 * @code: positive errno value, 0 while nothing has gone wrong
 * @invalid_input: the caller's input is at fault (exit status 2, not 1)
 * @in_file: @text begins with FILE:LINE:COLUMN
 * @line: of a file, from 1; 0 where the error is not about a place in one
 * @column: from 1
 * @what: of an error with a line: where in @text the place ends and what is wrong begins
 * @text: "what: why", or "FILE:LINE:COLUMN: what" for a file; no newline, no program name
 */
struct error {
	int code;
	bool invalid_input;
	bool in_file;
	unsigned int line;
	unsigned int column;
	size_t what;
	char text[1024];
};

int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int error_input(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_no_memory(struct error *error);
int error_no_memory_for(struct error *error, const char *what);
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* SHRIKE_BASE_ERROR_H */
