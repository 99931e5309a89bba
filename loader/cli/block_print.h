/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_CLI_BLOCK_PRINT_H
#define SHRIKE_CLI_BLOCK_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "policy/block_list.h"
#include "policy/names.h"

json_t *block_json(const struct block_list *list, const struct names *names);
void block_print(const json_t *blocked, const char *indent, FILE *file);

#endif /* SHRIKE_CLI_BLOCK_PRINT_H */
