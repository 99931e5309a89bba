/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parts of the policy parser, for each other; users call policy.h.
 *
 * Every function that reads a value is a yaml_read_fn whose context is a struct parse.
 */
#ifndef SHRIKE_POLICY_PARSE_H
#define SHRIKE_POLICY_PARSE_H

#include "base/keyed.h"
#include "policy/policy.h"
#include "yaml/yaml.h"

struct parse {
	struct policy *policy;	 /* under construction */
	struct keyed *set_names; /* sorted; policy->n_sets of them */
	enum acl acl;		 /* of the rule that is read */
	bool groups;		 /* broadcast and multicast may be named here */
};

int parse_no_memory(struct error *error);
int parse_sets(const struct yaml_doc *doc, const struct yaml_node *node, struct parse *parse,
	       struct error *error);
int parse_peer_acl(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
		   void *context, struct error *error);
int parse_route_acl(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
		    void *context, struct error *error);
int parse_unique_ids(const struct yaml_doc *doc, const struct yaml_node *root,
		     const struct policy *policy, struct error *error);
int parse_nat(const struct yaml_doc *doc, const struct yaml_node *node, void *to, void *context,
	      struct error *error);
int parse_name(const struct yaml_doc *doc, struct position at, const char *what, const char *text,
	       char **name, struct error *error);

/* parse_match.c: the parts of a rule that say which packets it means */
int parse_match(const struct yaml_doc *doc, const struct yaml_node *node, void *to, void *context,
		struct error *error);
int parse_destination(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
		      void *context, struct error *error);
int parse_prefixes(const struct yaml_doc *doc, const struct yaml_node *node, struct prefix_set *set,
		   struct error *error);
int parse_source_ports(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
		       void *context, struct error *error);
int parse_destination_ports(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
			    void *context, struct error *error);
int parse_icmp_types(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
		     void *context, struct error *error);
int parse_protocol(const struct yaml_doc *doc, const struct yaml_node *node, void *to,
		   void *context, struct error *error);
int parse_check_match(const struct yaml_doc *doc, const struct yaml_node *node,
		      const struct policy_rule *rule, struct error *error);

#endif /* SHRIKE_POLICY_PARSE_H */
