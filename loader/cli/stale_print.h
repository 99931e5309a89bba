/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins of network namespaces that are gone (kernel/stale_pins.h), as commands name them.
 */
#ifndef SHRIKE_CLI_STALE_PRINT_H
#define SHRIKE_CLI_STALE_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

int stale_list(bool remove, json_t **list, struct error *error);
bool stale_describe(char *text, size_t size);

#endif /* SHRIKE_CLI_STALE_PRINT_H */
