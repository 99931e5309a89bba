/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a scenario expects of a packet, and whether it came so.
 */
#ifndef SHRIKE_SIMULATE_EXPECTATION_H
#define SHRIKE_SIMULATE_EXPECTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "rule.h"
#include "trace_event.h"
#include "yaml/yaml.h"

#define EXPECTATION_WHY_MAX 512 /* bytes of the longest explanation with its NUL */

/* Only what has its flag set is expected. */
struct expectation {
	bool has_verdict;
	bool has_rule;
	bool has_reason;
	bool has_state;
	unsigned int verdict;	/* enum verdict */
	unsigned int reason;	/* enum reason */
	unsigned int state;	/* enum flow_state; NONE: no connection */
	char rule[RULE_ID_MAX]; /* empty: no rule decides */
};

int expectation_read(const struct yaml_reader *in, const struct yaml_node *node, void *to);
bool expectation_given(const struct expectation *expect);
bool expectation_holds(const struct expectation *expect, const struct trace_event *event,
		       const char *rule_id, char why[EXPECTATION_WHY_MAX]);

#endif /* SHRIKE_SIMULATE_EXPECTATION_H */
