/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/generation_config.h"

#include "fragment.h"

#define IPV4_TCP_HEADERS 40 /* IPv4 and TCP header without options, bytes (RFC 6691) */
#define IPV6_TCP_HEADERS 60

/* Timeouts of a policy as the programs know them, by state. */
static void set_timeouts(const struct policy_timeouts *timeouts, struct config *config)
{
/* clang-format off */
#define STATE(id) config->timeout_ns[FLOW_STATE_##id] =
#define FRAGMENTS config->fragment_timeout_ns =
#define TIMEOUT(name, seconds, what) what timeouts->name;
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
#undef FRAGMENTS
#undef STATE
	/* clang-format on */
	config->timeout_ns[FLOW_STATE_CLOSED] = FLOW_CLOSED_NS;
}

/* Each state has one timeout, but for those that no entry has or that no policy decides. */
#define STATE(id) +(1 << FLOW_STATE_##id)
#define FRAGMENTS
#define TIMEOUT(name, seconds, what) what
_Static_assert(0 POLICY_TIMEOUTS(TIMEOUT) + (1 << FLOW_STATE_NONE) + (1 << FLOW_STATE_CLOSED) ==
		       (1 << FLOW_STATE_MAX) - 1,
	       "each state of a flow has one timeout");
#undef TIMEOUT
#undef FRAGMENTS
#undef STATE

/* What becomes of each kind of settings.h in struct config. */
#define CONFIG_flag(name)	     policy->mode.name
#define CONFIG_native_acl(name)	     policy->mode.name
#define CONFIG_routing(name)	     spec->mode->name
#define CONFIG_forwarder_input(name) spec->mode->name
#define CONFIG_hook(name)	     spec->mode->name

/**
 * generation_config() - The read-only settings of a generation's programs
 * @spec: what the generation is built for
 * @number: of the generation
 * @config: is filled, but for what the compiled rules decide
 */
void generation_config(const struct generation_spec *spec, uint32_t number, struct config *config)
{
	const struct policy *policy = spec->policy;

	set_timeouts(&policy->timeouts, config);
#define MODE(name, type, kind, value) config->name = CONFIG_##kind(name);
	POLICY_MODES(MODE)
#undef MODE
	config->generation = number;
	config->ifindex = spec->ifindex;
	config->snap_len = spec->snap_len;
	if (policy->mss_clamp && spec->mtu > IPV6_TCP_HEADERS) {
		config->mss4 = spec->mtu - IPV4_TCP_HEADERS;
		config->mss6 = spec->mtu - IPV6_TCP_HEADERS;
	}
	config->l2_len = spec->l2_len;
	config->nat_port = policy->n_nat_port > 0;
	config->nat_one_to_one = policy->n_one_to_one > 0;
	config->dry_run = spec->dry_run;
	config->trace = spec->trace;
	config->virtual_clock = spec->virtual_clock;
	config->nat_owner = spec->nat_owner;
	config->held_max = held_max(policy->limits.fragments);
}
