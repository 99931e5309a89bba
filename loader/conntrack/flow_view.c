/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/flow_view.h"

#include "base/clock.h"

/**
 * flow_overdue_ns() - How long a flow has been past its timeout
 * @flow: an entry of a table
 * @clock: now and the timeouts
 *
 * Return: nanoseconds; above 0 the flow is dead, 0 and below it is alive for that much longer.
 */
int64_t flow_overdue_ns(const struct flow *flow, const struct flow_clock *clock)
{
	unsigned int state = flow->state < FLOW_STATE_MAX ? flow->state : FLOW_STATE_NONE;

	/* Signed: another CPU's clock may be a tick ahead of ours. */
	return (int64_t)(clock->now_ns - flow->last_seen_ns - clock->timeout_ns[state]);
}

/**
 * flow_clock_read() - The time now and the timeouts of a generation
 * @instance: the generation
 * @clock: is filled
 */
void flow_clock_read(const struct instance *instance, struct flow_clock *clock)
{
	clock->now_ns = clock_kernel_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < FLOW_STATE_MAX; i++)
		clock->timeout_ns[i] = instance->config.timeout_ns[i];
}
