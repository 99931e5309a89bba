/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The names of a policy.
 */
#ifndef SHRIKE_POLICY_PARSE_NAMES_H
#define SHRIKE_POLICY_PARSE_NAMES_H

#include "policy/names.h"
#include "policy/parse_context.h"

int parse_all_names(const struct yaml_reader *in, const struct yaml_node *root,
		    struct names *names);
const struct name_address *parse_named(const struct yaml_reader *in, const struct yaml_node *node,
				       size_t *n);
int parse_missing(const struct yaml_reader *in, const struct yaml_node *node, const char *word,
		  const char *name);
bool parse_is_netbirds(const struct yaml_reader *in, const struct name_address *named);
int names_read(const char *text, size_t len, struct names *names, struct error *error);

#endif /* SHRIKE_POLICY_PARSE_NAMES_H */
