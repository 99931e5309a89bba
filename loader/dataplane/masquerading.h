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

struct hook_maps masquerading_hook_maps(const struct map_set *maps);
bool masquerading_read(const struct map_set *maps, struct masquerade *masquerade);
int masquerading_check(const struct dataplane_request *request, struct error *error);
void masquerading_set(struct generation *generation, const struct masquerade *masquerade);
void masquerading_carry(const struct map_set *from, struct generation *to);
int masquerading_sync(struct dataplane *dataplane, struct error *error);
int masquerading_follow(struct dataplane *dataplane, struct error *error);
int masquerading_leave(const struct map_set *maps, const char *ifname, struct error *error);
int masquerading_pin(const struct map_set *maps, struct pins *pins, struct error *error);

#endif /* SHRIKE_DATAPLANE_MASQUERADING_H */
