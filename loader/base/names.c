/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/names.h"

#include <netinet/in.h>
#include <stdio.h>

#include "counter.h"
#include "flow.h"
#include "reason.h"

static const char *const verdict_names[VERDICT_MAX] = {
	[VERDICT_PASS] = "pass",
	[VERDICT_DROP] = "drop",
	[VERDICT_FORWARD] = "forward",
};

static const char *const reason_names[REASON_MAX] = {
#define REASON(id, name, help) [REASON_##id] = name,
	REASONS(REASON)
#undef REASON
};

static const char *const reason_helps[REASON_MAX] = {
#define REASON(id, name, help) [REASON_##id] = help,
	REASONS(REASON)
#undef REASON
};

static const char *const state_names[FLOW_STATE_MAX] = {
#define STATE(id, name) [FLOW_STATE_##id] = name,
	FLOW_STATES(STATE)
#undef STATE
};

static const char *name_of(const char *const names[], size_t n, unsigned int id)
{
	return id < n ? names[id] : "unknown";
}

/**
 * verdict_name() - Name of an enum verdict, "unknown" beyond it
 * @verdict: any number
 */
const char *verdict_name(unsigned int verdict)
{
	return name_of(verdict_names, VERDICT_MAX, verdict);
}

/**
 * reason_name() - Name of an enum reason, "unknown" beyond it
 * @reason: any number
 */
const char *reason_name(unsigned int reason)
{
	return name_of(reason_names, REASON_MAX, reason);
}

/**
 * reason_help() - What an enum reason means, "unknown" beyond it
 * @reason: any number
 */
const char *reason_help(unsigned int reason)
{
	return name_of(reason_helps, REASON_MAX, reason);
}

/**
 * flow_state_name() - The name of a connection state, as users see it
 * @state: enum flow_state, or any other number
 *
 * Return: a constant string, "unknown" for other numbers.
 */
const char *flow_state_name(unsigned int state)
{
	return name_of(state_names, FLOW_STATE_MAX, state);
}

/**
 * flow_protocol_name() - The name of a protocol, as in policies and filters
 * @l4_proto: its number
 * @ip_version: 4 or 6
 * @number: room for the name of a protocol that has only its number
 *
 * Return: "tcp", "udp", "icmp" (ICMPv6 too: the family tells them apart), or @number.
 */
const char *flow_protocol_name(uint8_t l4_proto, uint8_t ip_version,
			       char number[FLOW_PROTOCOL_NUMBER])
{
	if (l4_proto == IPPROTO_TCP)
		return "tcp";
	if (l4_proto == IPPROTO_UDP)
		return "udp";
	if (l4_proto == (ip_version == IP_VERSION_4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return "icmp";
	snprintf(number, FLOW_PROTOCOL_NUMBER, "%u", l4_proto);
	return number;
}
