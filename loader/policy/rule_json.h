/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules, sets, names and mode of a policy as JSON values, and lists of such values as text.
 */
#ifndef SHRIKE_POLICY_RULE_JSON_H
#define SHRIKE_POLICY_RULE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "policy/policy.h"

json_t *policy_rule_json(const struct policy *policy, const struct policy_rule *rule, enum acl acl);
json_t *policy_sets_json(const struct policy *policy);
json_t *policy_elements_json(const struct policy *policy);
json_t *policy_names_json(const struct names *names);
json_t *policy_match_names_json(const struct names *names, const struct address_match *match);
json_t *policy_asked_mode_json(const struct policy_mode *mode);
json_t *policy_mode_json(const struct config *config);
void policy_join(const json_t *list, char *cell, size_t size);

#endif /* SHRIKE_POLICY_RULE_JSON_H */
