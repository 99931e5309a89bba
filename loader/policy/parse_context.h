/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the policy parser share.  Every function of theirs that reads a value is a
 * yaml_read_fn whose context is a struct parse.
 */
#ifndef SHRIKE_POLICY_PARSE_CONTEXT_H
#define SHRIKE_POLICY_PARSE_CONTEXT_H

#include "base/keyed.h"
#include "policy/policy.h"
#include "yaml/yaml.h"

struct parse {
	struct policy *policy;		/* under construction */
	struct keyed *set_names;	/* sorted; policy->n_sets of them */
	enum acl acl;			/* of the rule that is read */
	bool is_unique;			/* a set that is there already is a mistake */
	bool groups;			/* broadcast and multicast may be named here */
	bool expects_netbird;		/* what is not there may be of a map that comes */
	bool in_part;			/* NetBird's part is read */
	const struct policy_rule *rule; /* that is read; NULL: none */
};

int parse_no_memory(struct error *error);
int parse_name(const struct yaml_reader *in, struct position at, const char *what, const char *text,
	       char **name);

#endif /* SHRIKE_POLICY_PARSE_CONTEXT_H */
