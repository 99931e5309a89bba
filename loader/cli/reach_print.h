/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets of a policy's rules as words and as JSON.
 */
#ifndef SHRIKE_CLI_REACH_PRINT_H
#define SHRIKE_CLI_REACH_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "review/prove.h"
#include "review/reach.h"

json_t *reach_rule_json(const struct inquiry *inquiry, const struct reach_rule *rule);
void reach_rule_print(const json_t *rule, FILE *file);
json_t *witness_json(const struct witness *witness);

#endif /* SHRIKE_CLI_REACH_PRINT_H */
