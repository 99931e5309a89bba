/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why did no rule allow a packet?  The rules that come nearest to it, and in which fields each
 * does not match.
 *
 * The verdict is the dataplane's; this looks at the policy's text only, rule by rule.
 */
#ifndef SHRIKE_TRACE_EXPLAIN_H
#define SHRIKE_TRACE_EXPLAIN_H

#include <jansson.h>

#include "policy/policy.h"
#include "trace_event.h"

#define EXPLAIN_RULES 3 /* explained, at most */

json_t *trace_explain(const struct policy *policy, const struct trace_event *event);
json_t *trace_explain_not_routed(const struct policy *policy, const struct trace_event *event);
const char *trace_explain_rule(const struct policy *policy, const struct trace_event *event);
char *trace_explain_text(const struct policy *policy, const struct trace_event *event,
			 const char *rule_id);

#endif /* SHRIKE_TRACE_EXPLAIN_H */
