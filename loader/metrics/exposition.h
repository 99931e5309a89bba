/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Families of metrics as text: Prometheus' format 0.0.4, or OpenMetrics 1.0.
 *
 * A family is a JSON object, as families.h makes it and `shrike metrics -j` prints it:
 * {"name", "type", "help", "samples": [{"labels": {NAME: TEXT, ...}, "value": INTEGER}, ...]}.  The
 * name is that of its samples, and a family without samples is left out.
 */
#ifndef SHRIKE_METRICS_EXPOSITION_H
#define SHRIKE_METRICS_EXPOSITION_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/* FORMAT(id, type of its content over HTTP) */
#define METRICS_FORMATS(FORMAT)                                                                    \
	FORMAT(TEXT, "text/plain; version=0.0.4; charset=utf-8")                                   \
	FORMAT(OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8")

enum metrics_format {
#define FORMAT(id, type) METRICS_##id,
	METRICS_FORMATS(FORMAT)
#undef FORMAT
		METRICS_FORMAT_MAX,
};

int exposition_write(const json_t *families, enum metrics_format format, char **text, size_t *len,
		     struct error *error);
enum metrics_format exposition_choose(const char *accept);

#endif /* SHRIKE_METRICS_EXPOSITION_H */
