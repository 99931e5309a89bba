/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `top` shows, as JSON.
 */
#ifndef SHRIKE_CLI_TOP_JSON_H
#define SHRIKE_CLI_TOP_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "cli/top_view.h"

json_t *top_json(const struct top_view *view, size_t max_rows);

#endif /* SHRIKE_CLI_TOP_JSON_H */
