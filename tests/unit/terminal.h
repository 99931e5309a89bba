/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A terminal that a test prints on.
 */
#ifndef SHRIKE_TESTS_TERMINAL_H
#define SHRIKE_TESTS_TERMINAL_H

#include <stdio.h>

#define TERMINAL_TEXT_MAX 2048

struct terminal {
	FILE *file;
	int shown_fd;
	unsigned short width;
};

void terminal_open(struct terminal *terminal, unsigned short width);
void terminal_read(struct terminal *terminal, int lines, char text[TERMINAL_TEXT_MAX]);
void terminal_close(struct terminal *terminal);

#endif /* SHRIKE_TESTS_TERMINAL_H */
