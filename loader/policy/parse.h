/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading policy files (the format is in shrike-policy(5)).
 */
#ifndef SHRIKE_POLICY_PARSE_H
#define SHRIKE_POLICY_PARSE_H

#include <stddef.h>

#include "base/error.h"
#include "policy/policy.h"
#include "yaml/yaml.h"

/*
 * struct policy_text - a policy in memory
 * @path: name of the file for messages and struct policy
 * @text: YAML or JSON, of @len bytes
 * @on_error: told each error that leaves the rest readable; NULL: the first one ends the reading
 * @arg: for @on_error
 * @expects_netbird: NetBird's part is to be put behind it: a name that is not there may be NetBird's
 */
struct policy_text {
	const char *path;
	const char *text;
	size_t len;
	yaml_on_error on_error;
	void *arg;
	bool expects_netbird;
};

int policy_read(const struct policy_text *source, struct policy **policy, struct error *error);
int policy_load_as(const struct policy_text *how, struct policy **policy, struct error *error);
int policy_read_text(const char *path, char **text, size_t *len, struct error *error);
int policy_load(const char *path, struct policy **policy, struct error *error);
int policy_parse(const char *path, const char *text, size_t len, struct policy **policy,
		 struct error *error);
int policy_parse_node(const struct yaml_doc *doc, const struct yaml_node *node,
		      const struct policy_text *source, struct policy **policy,
		      struct error *error);

#endif /* SHRIKE_POLICY_PARSE_H */
