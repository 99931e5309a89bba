/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The meaning of a policy's rules, rule by rule and bit by bit: what the classifier is judged by.
 */
#ifndef SHRIKE_TESTS_MODEL_ORACLE_H
#define SHRIKE_TESTS_MODEL_ORACLE_H

#include "classify/classifier.h"

uint32_t oracle_lookup(const struct policy *policy, const struct prefix *overlay, size_t n_overlay,
		       const struct classifier_key *key, enum acl acl);

#endif /* SHRIKE_TESTS_MODEL_ORACLE_H */
