/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flow log in systemd's journal: an entry for each record, a field for each key.
 */
#ifndef SHRIKE_FLOWLOG_JOURNAL_SINK_H
#define SHRIKE_FLOWLOG_JOURNAL_SINK_H

#include "flowlog/sink.h"

struct sink *journal_sink_new(const char *interface, struct error *error);

#endif /* SHRIKE_FLOWLOG_JOURNAL_SINK_H */
