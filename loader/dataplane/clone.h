/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking the programs of a policy what they would do with a packet.
 *
 * A clone of a generation, loaded for this purpose, judges on the connections and counters of the
 * generation in force, but writes nothing: no connection, counter or timer changes.  Its trace
 * records go to a buffer of its own.
 */
#ifndef SHRIKE_DATAPLANE_CLONE_H
#define SHRIKE_DATAPLANE_CLONE_H

#include "dataplane/attached.h"
#include "dataplane/generation_rules.h"
#include "dataplane/test_run.h"

struct clone {
	struct generation *generation; /* a dry run that traces */

	/* private to clone.c */
	struct perf_buffer *records;
	struct rule_view *rules; /* by number */
	size_t n_rules;
};

int clone_open(struct generation *generation, struct testrun *testrun, struct clone *clone,
	       struct error *error);
int clone_open_attached(const struct attached *attached, struct testrun *testrun,
			struct clone *clone, struct error *error);
int clone_open_silent(const struct attached *attached, struct clone *clone, struct error *error);
int clone_ask(const struct clone *clone, struct testrun *testrun,
	      const struct testrun_packet *packet, struct error *error);
const struct rule_view *clone_rule(const struct clone *clone, uint32_t number);
void clone_close(struct clone *clone);

#endif /* SHRIKE_DATAPLANE_CLONE_H */
