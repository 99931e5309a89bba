/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/mode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "forwarder.h"

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
	case POLICY_ROUTING_NAT:
		set_routing(mode, ROUTING_NAT, "policy file");
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

static bool has_translation(const struct policy *policy)
{
	return policy->n_one_to_one || policy->n_nat_port;
}

/*
 * What of the link's packets AF_XDP cannot carry; NULL: it carries all.  A sender on the same machine
 * leaves checksums unfinished, which XDP cannot see: translating in TC gets them right.
 */
static const char *af_xdp_lack(const struct policy *policy, const struct mode_facts *facts)
{
	if (facts->vnet_hdr)
		return "the device brings GSO packets (IFF_VNET_HDR)";
	if (facts->mtu > forwarder_packet_max(facts->l2_len))
		return "packets of its MTU exceed what AF_XDP carries";
	if (facts->merges && !facts->native_xdp)
		return "generic XDP sees GSO packets there";
	if (has_translation(policy) && facts->l2_len && !facts->simulate)
		return "XDP translates unfinished checksums of local senders wrongly";
	return NULL;
}

static enum forwarder_input auto_input(const struct policy *policy, const struct mode_facts *facts,
				       const char **why)
{
	const char *lack = af_xdp_lack(policy, facts);

	if (policy->mode.hook == POLICY_HOOK_XDP) {
		*why = "mode.hook is xdp";
		return FORWARDER_INPUT_AF_XDP;
	}
	if (policy->mode.routing == POLICY_ROUTING_NAT)
		lack = "routing is nat";
	else if (policy->mode.hook == POLICY_HOOK_TC)
		lack = "mode.hook is tc";
	else if (policy->n_one_to_one && !facts->l2_len)
		lack = "nat.one_to_one needs TC on a link without Ethernet header";
	*why = lack ? lack : "every frame is a single packet";
	return lack ? FORWARDER_INPUT_TUN : FORWARDER_INPUT_AF_XDP;
}

static void decide_input(const struct policy *policy, const struct mode_facts *facts,
			 struct mode *mode)
{
	const char *why = "policy file", *lack = NULL;

	switch (policy->mode.forwarder_input) {
	case POLICY_FORWARDER_INPUT_AF_XDP:
		mode->forwarder_input = FORWARDER_INPUT_AF_XDP;
		break;
	case POLICY_FORWARDER_INPUT_TUN:
		mode->forwarder_input = FORWARDER_INPUT_TUN;
		break;
	case POLICY_FORWARDER_INPUT_AUTO:
		mode->forwarder_input = auto_input(policy, facts, &why);
		break;
	}
	if (mode->forwarder_input == FORWARDER_INPUT_AF_XDP)
		lack = af_xdp_lack(policy, facts);
	snprintf(mode->input_why, sizeof(mode->input_why), "%s", why);
	snprintf(mode->input_lack, sizeof(mode->input_lack), "%s", lack ? lack : "");
}

/* What "hook: auto" comes to. */
static void decide_auto_hook(const struct policy *policy, const struct mode_facts *facts,
			     struct mode *mode)
{
	bool has_forwarder = mode->forwarder_input != FORWARDER_INPUT_NONE;
	char why[sizeof(mode->hook_why)];

	if (mode->forwarder_input == FORWARDER_INPUT_TUN) {
		snprintf(why, sizeof(why), "forwarder_input tun: %s", mode->input_why);
		set_hook(mode, HOOK_TC, false, why);
	} else if (has_translation(policy) && !has_forwarder) {
		set_hook(mode, HOOK_TC, false, "translation needs the kernel's checksum helpers");
	} else if (facts->native_xdp) {
		set_hook(mode, HOOK_XDP, false, "the driver supports native XDP");
	} else if (has_forwarder) {
		set_hook(mode, HOOK_XDP, true, "only XDP can hand packets to AF_XDP sockets");
	} else if (facts->tcx) {
		set_hook(mode, HOOK_TC, false, "generic XDP would switch GRO off (TC by TCX)");
	} else {
		set_hook(mode, HOOK_TC, false, "generic XDP would switch GRO off (TC by clsact)");
	}
}

static int check_hook(const struct policy *policy, const struct mode_facts *facts,
		      const struct mode *mode, struct error *error)
{
	if (mode->routing == ROUTING_NAT && mode->hook != HOOK_TC)
		return error_input(error, "routing: nat uses the TC hook, but the hook is %s (%s)",
				   hook_name(mode->hook), mode->hook_why);
	if (mode->routing == ROUTING_NAT && !policy->mode.stateful)
		return error_input(error, "routing: nat needs connection tracking, which is off");
	if (facts->simulate)
		return 0;
	if (mode->hook == HOOK_TC && mode->forwarder_input == FORWARDER_INPUT_AF_XDP)
		return error_input(
			error, "mode.hook is tc, but only XDP can hand packets to AF_XDP sockets "
			       "(mode.forwarder_input: af_xdp): set one of them to auto");
	if (mode->hook == HOOK_XDP && !facts->l2_len && policy->n_one_to_one)
		return error_input(
			error,
			"nat.one_to_one needs TC on a link without Ethernet header (generic "
			"XDP breaks packets whose source is rewritten), but the hook is XDP "
			"(%s): remove nat.one_to_one or set %s",
			mode->hook_why,
			policy->mode.hook == POLICY_HOOK_XDP ? "mode.hook to tc"
							     : "mode.forwarder_input to auto");
	return 0;
}

/* Choose the hook, and refuse what cannot work there. */
static int decide_hook(const struct policy *policy, const struct mode_facts *facts,
		       struct mode *mode, struct error *error)
{
	bool netstack_forwards = policy->mode.netstack && policy->mode.local_forwarding;

	if (mode->routing == ROUTING_USERSPACE || mode->routing == ROUTING_NAT || netstack_forwards)
		decide_input(policy, facts, mode);
	switch (policy->mode.hook) {
	case POLICY_HOOK_XDP:
		set_hook(mode, HOOK_XDP, !facts->native_xdp, "policy file");
		break;
	case POLICY_HOOK_TC:
		set_hook(mode, HOOK_TC, false, "policy file");
		break;
	case POLICY_HOOK_AUTO:
		decide_auto_hook(policy, facts, mode);
		break;
	}
	return check_hook(policy, facts, mode, error);
}

/**
 * mode_decide() - Decide who routes, where the ingress program sits, and how the forwarder is reached
 * @question: with the policy after environment_apply(); who is warned hears of variables that
 *	contradict each other
 * @mode: is filled on success, with short phrases that say why
 * @error: set on failure
 *
 * Routing, first that applies: NB_DISABLE_USERSPACE_ROUTING, NB_FORCE_USERSPACE_ROUTER,
 * NB_FORCE_NATIVE_ROUTER, the policy file, and for its "auto": native where the kernel forwards
 * either family and netstack is off, else userspace.  Input of the forwarder: the policy file, and
 * for its "auto": the TUN, which TC reaches, where AF_XDP cannot carry what the link brings.
 * Hook: the policy file, and for its "auto": TC for that TUN, XDP where the driver runs it or AF_XDP
 * needs it, else TC, which leaves GRO on and translates.
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
