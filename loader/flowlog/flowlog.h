/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the ring of the flow log to a sink, by batches.
 */
#ifndef SHRIKE_FLOWLOG_FLOWLOG_H
#define SHRIKE_FLOWLOG_FLOWLOG_H

#include <stdint.h>

#include "base/error.h"
#include "flowlog/sink.h"

/*
 * struct flowlog_settings - what is read, and where to
 * @ifindex: the interface
 * @ifname: its name
 * @drops_per_s: drops that the log gets in a second
 * @sink: where to; is freed with the flow log
 * @numeric: without the names that a policy gives to addresses
 */
struct flowlog_settings {
	int ifindex;
	const char *ifname;
	uint64_t drops_per_s;
	struct sink *sink;
	bool numeric;
};

struct flowlog;

struct flowlog *flowlog_open(const struct flowlog_settings *settings, struct error *error);
int flowlog_fd(const struct flowlog *flowlog);
bool flowlog_is_full(const struct flowlog *flowlog);
int flowlog_write(struct flowlog *flowlog, struct error *error);
int flowlog_look(struct flowlog *flowlog, struct error *error);
void flowlog_reopen(struct flowlog *flowlog);
void flowlog_close(struct flowlog *flowlog);

#endif /* SHRIKE_FLOWLOG_FLOWLOG_H */
