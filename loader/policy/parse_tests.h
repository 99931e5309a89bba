/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_POLICY_PARSE_TESTS_H
#define SHRIKE_POLICY_PARSE_TESTS_H

#include "policy/parse_context.h"

int parse_tests(const struct yaml_reader *in, const struct yaml_node *node, void *to);

#endif /* SHRIKE_POLICY_PARSE_TESTS_H */
