/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flow events of an interface refer to: rules, names of addresses, uplinks.  For commands
 * that follow an interface over changes of its policy.
 */
#ifndef SHRIKE_DATAPLANE_EVENT_CONTEXT_H
#define SHRIKE_DATAPLANE_EVENT_CONTEXT_H

#include "base/error.h"
#include "conntrack/event_print.h"
#include "dataplane/attached.h"
#include "dataplane/rule_names.h"
#include "flow_event.h"
#include "masquerade.h"
#include "policy/names.h"

/* All zero but for attached.maps, which map_set_init() fills: not open. */
struct event_context {
	struct attached attached;
	struct rule_names rules;
	struct names names;	      /* of addresses, as of the last look */
	struct masquerade masquerade; /* as of the last look */
};

int event_context_open(struct event_context *context, int ifindex, struct error *error);
int event_context_refresh(struct event_context *context, struct error *error);
struct flow_event_names event_context_names(struct event_context *context,
					    const struct flow_event *event);
void event_context_close(struct event_context *context);

#endif /* SHRIKE_DATAPLANE_EVENT_CONTEXT_H */
