/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `shrike trace` says of the next packet of a connection, or of a packet like those dropped.
 */
#ifndef SHRIKE_CLI_TOP_TRACE_H
#define SHRIKE_CLI_TOP_TRACE_H

#include <stdbool.h>

#include "base/error.h"
#include "top/rows.h"

char *top_trace(const char *interface, const struct top_row *row, bool numeric,
		struct error *error);

#endif /* SHRIKE_CLI_TOP_TRACE_H */
