/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's part of a policy: the key `netbird` behind all others, whose rules come after the
 * user's.  The text in force is the user's, byte by byte, with the part put behind it, so that
 * each can be taken out again.
 */
#ifndef SHRIKE_POLICY_PART_H
#define SHRIKE_POLICY_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A policy's text and NetBird's part of it. */
struct part_text {
	char *text; /* NUL-terminated; NULL: there is none */
	size_t len;
};

int part_refuse(const char *path, const struct part_text *own, struct error *error);
bool part_is_in(const char *path, const struct part_text *whole);
int part_join(const char *path, const struct part_text *own, const struct part_text *part,
	      struct part_text *whole, struct error *error);
int part_split(const char *path, const struct part_text *whole, struct part_text *own,
	       struct part_text *part, struct error *error);

#endif /* SHRIKE_POLICY_PART_H */
