/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the records of a flow log go: a file, the journal, a collector.
 */
#ifndef SHRIKE_FLOWLOG_SINK_H
#define SHRIKE_FLOWLOG_SINK_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "conntrack/event_print.h"
#include "conntrack/flow_log.h"
#include "flow_event.h"

struct sink;

/*
 * struct sink_ops - what each kind of sink does its own way
 * @add: append a record to the batch; 0 or -ENOMEM
 * @add_losses: append that records are missing; 0 or -ENOMEM
 * @open: have something to write to, before a batch is written; 0 or -errno
 * @flush: write the batch, or the rest of it; on failure it stays, for another attempt; 0 or -errno
 * @file: what is written to, where that is a file that can be cut; else NULL, or the function is
 * @cut: shorten the file
 * @reopen: begin a new file where another process has moved it away; NULL: nothing to do
 * @free: end
 */
struct sink_ops {
	int (*add)(struct sink *sink, const struct flow_event *event,
		   const struct flow_event_names *names);
	int (*add_losses)(struct sink *sink, const struct flow_log_losses *losses,
			  uint64_t time_ns);
	int (*open)(struct sink *sink, struct error *error);
	int (*flush)(struct sink *sink, struct error *error);
	const struct stat *(*file)(struct sink *sink);
	int (*cut)(struct sink *sink, off_t bytes, struct error *error);
	void (*reopen)(struct sink *sink);
	void (*free)(struct sink *sink);
};

/* The first member of each kind of sink. */
struct sink {
	const struct sink_ops *ops;
	char interface[16];
};

void *sink_new(size_t bytes, const struct sink_ops *ops, const char *interface,
	       struct error *error);

#endif /* SHRIKE_FLOWLOG_SINK_H */
