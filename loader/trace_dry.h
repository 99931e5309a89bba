/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking the generation in force on an interface what it would do with a packet.
 *
 * A twin of it, loaded for this purpose, judges on the very maps of the generation in force, but
 * writes nothing: no connection, counter or timer changes.  Its records go to a buffer of its own.
 */
#ifndef SHRIKE_TRACE_DRY_H
#define SHRIKE_TRACE_DRY_H

#include "generation_rules.h"
#include "live.h"
#include "testrun.h"

/*
 * struct trace_dry - one asking; the thread stays on its CPU meanwhile
 * @live: the generation in force
 * @testrun: holds the record of the last packet
 * @rule_id: of the last packet, NULL: no rule or a built-in one
 */
struct trace_dry {
	struct live live;
	struct testrun testrun;
	const char *rule_id;

	/* private to trace_dry.c */
	struct generation *twin;
	struct perf_buffer *records;
	struct rule_view *rules;
	size_t n_rules;
};

int trace_dry_open(int ifindex, struct trace_dry *dry, struct error *error);
int trace_dry_packet(struct trace_dry *dry, const struct testrun_packet *packet,
		     struct error *error);
void trace_dry_close(struct trace_dry *dry);

#endif /* SHRIKE_TRACE_DRY_H */
