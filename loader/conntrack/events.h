/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Subscribes to the flow events of an interface (flow_event.h), and reports those of removed flows.
 */
#ifndef SHRIKE_CONNTRACK_EVENTS_H
#define SHRIKE_CONNTRACK_EVENTS_H

#include "conntrack/removal.h"
#include "flow_event.h"
#include "kernel/map_set.h"

#define FLOW_EVENTS_RING_BYTES (4u << 20) /* some 37,000 events */

typedef int (*flow_on_event)(void *arg, const struct flow_event *event);

struct flow_events;

int flow_gate_map(const struct map_set *maps, struct flow_gate **gate, struct error *error);

struct flow_events *flow_events_open(const struct map_set *maps, const char *ifname,
				     flow_on_event on_event, void *arg, struct error *error);
int flow_events_fd(const struct flow_events *events);
int flow_events_read(struct flow_events *events, struct error *error);
void flow_events_keep(struct flow_events *events);
uint64_t flow_events_missed_ns(const struct flow_events *events);
uint64_t flow_events_lost(const struct flow_events *events);
void flow_events_close(struct flow_events *events);
void flow_events_reap(const struct map_set *maps, const char *ifname);

struct flow_event flow_event_of(const struct flow_view *view, uint32_t ifindex);
bool flow_has_ended(const struct flow_view *view);
void flow_event_report(int prog_fd, uint32_t ifindex, const struct flow_view *view,
		       enum removal_reason reason);

#endif /* SHRIKE_CONNTRACK_EVENTS_H */
