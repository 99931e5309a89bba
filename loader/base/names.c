/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/names.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>

#include "config.h"
#include "reason.h"
#include "rule.h"

/* A table of the names that a list of its header gives. */
#define NAME(id, name, ...)  name,
#define HELP(id, name, help) help,
#define NAMES(what, list, n)                                                                       \
	static const char *const what[] = {list(NAME)};                                            \
	_Static_assert(sizeof(what) / sizeof(*(what)) == (n), "each value has a name")

NAMES(acl_names, ACLS, ACL_MAX);
NAMES(direction_names, DIRECTIONS, DIR_MAX);
NAMES(flow_state_names, FLOW_STATES, FLOW_STATE_MAX);
NAMES(hook_names, HOOKS, HOOK_MAX);
NAMES(reason_names, REASONS, REASON_MAX);
NAMES(routing_names, ROUTINGS, ROUTING_MAX);
NAMES(verdict_names, VERDICTS, VERDICT_MAX);

static const char *const input_names[] = {"none", FORWARDER_INPUTS(NAME)};
_Static_assert(sizeof(input_names) / sizeof(*input_names) == FORWARDER_INPUT_MAX,
	       "each value has a name");

static const char *const reason_helps[] = {REASONS(HELP)};

static const char *name_of(const char *const *names, size_t n, unsigned int id)
{
	return id < n ? names[id] : "unknown";
}

/**
 * acl_name() - The key of an ACL in a policy
 * @acl: enum acl
 */
const char *acl_name(unsigned int acl)
{
	return name_of(acl_names, ACL_MAX, acl);
}

/**
 * direction_name() - "ingress" or "egress"
 * @direction: enum direction
 */
const char *direction_name(unsigned int direction)
{
	return name_of(direction_names, DIR_MAX, direction);
}

/**
 * port_protocol_name() - The name of a protocol with ports, as in policies and JSON
 * @l4_proto: its number
 *
 * Return: a constant string, NULL for other protocols.
 */
const char *port_protocol_name(unsigned int l4_proto)
{
	switch (l4_proto) {
#define PROTOCOL(id, name, number)                                                                 \
	case number:                                                                               \
		return #name;
		PORT_PROTOCOLS(PROTOCOL)
#undef PROTOCOL
	default:
		return NULL;
	}
}

/**
 * flow_protocol_name() - The name of a protocol, as in policies and filters
 * @l4_proto: its number
 * @ip_version: 4 or 6
 * @number: room for the name of a protocol that has only its number
 *
 * Return: "tcp", "udp", "icmp" (ICMPv6 too: the family differs), or @number.
 */
const char *flow_protocol_name(uint8_t l4_proto, uint8_t ip_version,
			       char number[FLOW_PROTOCOL_NUMBER])
{
	const char *name = port_protocol_name(l4_proto);

	if (name)
		return name;
	if (l4_proto == (ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return "icmp";
	snprintf(number, FLOW_PROTOCOL_NUMBER, "%u", l4_proto);
	return number;
}

/**
 * flow_state_name() - The name of a connection state
 * @state: enum flow_state
 */
const char *flow_state_name(unsigned int state)
{
	return name_of(flow_state_names, FLOW_STATE_MAX, state);
}

/**
 * forwarder_input_name() - How packets reach the userspace forwarder, as policies name it
 * @input: enum forwarder_input
 */
const char *forwarder_input_name(unsigned int input)
{
	return name_of(input_names, FORWARDER_INPUT_MAX, input);
}

/**
 * hook_name() - The hook of inbound packets, as policies name it
 * @hook: enum hook
 */
const char *hook_name(unsigned int hook)
{
	return name_of(hook_names, HOOK_MAX, hook);
}

/**
 * native_acl_name() - What native routing does with route_acl, as policies say it
 * @enforced: 0 or 1
 */
const char *native_acl_name(unsigned int enforced)
{
	return enforced ? "enforce" : "skip";
}

/**
 * reason_help() - What a reason means
 * @reason: enum reason
 */
const char *reason_help(unsigned int reason)
{
	return name_of(reason_helps, REASON_MAX, reason);
}

/**
 * reason_name() - The name of a reason
 * @reason: enum reason
 */
const char *reason_name(unsigned int reason)
{
	return name_of(reason_names, REASON_MAX, reason);
}

/**
 * routing_name() - What becomes of packets that are not for this host, as policies name it
 * @routing: enum routing
 */
const char *routing_name(unsigned int routing)
{
	return name_of(routing_names, ROUTING_MAX, routing);
}

/**
 * verdict_name() - The name of a verdict
 * @verdict: enum verdict
 */
const char *verdict_name(unsigned int verdict)
{
	return name_of(verdict_names, VERDICT_MAX, verdict);
}
