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

struct reach_printer;

struct reach_printer *reach_printer_new(FILE *file, bool json, const struct inquiry *inquiry);
int reach_printer_rule(void *arg, const struct reach_rule *rule);
int reach_printer_end(struct reach_printer *printer, struct error *error);
void reach_printer_free(struct reach_printer *printer);
json_t *witness_json(const struct witness *witness);

#endif /* SHRIKE_CLI_REACH_PRINT_H */
