/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `shrike metrics` prints, for `run` to serve.
 */
#ifndef SHRIKE_CLI_CMD_METRICS_H
#define SHRIKE_CLI_CMD_METRICS_H

#include "metrics/report.h"

int metrics_command_collect(const char *ifname, struct metrics_texts *texts, struct error *error);

#endif /* SHRIKE_CLI_CMD_METRICS_H */
