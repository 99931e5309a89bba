/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/mode_words.h"

#include <stddef.h>

#include "config.h"
#include "policy/settings.h"

const char *const policy_routing_words[] = {
	[POLICY_ROUTING_AUTO] = "auto",
#define ROUTING(id, name) [POLICY_ROUTING_##id] = name,
	ROUTINGS(ROUTING)
#undef ROUTING
		[ROUTING_MAX + 1] = NULL,
};

const char *const policy_hook_words[] = {
	[POLICY_HOOK_AUTO] = "auto",
#define HOOK(id, name) [POLICY_HOOK_##id] = name,
	HOOKS(HOOK)
#undef HOOK
		[HOOK_MAX + 1] = NULL,
};

const char *const policy_forwarder_input_words[] = {
	[POLICY_FORWARDER_INPUT_AUTO] = "auto",
#define FORWARDER_INPUT(id, name) [POLICY_FORWARDER_INPUT_##id] = name,
	FORWARDER_INPUTS(FORWARDER_INPUT)
#undef FORWARDER_INPUT
		[FORWARDER_INPUT_MAX] = NULL,
};
