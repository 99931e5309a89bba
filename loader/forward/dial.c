/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a dial may take.
 *
 * As long as the host's TCP has patience with the destination and the peer's TCP has with us: both
 * count their own SYNs.  A peer that sends no more SYNs has given up.
 */
#include "forward/dial.h"

#define PATIENCE_MIN_NS (10 * NS_PER_S) /* before the pauses between its SYNs are known */
#define PATIENCE_GAPS	4		/* pauses double; and one SYN may have been lost */

/**
 * dial_asked() - A SYN has come for a flow that is dialled
 */
void dial_asked(struct worker *w, struct tcp_flow *flow)
{
	flow->syn_gap_ns = flow->syn_ns ? w->now_ns - flow->syn_ns : 0;
	flow->syn_ns = w->now_ns;
}

static bool has_given_up(const struct worker *w, const struct tcp_flow *flow)
{
	uint64_t patience_ns = PATIENCE_GAPS * flow->syn_gap_ns;

	if (patience_ns < PATIENCE_MIN_NS)
		patience_ns = PATIENCE_MIN_NS;
	return w->now_ns - flow->syn_ns > patience_ns;
}

/**
 * dials_expire() - End the dials whose peers have given up
 */
void dials_expire(struct worker *w)
{
	struct flow_entry *entry, *next;

	if (w->now_ns - w->dials_looked_ns < NS_PER_S)
		return;
	w->dials_looked_ns = w->now_ns;
	for (entry = TAILQ_FIRST(&w->dialling); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		if (has_given_up(w, tcp_flow_of(entry)))
			entry->end(w, entry, END_TIMED_OUT);
	}
}
