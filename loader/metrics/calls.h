/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that serving metrics takes.
 */
#ifndef SHRIKE_METRICS_CALLS_H
#define SHRIKE_METRICS_CALLS_H

#include "process/privileges.h"

extern const struct system_calls metrics_calls;

#endif /* SHRIKE_METRICS_CALLS_H */
