/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that relaying takes.
 */
#ifndef SHRIKE_FORWARD_CALLS_H
#define SHRIKE_FORWARD_CALLS_H

#include "process/privileges.h"

extern const struct system_calls forward_calls;

#endif /* SHRIKE_FORWARD_CALLS_H */
