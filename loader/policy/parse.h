/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading policy files (the format is in shrike-policy(5)).
 */
#ifndef SHRIKE_POLICY_PARSE_H
#define SHRIKE_POLICY_PARSE_H

#include <stddef.h>

#include "base/error.h"
#include "policy/policy.h"

struct yaml_doc;
struct yaml_node;

int policy_load(const char *path, struct policy **policy, struct error *error);
int policy_parse(const char *path, const char *text, size_t len, struct policy **policy,
		 struct error *error);
int policy_parse_node(const struct yaml_doc *doc, const struct yaml_node *node, const char *path,
		      const char *text, size_t len, struct policy **policy, struct error *error);

#endif /* SHRIKE_POLICY_PARSE_H */
