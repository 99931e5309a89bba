/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who makes room where all that peers share is taken: the one that has most of it.
 *
 * What has been idle for longest ends first, datagrams before connections.  For its own sake a peer
 * loses only flows of datagrams, which it may open again without noticing.
 */
#include "forward/displace.h"

/* Kinds of flows that end, and those of the asker's own. */
static const struct {
	enum flow_kind first;
	enum flow_kind end;
	enum flow_kind own_end;
} victims[SHARED_KINDS] = {
	[SHARED_FLOWS] = {FLOW_KIND_UDP, FLOW_KINDS, FLOW_KIND_DIAL},
	[SHARED_DIALS] = {FLOW_KIND_DIAL, FLOW_KIND_TCP, FLOW_KIND_DIAL},
	[SHARED_ECHOES] = {FLOW_KIND_ECHO, FLOW_KIND_DIAL, FLOW_KIND_DIAL},
};

static const struct peer *greediest(const struct worker *w, enum shared what)
{
	const struct share *share = shares_greediest(&w->shares[what]);

	return share ? container_of(share - what, struct peer, shares) : NULL;
}

/**
 * displace_for() - End a flow so that another one can begin
 * @asker: whose that one is
 * @what: that is taken up
 *
 * Nothing ends where the asker would then have more than the one who loses it.
 *
 * Return: whether there is room now.
 */
bool displace_for(struct worker *w, const struct peer *asker, enum shared what)
{
	const struct peer *loser = greediest(w, what);
	enum flow_kind kind = victims[what].first, end = victims[what].end;
	struct flow_entry *victim = NULL;

	if (!loser || loser->shares[what].count <= asker->shares[what].count + 1) {
		loser = asker;
		end = victims[what].own_end;
	}
	for (; kind < end && !victim; kind++)
		victim = TAILQ_FIRST(&loser->flows[kind]);
	if (!victim)
		return false;
	w->status->displaced++;
	victim->end(w, victim, END_DISPLACED);
	return true;
}
