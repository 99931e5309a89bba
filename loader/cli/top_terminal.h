/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A terminal that is taken for a full screen, and given back.
 */
#ifndef SHRIKE_CLI_TOP_TERMINAL_H
#define SHRIKE_CLI_TOP_TERMINAL_H

#include <ncurses.h>
#include <stdbool.h>

#include "base/error.h"

enum top_colour {
	TOP_COLOUR_NONE,
	TOP_COLOUR_DROP,
	TOP_COLOUR_TITLE,
};

/* All zero: none. */
struct top_terminal {
	SCREEN *screen;
	bool is_utf8;
	bool has_colours;
	bool can_draw;
};

int top_terminal_open(struct top_terminal *terminal, struct error *error);
attr_t top_terminal_colour(const struct top_terminal *terminal, enum top_colour colour,
			   attr_t attributes);
void top_terminal_release(void);
void top_terminal_close(struct top_terminal *terminal);

#endif /* SHRIKE_CLI_TOP_TERMINAL_H */
