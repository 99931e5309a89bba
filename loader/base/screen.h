/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal that a command writes to.
 *
 * Lines that are longer than its lines are broken between words, and go on below their text.  A command
 * asks for that with screen_hold(); nothing of what it writes to stdout is seen before screen_release().
 * Where stdout is no terminal both do nothing, so that scripts get whole lines.  Commands that go on write
 * line by line, with screen_write().
 */
#ifndef SHRIKE_BASE_SCREEN_H
#define SHRIKE_BASE_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

bool screen_is_terminal(FILE *file);
size_t screen_width(FILE *file);
void screen_write(const char *text, FILE *file);
void screen_hold(void);
void screen_keep_lines(void);
void screen_release(void);

#endif /* SHRIKE_BASE_SCREEN_H */
