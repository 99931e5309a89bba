/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The connection tables of a generation in force, kept in order: a sweep every now and then, and
 * room in a full table the moment that the programs report it (pressure.h).
 */
#ifndef SHRIKE_CONNTRACK_UPKEEP_H
#define SHRIKE_CONNTRACK_UPKEEP_H

#include "conntrack/relief.h"
#include "conntrack/snat_sweep.h"
#include "conntrack/sweep.h"
#include "conntrack/tables.h"
#include "kernel/map_set.h"

struct ring_buffer;

struct upkeep {
	/* private to upkeep.c */
	struct conntrack conntrack;
	struct sweep sweep;
	struct snat_sweep snat;
	struct relief relief;
	struct instance instance;     /* of the generation that is followed */
	struct ring_buffer *pressure; /* NULL: there is none */
	int epoll_fd;
	int sweep_fd;
	int relief_fd;
};

int upkeep_init(struct upkeep *upkeep, removal_fn deleted, void *arg, struct error *error);
int upkeep_follow(struct upkeep *upkeep, const struct map_set *maps,
		  const struct instance *instance, struct error *error);
int upkeep_fd(const struct upkeep *upkeep);
int upkeep_ready(struct upkeep *upkeep, bool is_attached, struct error *error);
void upkeep_free(struct upkeep *upkeep);

#endif /* SHRIKE_CONNTRACK_UPKEEP_H */
