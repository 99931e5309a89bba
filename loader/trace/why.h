/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answer to `shrike why`: for each kind of packet that the recorder has, what `trace -v` would have
 * said then.
 */
#ifndef SHRIKE_TRACE_WHY_H
#define SHRIKE_TRACE_WHY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "dataplane/past_policies.h"
#include "dataplane/rule_names.h"
#include "policy/names.h"
#include "trace/options.h"
#include "trace/recorded.h"

/*
 * struct why - what is asked, and what records refer to
 * @filter: with names looked up; its rule is compared by id
 * @from_ns, @to_ns: CLOCK_MONOTONIC: of kinds that were seen from the one on, and first before the other
 * @past, @rules, @names: names may be NULL
 * @interface: its name
 * @offset_ns: from CLOCK_MONOTONIC to CLOCK_REALTIME
 * @verbose: each stage
 */
struct why {
	struct trace_options filter;
	uint64_t from_ns;
	uint64_t to_ns;
	const struct past_policies *past;
	const struct rule_names *rules;
	const struct names *names;
	const char *interface;
	uint64_t offset_ns;
	bool verbose;
};

/*
 * struct why_kind - packets of a kind
 * @record: the first; its count is that of all
 * @last_ns: CLOCK_MONOTONIC of the last packet
 */
struct why_kind {
	struct record record;
	uint64_t last_ns;
};

size_t why_kinds(const struct why *why, const struct record *records, size_t n,
		 struct why_kind *kinds);
int why_print(const struct why *why, const struct why_kind *kind, FILE *out, struct error *error);
json_t *why_json(const struct why *why, const struct why_kind *kind);
const char *why_rule(const struct why *why, const struct trace_event *event,
		     const struct record *record);

#endif /* SHRIKE_TRACE_WHY_H */
