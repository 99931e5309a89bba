/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was dropped, put to the policy in force again: packets that a rule could allow, and others.
 */
#ifndef SHRIKE_TRACE_DROPS_H
#define SHRIKE_TRACE_DROPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/attached.h"
#include "reason.h"
#include "rule.h"
#include "trace/suggest.h"

/* How many packets, and of how many kinds. */
struct drop_count {
	uint64_t packets;
	size_t kinds;
};

/* Packets that no further rule allows: why, and the rule that denies them, empty where none does. */
struct drop_refusal {
	struct drop_count count;
	enum reason reason;
	char rule[RULE_ID_MAX];
};

/*
 * struct drops - what became of the question
 * @packets: what a rule could allow
 * @refusals: by the packets that they are about, most first
 * @allowed: what the policy in force would let in
 * @rest: packets of which the recorder has only counts; kinds is 0
 */
struct drops {
	struct suggest_packet *packets;
	size_t n_packets;
	struct drop_refusal *refusals;
	size_t n_refusals;
	struct drop_count allowed;
	struct drop_count rest;
};

int drops_ask(const struct attached *attached, uint64_t from_ns, struct drops *drops,
	      struct error *error);
void drops_free(struct drops *drops);

#endif /* SHRIKE_TRACE_DROPS_H */
