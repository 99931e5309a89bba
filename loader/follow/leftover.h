/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bundles that the daemon has been asked for by a child that then ended: it makes them all the same, and
 * nobody deletes them.
 */
#ifndef SHRIKE_FOLLOW_LEFTOVER_H
#define SHRIKE_FOLLOW_LEFTOVER_H

#include <stdint.h>

/*
 * struct leftover - all zero: there is none
 * @asked_ns: when the child that runs has asked for a bundle, CLOCK_REALTIME; 0: it waits for none
 * @n: how many others are to be expected
 * @since_ns: when the first of these was asked for, CLOCK_REALTIME
 * @until_ns: how long they are looked for, CLOCK_MONOTONIC
 */
struct leftover {
	uint64_t asked_ns;
	unsigned int n;
	uint64_t since_ns;
	uint64_t until_ns;
};

void leftover_asked(struct leftover *leftover);
void leftover_answered(struct leftover *leftover, const char *path);
void leftover_child_ended(struct leftover *leftover);
void leftover_look(struct leftover *leftover);
void leftover_daemon_gone(struct leftover *leftover);

#endif /* SHRIKE_FOLLOW_LEFTOVER_H */
