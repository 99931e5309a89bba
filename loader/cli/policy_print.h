/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHRIKE_CLI_POLICY_PRINT_H
#define SHRIKE_CLI_POLICY_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "dataplane/generation_rules.h"
#include "policy/block_list.h"
#include "review/drift.h"

/*
 * struct policy_view - the policy in force
 * @policy: parsed from the text in force
 * @instance: of the generation
 * @undo: whether it waits to be confirmed
 * @rules: with hits, in any order
 * @interface: where it is in force
 * @blocked: who is, whatever it says; NULL: nobody
 * @has_run: `run` is there, and does what is due
 * @numeric: without the names of addresses
 * @human: text has numbers with units
 * @drift: how it compares with its file
 */
struct policy_view {
	const struct policy *policy;
	const struct instance *instance;
	const struct undo *undo;
	const struct rule_view *rules;
	size_t n_rules;
	const char *interface;
	const struct block_list *blocked;
	bool has_run;
	bool numeric;
	bool human;
	enum drift drift;
};

int policy_print(const struct policy_view *view, bool json, FILE *file, struct error *error);

#endif /* SHRIKE_CLI_POLICY_PRINT_H */
