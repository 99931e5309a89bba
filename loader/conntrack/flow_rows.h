/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections as a table for people at a terminal, a row per flow.
 *
 * A table of a million rows would hold them all before it printed the first, so rows are printed in
 * pages, each with titles and with widths of its own.
 */
#ifndef SHRIKE_CONNTRACK_FLOW_ROWS_H
#define SHRIKE_CONNTRACK_FLOW_ROWS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "conntrack/flow_view.h"
#include "masquerade.h"
#include "policy/names.h"

/*
 * struct flow_rows - rows that are printed in pages
 * @file: where they go
 * @names: of addresses, NULL: they stay numbers
 * @masquerade: what the programs know of the host's uplinks, NULL: nothing
 * @human: counts have units
 * @table: the page, NULL: none has begun
 * @n: rows of it
 */
struct flow_rows {
	FILE *file;
	const struct names *names;
	const struct masquerade *masquerade;
	bool human;
	struct table *table;
	size_t n;
};

int flow_rows_add(struct flow_rows *rows, const struct flow_view *view, const char *rule,
		  struct error *error);
int flow_rows_end(struct flow_rows *rows, struct error *error);
void flow_rows_free(struct flow_rows *rows);
const struct uplink *flow_rows_uplink(const struct masquerade *masquerade, const struct flow *flow);

#endif /* SHRIKE_CONNTRACK_FLOW_ROWS_H */
