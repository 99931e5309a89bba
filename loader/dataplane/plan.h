/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a request to a generation: the policy, NetBird's variables, the mode, the programs.
 */
#ifndef SHRIKE_DATAPLANE_PLAN_H
#define SHRIKE_DATAPLANE_PLAN_H

#include "dataplane/dataplane.h"
#include "dataplane/mode.h"

#define PLAN_VARIABLE_MAX 128 /* bytes of a variable's value with its NUL */

/*
 * struct plan - what is known of a policy on its way into force
 * @request: what was asked for
 * @to: gets the policy and the generation; its link is known
 * @environment_text: the variables that counted, as NAME=VALUE lines, for later commands
 * @previous: the generation in force before, or the one whose state is taken over
 * @has_previous: @previous is set
 * @is_clone: only to be asked: nothing in force is changed
 * @undo, @undo_text: what returns without confirmation; with @request->revert what comes back
 * @variable: the value that a variable of the generation in force had, of the one asked for last
 */
struct plan {
	const struct dataplane_request *request;
	struct dataplane *to;
	struct environment environment;
	char environment_text[512];
	struct mode_facts facts;
	struct mode mode;
	struct attached previous;
	bool has_previous;
	bool is_clone;
	struct undo undo;
	char *undo_text;
	struct prefix *overlay;
	size_t n_overlay;

	/* private to plan.c */
	char variable[PLAN_VARIABLE_MAX];
};

int plan_load(struct plan *plan, struct error *error);
int plan_load_attached(struct plan *plan, struct error *error);
int plan_keep_part(struct plan *plan, struct error *error);
void plan_add_environment(struct plan *plan);
int plan_decide(struct plan *plan, bool native_xdp, struct error *error);
int plan_build(struct plan *plan, struct error *error);
uint16_t plan_mtu(const struct link_info *link);
bool plan_may_run_xdp(const struct link_info *link);

#endif /* SHRIKE_DATAPLANE_PLAN_H */
