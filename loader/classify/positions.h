/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules to positions of the rows, and the layout of rows.
 */
#ifndef SHRIKE_CLASSIFY_POSITIONS_H
#define SHRIKE_CLASSIFY_POSITIONS_H

#include "classify/compile.h"

int positions_make(struct build *build);
void positions_free(struct build *build);

#endif /* SHRIKE_CLASSIFY_POSITIONS_H */
