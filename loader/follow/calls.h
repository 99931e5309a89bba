/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that following takes.
 */
#ifndef SHRIKE_FOLLOW_CALLS_H
#define SHRIKE_FOLLOW_CALLS_H

#include "process/privileges.h"

extern const struct system_calls follow_calls;

#endif /* SHRIKE_FOLLOW_CALLS_H */
