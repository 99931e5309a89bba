/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk of the programs through the tables, in userspace.
 */
#ifndef SHRIKE_CLASSIFY_WALK_H
#define SHRIKE_CLASSIFY_WALK_H

#include "classify/classifier.h"

uint32_t classifier_lookup(const struct classifier *classifier, const struct classifier_key *key,
			   enum acl acl);

#endif /* SHRIKE_CLASSIFY_WALK_H */
