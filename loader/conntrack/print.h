/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections as text, a line per flow in the manner of `conntrack -L`, for people at a terminal as a
 * table (flow_rows.h), or as one JSON array.
 *
 * A printer is made for a million flows: it keeps no flow, or no more than a page, and writes
 * lines and JSON through a buffer of its own.
 */
#ifndef SHRIKE_CONNTRACK_PRINT_H
#define SHRIKE_CONNTRACK_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "conntrack/tables.h"
#include "masquerade.h"
#include "policy/names.h"

/* The id of a rule number, NULL where the policy no longer has it; asked about once per number. */
typedef const char *(*flow_rule_id)(void *arg, uint32_t number);

struct flow_printer;

struct flow_printer *flow_printer_new(FILE *file, bool json, const char *interface,
				      flow_rule_id rule_id, void *arg);
void flow_printer_set_uplinks(struct flow_printer *printer, const struct masquerade *masquerade);
void flow_printer_set_names(struct flow_printer *printer, const struct names *names);
void flow_printer_set_human(struct flow_printer *printer);
int flow_printer_visit(void *printer, const struct flow_view *view);
int flow_printer_end(struct flow_printer *printer, struct error *error);
void flow_printer_free(struct flow_printer *printer);

#endif /* SHRIKE_CONNTRACK_PRINT_H */
