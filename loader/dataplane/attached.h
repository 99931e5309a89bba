/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The generation in force on an interface, as the kernel reports it: programs at the hooks and the
 * maps that they hold.  Needs no pins and no process of ours.
 */
#ifndef SHRIKE_DATAPLANE_ATTACHED_H
#define SHRIKE_DATAPLANE_ATTACHED_H

#include <stdbool.h>

#include "conntrack/tables.h"
#include "counter.h"
#include "dataplane/generation_rules.h"
#include "kernel/hooks.h"
#include "kernel/map_set.h"
#include "kernel/netlink.h"
#include "policy/policy.h"

struct attached {
	int ifindex;
	struct hook_state hooks[HOOK_POINTS];
	enum hook_point ingress; /* XDP or TC ingress */
	struct map_set maps;
	struct instance instance;
};

bool attached_is_ours(const struct hook_state hooks[HOOK_POINTS]);
int attached_none(const char *ifname, struct error *error);
int attached_open(int ifindex, struct attached *attached, struct error *error);
int attached_read_text(const struct map_set *maps, const char *name, size_t want, char **text,
		       struct error *error);
int attached_policy_text(const struct attached *attached, char **text, size_t *len,
			 struct error *error);
int attached_policy(const struct attached *attached, struct policy **policy, struct error *error);
int attached_names(const struct attached *attached, struct names *names, struct error *error);
int attached_counters_read(int map_fd, struct counters totals[DIR_MAX], struct error *error);
int attached_counters(const struct map_set *maps, struct counters totals[DIR_MAX],
		      struct error *error);
bool attached_forwarder_device(const struct attached *attached, struct link_info *device);
void attached_close(struct attached *attached);

#endif /* SHRIKE_DATAPLANE_ATTACHED_H */
