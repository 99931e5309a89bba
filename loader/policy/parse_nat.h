/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The key nat of a policy file.
 */
#ifndef SHRIKE_POLICY_PARSE_NAT_H
#define SHRIKE_POLICY_PARSE_NAT_H

#include "policy/parse_context.h"

int parse_nat(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_part_nat(const struct yaml_reader *in, const struct yaml_node *node, void *to);

#endif /* SHRIKE_POLICY_PARSE_NAT_H */
