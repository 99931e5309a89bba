/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classes to rows.
 */
#ifndef SHRIKE_CLASSIFY_ROWS_H
#define SHRIKE_CLASSIFY_ROWS_H

#include "classify/compile.h"

int rows_start(struct build *build, enum classify_dimension dimension);
int rows_add(struct build *build, enum classify_dimension dimension);
int rows_add_full(struct build *build, enum classify_dimension dimension);
bool rows_are_dense(const struct build *build);
int rows_finish(struct build *build);

#endif /* SHRIKE_CLASSIFY_ROWS_H */
