/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules to lists: what each says about each dimension, equal ones once.
 */
#ifndef SHRIKE_CLASSIFY_LISTS_H
#define SHRIKE_CLASSIFY_LISTS_H

#include "classify/compile.h"

int lists_make(struct build *build);
void lists_free(struct build *build);
bool lists_protocol_matches(const struct list *list, enum classify_scope scope, enum space family,
			    uint8_t l4_proto);

#endif /* SHRIKE_CLASSIFY_LISTS_H */
