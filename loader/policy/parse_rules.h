/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The keys peer_acl, route_acl and sets of a policy file.
 */
#ifndef SHRIKE_POLICY_PARSE_RULES_H
#define SHRIKE_POLICY_PARSE_RULES_H

#include "policy/parse_context.h"

int parse_sets(const struct yaml_doc *doc, const struct yaml_node *node, struct parse *parse,
	       struct error *error);
int parse_peer_acl(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_route_acl(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_unique_ids(const struct yaml_doc *doc, const struct yaml_node *root,
		     const struct policy *policy, struct error *error);

#endif /* SHRIKE_POLICY_PARSE_RULES_H */
