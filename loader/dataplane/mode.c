/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/mode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SYSCTL4 "net.ipv4.ip_forward"
#define SYSCTL6 "net.ipv6.conf.all.forwarding"

/* Read a sysctl that is 0 or 1. */
static int read_sysctl(const char *path, bool *value, struct error *error)
{
	FILE *file = fopen(path, "re");
	int number, err = 0;

	if (!file)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	if (fscanf(file, "%d", &number) == 1)
		*value = number != 0;
	else
		err = error_set(error, EIO, "%s: holds no number", path);
	fclose(file);
	return err;
}

/**
 * mode_read_facts() - Read whether the kernel forwards in the caller's network namespace
 * @facts: @ip_forward4 and @ip_forward6 are filled, the other fields are the caller's
 * @error: set on failure
 *
 * /proc/sys/net shows the namespace of the process that reads it.  A kernel without IPv6 does not
 * forward it.
 *
 * Return: 0 or -errno.
 */
int mode_read_facts(struct mode_facts *facts, struct error *error)
{
	bool ip_forward4, ip_forward6;
	int err;

	err = read_sysctl("/proc/sys/net/ipv4/ip_forward", &ip_forward4, error);
	if (err)
		return err;
	err = read_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", &ip_forward6, error);
	if (err == -ENOENT)
		ip_forward6 = false;
	else if (err)
		return err;
	facts->ip_forward4 = ip_forward4;
	facts->ip_forward6 = ip_forward6;
	return 0;
}

static void set_routing(struct mode *mode, enum routing routing, const char *why)
{
	mode->routing = routing;
	snprintf(mode->routing_why, sizeof(mode->routing_why), "%s", why);
}

static void set_hook(struct mode *mode, enum hook hook, bool xdp_generic, const char *why)
{
	mode->hook = hook;
	mode->xdp_generic = xdp_generic;
	snprintf(mode->hook_why, sizeof(mode->hook_why), "%s", why);
}

/* What "routing: auto" comes to. */
static void decide_auto_routing(const struct policy *policy, const struct mode_facts *facts,
				struct mode *mode)
{
	if (policy->mode.netstack)
		set_routing(mode, ROUTING_USERSPACE, "netstack is on");
	else if (facts->ip_forward4)
		set_routing(mode, ROUTING_NATIVE, "the kernel forwards (" SYSCTL4 " = 1)");
	else if (facts->ip_forward6)
		set_routing(mode, ROUTING_NATIVE, "the kernel forwards (" SYSCTL6 " = 1)");
	else if (policy->mode.hook == POLICY_HOOK_TC && !facts->simulate)
		set_routing(mode, ROUTING_DISABLED,
			    "the kernel does not forward, and hook tc cannot reach a forwarder");
	else
		set_routing(mode, ROUTING_USERSPACE, "the kernel does not forward");
}

/* Routing as the policy file has it. */
static void decide_policy_routing(const struct policy *policy, const struct mode_facts *facts,
				  struct mode *mode)
{
	switch (policy->mode.routing) {
	case POLICY_ROUTING_NATIVE:
		set_routing(mode, ROUTING_NATIVE, "policy file");
		break;
	case POLICY_ROUTING_USERSPACE:
		set_routing(mode, ROUTING_USERSPACE, "policy file");
		break;
	case POLICY_ROUTING_DISABLED:
		set_routing(mode, ROUTING_DISABLED, "policy file");
		break;
	case POLICY_ROUTING_AUTO:
		decide_auto_routing(policy, facts, mode);
		break;
	}
}

/* Routing: NetBird's variables come before the policy file. */
static int decide_routing(const struct mode_question *question, struct mode *mode,
			  struct error *error)
{
	const struct environment *environment = question->environment;

	if (environment->disable_userspace_routing) {
		set_routing(mode, ROUTING_DISABLED, "NB_DISABLE_USERSPACE_ROUTING is set");
		return 0;
	}
	if (environment->force_userspace_router) {
		if (environment->force_native_router)
			question->warn("NB_FORCE_USERSPACE_ROUTER and NB_FORCE_NATIVE_ROUTER are "
				       "both set: "
				       "routing in userspace",
				       question->warn_arg);
		set_routing(mode, ROUTING_USERSPACE, "NB_FORCE_USERSPACE_ROUTER is set");
		return 0;
	}
	if (environment->force_native_router) {
		if (question->policy->mode.netstack)
			return error_input(
				error, "NB_FORCE_NATIVE_ROUTER is set, but mode.netstack is on: "
				       "the kernel cannot route for a netstack: unset the one "
				       "or switch off the other");
		set_routing(mode, ROUTING_NATIVE, "NB_FORCE_NATIVE_ROUTER is set");
		return 0;
	}
	decide_policy_routing(question->policy, question->facts, mode);
	return 0;
}

/*
 * A sender on the same machine leaves checksums unfinished, which XDP cannot see: translating in
 * TC gets them right.
 */
static void decide_auto_hook(const struct policy *policy, const struct mode_facts *facts,
			     bool has_forwarder, struct mode *mode)
{
	bool translates = policy->n_one_to_one || policy->n_nat_port;

	if (translates && !has_forwarder)
		set_hook(mode, HOOK_TC, false, "translation needs the kernel's checksum helpers");
	else if (facts->native_xdp)
		set_hook(mode, HOOK_XDP, false, "the driver supports native XDP");
	else if (has_forwarder)
		set_hook(mode, HOOK_XDP, true, "only XDP can hand packets to the forwarder");
	else if (facts->tcx)
		set_hook(mode, HOOK_TC, false, "generic XDP would switch GRO off (TC by TCX)");
	else
		set_hook(mode, HOOK_TC, false, "generic XDP would switch GRO off (TC by clsact)");
}

/* Choose the hook, and refuse what cannot work there. */
static int decide_hook(const struct policy *policy, const struct mode_facts *facts,
		       struct mode *mode, struct error *error)
{
	bool in_userspace = mode->routing == ROUTING_USERSPACE;
	bool netstack_forwards = policy->mode.netstack && policy->mode.local_forwarding;
	bool has_forwarder = in_userspace || netstack_forwards;

	switch (policy->mode.hook) {
	case POLICY_HOOK_XDP:
		set_hook(mode, HOOK_XDP, !facts->native_xdp, "policy file");
		break;
	case POLICY_HOOK_TC:
		set_hook(mode, HOOK_TC, false, "policy file");
		break;
	case POLICY_HOOK_AUTO:
		decide_auto_hook(policy, facts, has_forwarder, mode);
		break;
	}
	if (facts->simulate)
		return 0;
	if (mode->hook == HOOK_TC && has_forwarder)
		return error_input(
			error,
			"mode.hook is tc, but only XDP can hand packets to the userspace "
			"forwarder (%s): set mode.hook to auto or xdp, or %s",
			in_userspace ? mode->routing_why : "netstack, local forwarding",
			in_userspace ? "route natively (mode.routing: native)"
				     : "mode.local_forwarding to false");
	if (mode->hook == HOOK_XDP && !facts->l2_len && policy->n_one_to_one)
		return error_input(
			error,
			"nat.one_to_one needs TC on a link without Ethernet header (generic "
			"XDP breaks packets whose source is rewritten), but the hook is XDP "
			"(%s): remove nat.one_to_one or %s",
			mode->hook_why,
			has_forwarder ? "do without the userspace forwarder"
				      : "set mode.hook to tc");
	return 0;
}

/**
 * mode_decide() - Decide who routes and where the ingress program sits
 * @question: with the policy after environment_apply(); who is warned hears of variables that
 *	contradict each other
 * @mode: is filled on success, with short phrases that say why
 * @error: set on failure
 *
 * Routing, first that applies: NB_DISABLE_USERSPACE_ROUTING, NB_FORCE_USERSPACE_ROUTER,
 * NB_FORCE_NATIVE_ROUTER, the policy file, and for its "auto": native where the kernel forwards
 * either family and netstack is off, else userspace, or disabled where `hook: tc` rules that out.
 * Hook: the policy file, and for its "auto": XDP where the driver runs it or the forwarder needs
 * it, else TC, which leaves GRO on and translates.
 *
 * Return: 0; -EINVAL (invalid input): settings that cannot work together.
 */
int mode_decide(const struct mode_question *question, struct mode *mode, struct error *error)
{
	struct mode decided = {};
	int err;

	err = decide_routing(question, &decided, error);
	if (!err)
		err = decide_hook(question->policy, question->facts, &decided, error);
	if (!err)
		*mode = decided;
	return err;
}
