/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Routing by NAT: the uplinks of a generation.
 */
#ifndef SHRIKE_DATAPLANE_MASQUERADING_H
#define SHRIKE_DATAPLANE_MASQUERADING_H

#include "dataplane/dataplane.h"
#include "kernel/hooks.h"
#include "kernel/pins.h"
#include "masquerade.h"

/* Programs of uplinks with a link header and of those without, as struct generation has them; -1: none. */
struct uplink_programs {
	int fds[2];
};

struct hook_maps masquerading_hook_maps(const struct map_set *maps);
bool masquerading_read(const struct map_set *maps, struct masquerade *masquerade);
int masquerading_check(const struct dataplane_request *request, struct error *error);
void masquerading_set(struct generation *generation, const struct masquerade *masquerade);
void masquerading_carry(const struct map_set *from, struct generation *to);
int masquerading_sync(struct dataplane *dataplane, struct error *error);
int masquerading_follow(struct dataplane *dataplane, struct error *error);
int masquerading_replace(const struct map_set *maps, const struct uplink_programs *to,
			 struct uplink_programs *replaced, struct error *error);
int masquerading_restore(const struct map_set *maps, const struct uplink_programs *from,
			 const struct uplink_programs *to, struct error *error);
int masquerading_leave(const struct map_set *maps, const char *ifname, struct error *error);
int masquerading_pin(const struct map_set *maps, struct pins *pins, struct error *error);

#endif /* SHRIKE_DATAPLANE_MASQUERADING_H */
