/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/blocking.h"
#include "dataplane/change.h"
#include "dataplane/confirm.h"
#include "dataplane/generation_build.h"
#include "dataplane/generation_state.h"
#include "dataplane/local_addresses.h"
#include "dataplane/masquerading.h"
#include "dataplane/neighbours.h"
#include "dataplane/set_deadlines.h"
#include "maps.h"
#include "policy/parse.h"
#include "policy/part.h"

#define SNAP_LEN 256

/* A variable of this process, or the one that the generation in force was built with. */
static const char *find_variable(struct plan *plan, const char *name)
{
	const char *own = getenv(name), *line = plan->previous.instance.environment;
	size_t len = strlen(name);

	if (plan->request->revert) {
		own = NULL;
		line = plan->undo.environment;
	} else if (own || !plan->has_previous || plan->request->caller != DATAPLANE_APPLY) {
		return own;
	}
	for (; *line; line += strcspn(line, "\n") + 1)
		if (!strncmp(line, name, len) && line[len] == '=') {
			line += len + 1;
			snprintf(plan->variable, sizeof(plan->variable), "%.*s",
				 (int)strcspn(line, "\n"), line);
			return plan->variable;
		}
	return NULL;
}

/* Get a variable and note it for later commands. */
static const char *get_variable(const char *name, void *arg)
{
	struct plan *plan = arg;
	const char *found = find_variable(plan, name);
	size_t len = strlen(plan->environment_text);

	if (found && !strchr(found, '\n'))
		snprintf(plan->environment_text + len, sizeof(plan->environment_text) - len,
			 "%s=%s\n", name, found);
	return found;
}

/*
 * What returns is the user's policy.  NetBird's part stays as it is in force: the earlier one may hold
 * rules that a map has revoked since.
 */
static int parse_undo(struct plan *plan, const char *path, struct error *error)
{
	const struct part_text undo = {plan->undo_text, plan->undo.policy_len};
	struct part_text in_force = {}, own = {}, old = {}, part = {}, joined = {}, now = {};
	int err = attached_policy_text(&plan->previous, &in_force.text, &in_force.len, error);

	if (!err)
		err = part_split(path, &in_force, &now, &part, error);
	if (!err && part.text)
		err = part_split(path, &undo, &own, &old, error);
	if (!err && part.text)
		err = part_join(path, &own, &part, &joined, error);
	if (!err)
		err = policy_parse(path, joined.text ? joined.text : undo.text,
				   joined.text ? joined.len : undo.len, &plan->to->policy, error);
	free(in_force.text);
	free(now.text);
	free(part.text);
	free(own.text);
	free(old.text);
	free(joined.text);
	return err;
}

/* The policy that was in force before the one that waits to be confirmed. */
static int load_undo(struct plan *plan, struct error *error)
{
	const struct map_set *maps = &plan->previous.maps;
	const char *path = plan->undo.policy_path;
	int err;

	err = confirm_read(maps, &plan->undo, error);
	if (err)
		return err;
	if (plan->undo.state != UNDO_PENDING ||
	    (plan->request->revert_id && plan->request->revert_id != confirm_id(maps)))
		return error_set(error, EALREADY, "%s: no policy waits to be confirmed",
				 plan->request->ifname);
	err = attached_read_text(maps, MAP_UNDO_TEXT, plan->undo.policy_len, &plan->undo_text,
				 error);
	return err ? err : parse_undo(plan, path[0] ? path : NULL, error);
}

static int load_edited(struct plan *plan, struct error *error)
{
	const char *path = plan->previous.instance.policy_path;
	char *text = NULL;
	size_t len;
	int err;

	err = plan->request->edit(&plan->previous, &text, &len, plan->request->edit_arg, error);
	if (!err)
		err = policy_parse(path[0] ? path : NULL, text, len, &plan->to->policy, error);
	free(text);
	return err;
}

/* Put NetBird's part of the policy in force, if it has one, behind the policy that is planned. */
static int keep_part(struct plan *plan, struct error *error)
{
	struct policy *planned = plan->to->policy, *whole;
	const struct part_text text = {planned->text, planned->text_len};
	struct part_text in_force = {}, own = {}, part = {}, joined = {};
	int err = attached_policy_text(&plan->previous, &in_force.text, &in_force.len, error);

	if (!err)
		err = part_split(planned->path, &in_force, &own, &part, error);
	/* nobody has put NetBird's part there: a name that is not there is an error after all */
	if (!err && !part.text && planned->n_missing) {
		err = policy_parse(planned->path, text.text, text.len, &whole, error);
		policy_free(err ? NULL : whole);
	}
	if (!err && part.text) {
		err = part_join(planned->path, &text, &part, &joined, error);
		if (!err)
			err = policy_parse(planned->path, joined.text, joined.len, &whole, error);
		if (!err) {
			policy_free(planned);
			plan->to->policy = whole;
		}
	}
	free(in_force.text);
	free(own.text);
	free(part.text);
	free(joined.text);
	return err;
}

/**
 * plan_keep_part() - Keep NetBird's part of the policy in force, if that is asked for
 * @plan: its policy is loaded; its generation in force has been looked up
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int plan_keep_part(struct plan *plan, struct error *error)
{
	const struct policy *planned = plan->to->policy;
	const struct part_text text = {planned->text, planned->text_len};
	int err;

	if (!plan->request->keeps_part || !plan->has_previous)
		return 0;
	err = part_refuse(planned->path, &text, error);
	return err ? err : keep_part(plan, error);
}

/* Whoever is blocked stays so whatever the policy says, but for what is asked for. */
static int keep_blocked(struct plan *plan, struct error *error)
{
	const struct dataplane_request *request = plan->request;
	struct policy *policy = plan->to->policy;
	struct block_list *list;
	int err;

	if (policy->blocked || !plan->has_previous)
		return 0;
	list = malloc(sizeof(*list));
	if (!list)
		return error_no_memory(error);
	err = blocking_read(&plan->previous.maps, list, error);
	if (!err && request->block)
		err = request->block(list, request->block_arg, error);
	if (err)
		free(list);
	else
		policy->blocked = list;
	return err;
}

/**
 * plan_load_attached() - Load the policy that is made from the one in force, if one is asked for
 * @plan: the plan; its generation in force has been looked up
 * @error: set on failure
 *
 * Also where the policy is another one: whether the generation in force may be changed, and what
 * returns if nobody confirms.
 *
 * Return: 0; -EBUSY: the policy in force waits to be confirmed; or another -errno.
 */
int plan_load_attached(struct plan *plan, struct error *error)
{
	const struct dataplane_request *request = plan->request;
	int err = 0;

	if (request->revert)
		return load_undo(plan, error);
	if (plan->has_previous && request->caller != DATAPLANE_RUN && !request->block &&
	    confirm_is_pending(&plan->previous.maps))
		return error_set(
			error, EBUSY,
			"%s: the policy in force waits to be confirmed: let 'shrike policy "
			"confirm %s' come first, or the end of its time",
			request->ifname, request->ifname);
	if (request->edit)
		err = load_edited(plan, error);
	else
		err = plan_keep_part(plan, error);
	if (!err && request->block)
		err = keep_blocked(plan, error);
	if (!err && request->confirm_s)
		err = confirm_plan(&plan->previous, request->confirm_s, &plan->undo,
				   &plan->undo_text, error);
	return err;
}

/**
 * plan_load() - Load the policy that is asked for
 * @plan: the plan
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int plan_load(struct plan *plan, struct error *error)
{
	const struct dataplane_request *request = plan->request;
	struct policy **policy = &plan->to->policy;

	if (request->policy_text)
		return policy_parse(request->policy_path, request->policy_text, request->policy_len,
				    policy, error);
	if (request->policy_path) {
		const struct policy_text how = {
			.path = request->policy_path,
			.expects_netbird = request->keeps_part,
		};
		int err = policy_load_as(&how, policy, error);

		if (err && err != -ENOMEM)
			error->invalid_input = true;
		return err;
	}
	*policy = policy_default();
	return *policy ? 0 : error_no_memory(error);
}

/**
 * plan_add_environment() - Let NetBird's variables win over the policy file
 * @plan: its policy is loaded
 */
void plan_add_environment(struct plan *plan)
{
	environment_read(&plan->environment, get_variable, plan, plan->request->warn,
			 plan->request->warn_arg);
	environment_apply(&plan->environment, plan->to->policy);
}

/*
 * Whether frames of the link may be GSO packets though XDP is there: generic XDP keeps what a device
 * receives from being put together, but not what another device below or beside it has.
 */
static bool may_merge(const struct link_info *link)
{
	return link->kind[0] && strcmp(link->kind, "tun") && strcmp(link->kind, "wireguard");
}

/**
 * plan_decide() - Decide who routes, at which hook, and how the forwarder is reached
 * @plan: after plan_add_environment()
 * @native_xdp: the driver may run XDP itself
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int plan_decide(struct plan *plan, bool native_xdp, struct error *error)
{
	int err = mode_read_facts(&plan->facts, error);

	if (err)
		return err;
	plan->facts.native_xdp = native_xdp;
	plan->facts.tcx = hooks_have_tcx();
	plan->facts.vnet_hdr = plan->to->link.vnet_hdr;
	plan->facts.merges = may_merge(&plan->to->link);
	plan->facts.l2_len = plan->to->link.l2_len;
	plan->facts.mtu = plan->to->link.mtu;
	err = mode_decide(&(struct mode_question){plan->to->policy, &plan->environment,
						  &plan->facts, plan->request->warn,
						  plan->request->warn_arg},
			  &plan->mode, error);
	if (err)
		return err;
	if (plan->mode.routing == ROUTING_NAT)
		err = masquerading_check(plan->request, error);
	if (err)
		return err;
	if (plan->request->caller == DATAPLANE_ATTACH && plan->mode.routing == ROUTING_USERSPACE)
		return error_set(error, EOPNOTSUPP,
				 "%s: userspace routing (%s) needs a process that stays: use "
				 "'shrike run %s', or set routing: native or disabled",
				 plan->to->link.name, plan->mode.routing_why, plan->to->link.name);
	return 0;
}

static bool has_forwarder(const struct plan *plan)
{
	const struct policy_mode *mode = &plan->to->policy->mode;
	struct config config = {
		.routing = plan->mode.routing,
		.netstack = mode->netstack,
		.local_forwarding = mode->local_forwarding,
	};

	return config_has_forwarder(&config);
}

/**
 * plan_mtu() - Bytes of the largest IP packet on a link, whatever a WireGuard device says
 * @link: the link
 */
uint16_t plan_mtu(const struct link_info *link)
{
	return link->mtu > UINT16_MAX ? UINT16_MAX : link->mtu;
}

/* Build, with routing by NAT on the maps that other interfaces have. */
static int build_beside_others(struct plan *plan, struct generation_spec *spec, struct error *error)
{
	const struct config *before = plan->has_previous ? &plan->previous.instance.config : NULL;
	int preferred = before && before->routing == ROUTING_NAT ? before->nat_owner : -1;
	struct neighbours neighbours;
	int err;

	if (plan->mode.routing != ROUTING_NAT || plan->is_clone)
		return generation_build(spec, &plan->to->generation, error);
	err = neighbours_find(spec->ifindex, &neighbours, error);
	if (!err)
		err = neighbours_number(&neighbours, preferred, &spec->nat_owner, error);
	spec->answers = &neighbours.answers;
	if (!err)
		err = generation_build(spec, &plan->to->generation, error);
	spec->answers = NULL;
	neighbours_free(&neighbours);
	return err;
}

/**
 * plan_build() - Build the generation, with what is kept of the one in force
 * @plan: after plan_decide()
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int plan_build(struct plan *plan, struct error *error)
{
	struct generation_spec spec = {
		.policy = plan->to->policy,
		.mode = &plan->mode,
		.previous = plan->has_previous ? &plan->previous.maps : NULL,
		.instance_previous = plan->has_previous ? &plan->previous.instance : NULL,
		.environment_text = plan->environment_text,
		.undo = plan->request->confirm_s ? &plan->undo : NULL,
		.undo_text = plan->undo_text,
		.ifindex = plan->to->link.ifindex,
		.snap_len = plan->is_clone ? 0 : SNAP_LEN,
		.mtu = plan_mtu(&plan->to->link),
		.l2_len = plan->to->link.l2_len,
		.dry_run = plan->is_clone,
		.trace = plan->is_clone,
		.own_addresses = plan->is_clone,
	};
	int err = keep_blocked(plan, error);

	if (!err)
		err = set_deadlines_plan(plan->to->policy,
					 plan->request->edit ? &plan->previous.maps : NULL,
					 plan->request->renewed, error);
	if (err)
		return err;
	/* what waits, waits on while run follows the link or reads its file again */
	spec.keep_undo = plan->has_previous && !plan->request->revert &&
			 (plan->request->caller == DATAPLANE_RUN || plan->request->block) &&
			 confirm_is_pending(&plan->previous.maps);
	free(plan->overlay);
	plan->overlay = NULL;
	plan->n_overlay = 0;
	if (has_forwarder(plan)) {
		err = addresses_overlay_prefixes(spec.ifindex, &plan->overlay, &plan->n_overlay,
						 error);
		if (err)
			return err;
		spec.overlay = plan->overlay;
		spec.n_overlay = plan->n_overlay;
	}
	generation_free(plan->to->generation);
	plan->to->generation = NULL;
	err = build_beside_others(plan, &spec, error);
	if (!err && plan->has_previous)
		masquerading_carry(&plan->previous.maps, plan->to->generation);
	if (!err && !plan->is_clone)
		err = change_begin(plan->request, plan->has_previous ? &plan->previous.maps : NULL,
				   plan->to->generation, error);
	if (!err)
		err = generation_sync_addresses(&plan->to->generation->maps, spec.ifindex, error);
	if (!err && plan->has_previous)
		err = generation_carry_state(&plan->previous.maps, plan->to->generation, error);
	return err;
}

/**
 * plan_may_run_xdp() - Whether a link's driver may run XDP itself
 * @link: the link
 *
 * It does not on L3 devices, taps, bridges and the like.
 */
bool plan_may_run_xdp(const struct link_info *link)
{
	return link->l2_len && (!link->kind[0] || !strcmp(link->kind, "veth"));
}
