/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listening to the flow events of an interface (flow_event.h), and telling some.
 */
#ifndef SHRIKE_CONNTRACK_EVENTS_H
#define SHRIKE_CONNTRACK_EVENTS_H

#include "conntrack/removal.h"
#include "flow_event.h"
#include "kernel/map_set.h"

#define FLOW_LISTEN_RING_BYTES (4u << 20) /* some 37,000 events */

typedef int (*flow_heard)(void *arg, const struct flow_event *event);

struct flow_listener;

int flow_listen_open(const struct map_set *maps, const char *ifname, flow_heard heard, void *arg,
		     struct flow_listener **listener, struct error *error);
int flow_listen_fd(const struct flow_listener *listener);
int flow_listen_read(struct flow_listener *listener, struct error *error);
void flow_listen_keep(struct flow_listener *listener);
uint64_t flow_listen_missed_ns(const struct flow_listener *listener);
uint64_t flow_listen_lost(const struct flow_listener *listener);
void flow_listen_close(struct flow_listener *listener);
void flow_listen_reap(const struct map_set *maps, const char *ifname);

void flow_event_report(int prog_fd, uint32_t ifindex, const struct flow_view *view,
		       enum removal_reason reason);

#endif /* SHRIKE_CONNTRACK_EVENTS_H */
