/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/wrap.h"

#define WIDTH_MIN 40 /* narrower terminals break lines themselves */
#define HANG	  4  /* further than its line begins, what is left of it goes on */

/* What is held: stdout is in memory, and the terminal is another stream. */
static struct {
	FILE *terminal; /* NULL: nothing is */
	char *text;
	size_t len;
	bool keeps_lines; /* whatever their length */
} held;

static FILE *behind(FILE *file)
{
	return held.terminal && file == stdout ? held.terminal : file;
}

/**
 * screen_is_terminal() - Whether people read a stream at a terminal
 */
bool screen_is_terminal(FILE *file)
{
	return isatty(fileno(behind(file)));
}

/**
 * screen_width() - Columns that lines of a stream may have
 * @file: the stream
 *
 * Return: 40 or more; 0: any number, as it is no terminal, or one without a size.
 */
size_t screen_width(FILE *file)
{
	struct winsize size;

	if (!screen_is_terminal(file) || ioctl(fileno(behind(file)), TIOCGWINSZ, &size) ||
	    !size.ws_col)
		return 0;
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

/**
 * screen_write() - Write lines now, so that they fit where they are read at a terminal
 * @text: whole lines
 * @file: where to; a failure to write stays in its own error flag
 */
void screen_write(const char *text, FILE *file)
{
	const struct wrap_lines lines = {.width = screen_width(file), .hang = HANG};

	if (lines.width)
		wrap_print(text, &lines, file);
	else
		fputs(text, file);
}

/**
 * screen_hold() - Keep what is written to stdout from now on for screen_release(), if it is a terminal
 */
void screen_hold(void)
{
	FILE *memory;

	if (held.terminal || !screen_width(stdout))
		return;
	memory = open_memstream(&held.text, &held.len);
	if (!memory) /* lines stay as they are */
		return;
	held.terminal = stdout;
	stdout = memory; /* a variable, says the GNU C Library's manual of "Standard Streams" */
}

/**
 * screen_keep_lines() - Write what screen_hold() keeps as it is: programs read it
 */
void screen_keep_lines(void)
{
	held.keeps_lines = true;
}

/**
 * screen_release() - Write what screen_hold() has kept, in lines that fit
 *
 * A failure to write stays in stdout's own error flag.
 */
void screen_release(void)
{
	struct wrap_lines lines = {.hang = HANG};

	if (!held.terminal)
		return;
	lines.width = screen_width(stdout);
	fclose(stdout);
	stdout = held.terminal;
	held.terminal = NULL;
	if (held.text && held.keeps_lines)
		fwrite(held.text, 1, held.len, stdout);
	else if (held.text)
		wrap_print(held.text, &lines, stdout);
	free(held.text);
	held.text = NULL;
}
