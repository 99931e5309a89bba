/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The log of `run`: lines on standard output and standard error, with priorities where a journal
 * reads them (sd-daemon(3), JOURNAL_STREAM of systemd.exec(5)).
 */
#ifndef SHRIKE_CLI_LOG_PRINT_H
#define SHRIKE_CLI_LOG_PRINT_H

#include <stdbool.h>

#include "base/error.h"
#include "daemon/log.h"

bool log_is_journal(void);
int log_set_level(const char *text, struct error *error);
void log_print(const char *text, enum log_level level);
void log_warn(const char *text, void *unused);

#endif /* SHRIKE_CLI_LOG_PRINT_H */
