/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What would become of live connections if another policy came into force.
 *
 * Clones of the generation in force and of the other policy's get the next packet of each
 * connection from the peer, as it would arrive, and where they translate also the next one to it.
 * What their programs answer differently is an impact; nothing is judged here.
 */
#ifndef SHRIKE_REVIEW_IMPACT_H
#define SHRIKE_REVIEW_IMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conntrack/tables.h"
#include "dataplane/clone.h"
#include "dataplane/test_run.h"
#include "reason.h"

/* Why a connection ends although a rule allows its packets, or none had to; follows enum reason. */
enum impact_why {
	IMPACT_TIMEOUT = REASON_MAX, /* this host's, idle for longer than the timeout */
	IMPACT_NO_ROOM,		     /* this host's, and its table too small for it */
	IMPACT_TRANSLATE,	     /* translated otherwise, so that an end does not know it */
	IMPACT_HANDED,		     /* from the kernel to the forwarder, or back */
	IMPACT_WHYS,
};

enum impact_kind {
	IMPACT_CUT,    /* allowed today, denied by the new policy */
	IMPACT_OPENED, /* denied with its next packet today, allowed by the new policy */
	IMPACT_MOVED,  /* allowed by both, by different rules */
	IMPACT_KINDS,
};

/*
 * struct impact_cause - what decides about a connection
 * @rule: the rule, of the side's clone; NULL: none did
 * @why: then enum reason or enum impact_why
 */
struct impact_cause {
	const struct rule_view *rule;
	uint8_t why;
};

struct impact {
	union addr addr[2]; /* as in struct flow_view */
	uint64_t id;	    /* flow_view_id() */
	uint16_t port[2];
	uint16_t icmp_id;
	uint8_t ip_version;
	uint8_t l4_proto;
	uint8_t state;
	uint8_t kind; /* enum impact_kind */
	struct impact_cause before;
	struct impact_cause after;
};

/*
 * struct impacts - the comparison of two policies by live connections
 * @before, @after: of the generation in force, and of the other one; owned
 * @forwarder_comes: a forwarder that is missing will be started
 * @error: of impacts_visit()
 * @list: the connections about which the two differ
 * @n_flows: all connections that were compared
 */
struct impacts {
	struct clone before;
	struct clone after;
	bool forwarder_comes;
	struct error *error;
	struct impact *list;
	size_t n;
	uint64_t n_flows;
	size_t n_kind[IMPACT_KINDS];

	/* private to impact.c */
	struct testrun testrun;
	size_t room;
	int translated_fd; /* addresses on the wire by those of connections; negative: the same */
	bool translates;
};

int impacts_open(const struct attached *attached, struct generation *after, struct impacts *impacts,
		 struct error *error);
int impacts_open_verdicts(const struct attached *before, const struct attached *after,
			  struct impacts *impacts, struct error *error);
int impacts_is_cut(struct impacts *impacts, const struct flow_view *view, bool *is_cut);
int impacts_visit(void *impacts, const struct flow_view *view);
void impacts_sort(struct impacts *impacts);
bool impacts_same_group(const struct impact *a, const struct impact *b);
void impacts_close(struct impacts *impacts);

#endif /* SHRIKE_REVIEW_IMPACT_H */
