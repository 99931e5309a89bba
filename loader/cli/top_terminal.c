/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/top_terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h> /* whose macros have names as "lines" */

#include "base/output.h"

#define ESCAPE_DELAY_MS 25 /* between the bytes of a key */

/* Whether the terminal can put text anywhere, which a screen takes. */
static bool can_address(void)
{
	const char *sequence = tigetstr("cup");

	return sequence && sequence != (char *)-1;
}

static bool start_colours(void)
{
	if (!output_wants_colour(stdout) || !has_colors() || start_color() == ERR)
		return false;
	use_default_colors();
	init_pair(TOP_COLOUR_DROP, COLOR_RED, -1);
	init_pair(TOP_COLOUR_TITLE, COLOR_CYAN, -1);
	return true;
}

/**
 * top_terminal_open() - Take the terminal of standard input and output
 * @terminal: all zero; is filled, for top_terminal_close()
 * @error: set on failure
 *
 * Return: 0; -ENOTTY: there is none that can be drawn on.
 */
int top_terminal_open(struct top_terminal *terminal, struct error *error)
{
	const char *type = getenv("TERM");

	setlocale(LC_CTYPE, ""); /* what the terminal takes */
	terminal->is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	terminal->screen = type ? newterm(NULL, stdout, stdin) : NULL;
	if (!terminal->screen || !can_address()) {
		top_terminal_close(terminal);
		return error_set(error, ENOTTY,
				 "terminal '%.32s' cannot be drawn on: use --batch, or set TERM",
				 type ? type : "");
	}
	terminal->has_colours = start_colours();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_DELAY_MS);
	curs_set(0);
	terminal->can_draw = true;
	return 0;
}

/**
 * top_terminal_colour() - How to draw what has a colour
 * @terminal: the terminal
 * @colour: the colour, where it has any
 * @attributes: besides
 */
attr_t top_terminal_colour(const struct top_terminal *terminal, enum top_colour colour,
			   attr_t attributes)
{
	return terminal->has_colours ? COLOR_PAIR(colour) | attributes : attributes;
}

/**
 * top_terminal_release() - Give the terminal back for now; refresh() takes it again
 *
 * A terminal that has no second screen shows what was drawn; who writes next begins an empty line.
 */
void top_terminal_release(void)
{
	move(LINES - 1, 0);
	clrtoeol();
	refresh();
	endwin();
}

/**
 * top_terminal_close() - Give the terminal back as it was
 * @terminal: opened, or all zero
 */
void top_terminal_close(struct top_terminal *terminal)
{
	if (!terminal->screen)
		return;
	if (terminal->can_draw)
		top_terminal_release();
	else
		endwin();
	delscreen(terminal->screen);
	*terminal = (struct top_terminal){};
}
