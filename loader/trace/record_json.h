/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a trace record says, as JSON for `trace` and `simulate`; shrike-json(5) documents it.
 */
#ifndef SHRIKE_TRACE_RECORD_JSON_H
#define SHRIKE_TRACE_RECORD_JSON_H

#include <jansson.h>

#include "trace/record_print.h"

json_t *record_json(const struct trace_event *event, const struct record_names *names);
json_t *record_result_json(const struct record_result *result);

#endif /* SHRIKE_TRACE_RECORD_JSON_H */
