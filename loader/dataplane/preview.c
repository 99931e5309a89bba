/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/preview.h"

#include <stdlib.h>

#include "dataplane/plan.h"

static void ignore_warning(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

/**
 * dataplane_plan() - What a policy would become on an interface
 * @request: the policy, and on whose behalf
 * @link: the interface
 * @mode: is filled
 * @policy: set to the policy as NetBird's variables change it; the caller frees it
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int dataplane_plan(const struct dataplane_request *request, const struct link_info *link,
		   struct mode *mode, struct policy **policy, struct error *error)
{
	struct dataplane to = {.link = *link};
	struct plan plan = {.request = request, .to = &to};
	int err;

	if (request->before) {
		plan.previous.instance = request->before->instance;
		plan.has_previous = true;
	}
	err = plan_load(&plan, error);
	if (err)
		return err;
	plan_add_environment(&plan);
	err = plan_decide(&plan, plan_may_run_xdp(link), error);
	if (err) {
		policy_free(to.policy);
		return err;
	}
	*mode = plan.mode;
	*policy = to.policy;
	return 0;
}

/**
 * dataplane_clone() - Build what a policy would become on an interface, only to ask it
 * @request: the policy, and on whose behalf; with the generation in force as @before
 * @link: the interface
 * @policy: becomes the policy as NetBird's variables change it; the caller frees it
 * @clone: becomes a generation for clone_open(), as dataplane_apply() would put it into force now, with
 *	the addresses that this host has now; the caller frees it before @policy
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int dataplane_clone(const struct dataplane_request *request, const struct link_info *link,
		    struct policy **policy, struct generation **clone, struct error *error)
{
	struct dataplane to = {.link = *link};
	struct plan plan = {
		.request = request,
		.to = &to,
		.previous = *request->before,
		.has_previous = true,
		.is_clone = true,
	};
	int err = plan_load(&plan, error);

	if (!err)
		err = plan_keep_part(&plan, error);
	if (err) {
		policy_free(to.policy);
		return err;
	}
	plan_add_environment(&plan);
	err = plan_decide(&plan, plan_may_run_xdp(link), error);
	if (!err)
		err = plan_build(&plan, error);
	free(plan.overlay);
	if (err) {
		generation_free(to.generation);
		policy_free(to.policy);
		return err;
	}
	*policy = to.policy;
	*clone = to.generation;
	return 0;
}

/**
 * dataplane_choose() - As dataplane_plan(), but the mode alone
 */
int dataplane_choose(const struct dataplane_request *request, const struct link_info *link,
		     struct mode *mode, struct error *error)
{
	struct policy *policy;
	int err = dataplane_plan(request, link, mode, &policy, error);

	if (!err)
		policy_free(policy);
	return err;
}

/**
 * dataplane_is_outdated() - Whether a generation would be built differently by now
 * @attached: the generation in force
 * @link: its interface as it is now
 *
 * `routing: auto` follows the kernel's forwarding, the MSS follows the interface's MTU, and a TUN
 * device that somebody opens anew may bring GSO packets from then on.
 */
bool dataplane_is_outdated(const struct attached *attached, const struct link_info *link)
{
	struct dataplane_request request = {
		.policy_path = attached->instance.policy_path,
		.caller = DATAPLANE_APPLY,
		.before = attached,
		.warn = ignore_warning,
	};
	struct error ignored;
	char *text = NULL;
	struct mode mode;
	bool outdated;

	if (plan_mtu(link) != attached->instance.mtu)
		return true;
	if (attached_policy_text(attached, &text, &request.policy_len, &ignored))
		return false;
	request.policy_text = text;
	outdated = !dataplane_choose(&request, link, &mode, &ignored) &&
		   (mode.routing != attached->instance.config.routing ||
		    (mode.forwarder_input == FORWARDER_INPUT_TUN &&
		     attached->instance.config.forwarder_input == FORWARDER_INPUT_AF_XDP));
	free(text);
	return outdated;
}
