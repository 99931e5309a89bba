/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flight recorder holds (recorder.h), read while the programs write it.
 */
#ifndef SHRIKE_TRACE_RECORDED_H
#define SHRIKE_TRACE_RECORDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "kernel/map_set.h"
#include "recorder.h"
#include "trace_event.h"

#define RECORDED_HEADERS_MAX 128 /* of a packet */

/*
 * struct recorded_totals - what has come to the recorder, packets of drops and new flows
 * @bytes: that it has
 * @records: made of these
 * @beyond: packets and flows without addresses, as there were too many kinds
 * @forgotten: packets and flows of records that were written over
 */
struct recorded_totals {
	uint64_t bytes;
	uint64_t records;
	uint64_t beyond;
	uint64_t forgotten;
};

int recorded_read(const struct map_set *maps, struct record **records, size_t *n,
		  struct error *error);
int recorded_totals_read(const struct map_set *maps, struct recorded_totals *totals,
			 struct error *error);
uint64_t recorded_last_ns(const struct record *record);
void recorded_event(const struct record *record, struct trace_event *event);
bool recorded_headers(const struct record *record, uint8_t bytes[RECORDED_HEADERS_MAX],
		      size_t *len);

#endif /* SHRIKE_TRACE_RECORDED_H */
