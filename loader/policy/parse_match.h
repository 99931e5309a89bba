/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parts of a rule that say which packets it means.
 */
#ifndef SHRIKE_POLICY_PARSE_MATCH_H
#define SHRIKE_POLICY_PARSE_MATCH_H

#include "policy/parse_context.h"

int parse_match(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_destination(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_prefixes(const struct yaml_doc *doc, const struct yaml_node *node, struct prefix_set *set,
		   struct error *error);
int parse_source_ports(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_destination_ports(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_icmp_types(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_protocol(const struct yaml_reader *in, const struct yaml_node *node, void *to);
int parse_check_match(const struct yaml_doc *doc, const struct yaml_node *node,
		      const struct policy_rule *rule, struct error *error);

#endif /* SHRIKE_POLICY_PARSE_MATCH_H */
