/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pty.h>
#include <string.h>
#include <unistd.h>

#include "unit/terminal.h"

/**
 * terminal_open() - Have a terminal of 24 lines
 * @terminal: is filled, for terminal_close()
 * @width: its columns
 */
void terminal_open(struct terminal *terminal, unsigned short width)
{
	struct winsize size = {.ws_row = 24, .ws_col = width};
	int fd;

	assert_int_equal(openpty(&terminal->shown_fd, &fd, NULL, NULL, &size), 0);
	terminal->file = fdopen(fd, "w");
	terminal->width = width;
	assert_non_null(terminal->file);
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

/**
 * terminal_read() - What is shown: no line is wider than the terminal, or ends with a blank
 * @terminal: the terminal
 * @lines: so many
 * @text: set to them, each ended by a newline alone; of ASCII
 */
void terminal_read(struct terminal *terminal, int lines, char text[TERMINAL_TEXT_MAX])
{
	struct pollfd wait = {.fd = terminal->shown_fd, .events = POLLIN};
	size_t len = 0;
	char *to = text;

	text[0] = '\0';
	while (count_lines(text) < lines && poll(&wait, 1, 10000) > 0) { /* it comes in pieces */
		ssize_t n = read(terminal->shown_fd, text + len, TERMINAL_TEXT_MAX - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
	}
	for (const char *from = text; *from; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	assert_int_equal(count_lines(text), lines);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t width = strcspn(line, "\n");

		assert_in_range(width, 1, terminal->width);
		assert_int_not_equal(line[width - 1], ' ');
	}
}

/**
 * terminal_close() - Have no terminal any more
 */
void terminal_close(struct terminal *terminal)
{
	fclose(terminal->file);
	close(terminal->shown_fd);
}
