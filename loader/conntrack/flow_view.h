/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One flow of the connection tables (flow.h), whatever its table, and its age.
 *
 * A struct flow_view hides family, protocol and tier; the opener of a flow comes first in it.
 */
#ifndef SHRIKE_CONNTRACK_FLOW_VIEW_H
#define SHRIKE_CONNTRACK_FLOW_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "instance.h"

/* What decides which flows are alive. */
struct flow_clock {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint64_t timeout_ns[FLOW_STATE_MAX];
};

/*
 * struct flow_view - one flow, whatever its table
 * @flow: the entry; valid only while the view is being visited
 * @addr: the opener's address, the other end's (IPv4 v4-mapped)
 * @port: likewise, host byte order; 0 for ICMP
 * @icmp_id: host byte order; 0 unless ICMP
 * @idle_ns: since the last packet
 * @remaining_ns: until the timeout; 0 where it is reached
 * @rule: number of the deciding rule, RULE_NONE
 * @state: enum flow_state; FLOW_STATE_NONE for values this version does not know
 */
struct flow_view {
	const struct flow *flow;
	union addr addr[2];
	uint64_t idle_ns;
	uint64_t remaining_ns;
	uint32_t rule;
	uint16_t port[2];
	uint16_t icmp_id;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t state;
	bool confirmed;
	bool expired; /* idle for strictly longer than the timeout */
};

int64_t flow_overdue_ns(const struct flow *flow, const struct flow_clock *clock);
void flow_clock_read(const struct instance *instance, struct flow_clock *clock);

#endif /* SHRIKE_CONNTRACK_FLOW_VIEW_H */
