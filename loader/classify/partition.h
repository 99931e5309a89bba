/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lists to classes: values that the same lists cover.
 */
#ifndef SHRIKE_CLASSIFY_PARTITION_H
#define SHRIKE_CLASSIFY_PARTITION_H

#include "classify/compile.h"

int partition_start(struct build *build, enum classify_dimension dimension);
int partition_space(struct build *build, enum classify_dimension dimension, enum space space,
		    struct pieces *pieces);
void partition_free(struct dimension *d);
void partition_toggle(struct build *build, struct dimension *d, uint32_t list);
int partition_class(struct build *build, enum classify_dimension dimension, uint32_t *class_id);

#endif /* SHRIKE_CLASSIFY_PARTITION_H */
