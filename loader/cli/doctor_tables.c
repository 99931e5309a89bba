/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is there room for more connections?
 */
#include <inttypes.h>

#include "base/names.h"
#include "cli/doctor.h"
#include "conntrack/census.h"

#define FULL_PERCENT 90 /* `run` makes room from 95 on, and leaves 85 or more */

/* The key of limits that a table's size comes from. */
static const char *limit_of(const struct conntrack_table *table, char number[FLOW_PROTOCOL_NUMBER])
{
	if (table->l4_proto == CONNTRACK_OTHER)
		return flow_state_name(FLOW_STATE_OTHER);
	return flow_protocol_name(table->l4_proto, table->ip_version, number);
}

/**
 * doctor_check_tables() - Find tables of confirmed connections that are as good as full
 * @report: gets what is found
 * @attached: the interface
 */
void doctor_check_tables(struct report *report, const struct attached *attached)
{
	struct flow_clock clock;
	struct census census;
	struct error error;
	bool has_room = true;

	flow_clock_read(&attached->instance, &clock);
	if (census_take(&attached->maps, &clock, &census, &error)) {
		find(report, FINDING_NOTE, "tables", "%s", error.text);
		return;
	}
	for (size_t i = 0; i < census.conntrack.n; i++) {
		const struct conntrack_table *table = &census.conntrack.tables[i];
		char number[FLOW_PROTOCOL_NUMBER];
		uint64_t flows = 0;

		for (int state = 0; state < FLOW_STATE_MAX; state++)
			flows += census.flows[i][state];
		if (!table->confirmed || flows * 100 < (uint64_t)table->max_entries * FULL_PERCENT)
			continue;
		has_room = false;
		find(report, FINDING_NOTE, "tables",
		     "that of %s over IPv%u is full, %" PRIu64
		     " of %u connections: raise limits.%s, "
		     "or look who has most",
		     limit_of(table, number), table->ip_version, flows, table->max_entries,
		     limit_of(table, number));
	}
	if (has_room)
		find(report, FINDING_OK, "tables", "room for connections of every protocol");
}
