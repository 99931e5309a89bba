/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flight recorder holds (recorder.h), read while the programs write it.
 */
#ifndef SHRIKE_TRACE_RECORDED_H
#define SHRIKE_TRACE_RECORDED_H

#include <stddef.h>

#include "base/error.h"
#include "kernel/map_set.h"
#include "recorder.h"
#include "trace_event.h"

int recorded_read(const struct map_set *maps, struct record **records, size_t *n,
		  struct error *error);
uint64_t recorded_last_ns(const struct record *record);
void recorded_event(const struct record *record, struct trace_event *event);

#endif /* SHRIKE_TRACE_RECORDED_H */
