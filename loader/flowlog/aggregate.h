/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sums up dropped packets: those of one sender to one address and port, for one reason.
 */
#ifndef SHRIKE_FLOWLOG_AGGREGATE_H
#define SHRIKE_FLOWLOG_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_event.h"

#define AGGREGATES_MAX 4096

/*
 * struct aggregate - drops that differ in nothing but time, length and the sender's port
 * @sum: as the first one, but time_ns is of the last one and created_ns of the first one; packets
 *	 and bytes are sums, and the port (ICMP: identifier) is 0 where it was not always the same
 * @key: what they have in common
 */
struct aggregate {
	struct flow_event sum;
	struct flow_event key;
};

/* All zero: empty. */
struct aggregates {
	struct aggregate list[AGGREGATES_MAX];
	uint16_t slots[2 * AGGREGATES_MAX]; /* place in the list, and 1 */
	uint32_t n;
};

bool aggregates_add(struct aggregates *aggregates, const struct flow_event *drop);
void aggregates_clear(struct aggregates *aggregates);

#endif /* SHRIKE_FLOWLOG_AGGREGATE_H */
