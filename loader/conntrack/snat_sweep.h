/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Removing what leads from an uplink to flows that have ended (snat_in4_v1 and snat_in6_v1 of
 * masquerade.h), a piece at a time.
 *
 * The programs remove it with the flow.  Other interfaces' entries are none of ours.  But the kernel displaces openings from an LRU table without
 * any program seeing it, and what makes room in a full table removes flows alone.
 */
#ifndef SHRIKE_CONNTRACK_SNAT_SWEEP_H
#define SHRIKE_CONNTRACK_SNAT_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conntrack/tables.h"
#include "kernel/map_batch.h"

/*
 * struct snat_sweep - where the sweep is
 * @fds: of both maps, by family; -1: none
 * @owner: whose entries are looked at (struct config.nat_owner)
 * @removed: entries so far
 */
struct snat_sweep {
	int fds[2];
	uint8_t owner;
	uint64_t removed;

	/* private to snat_sweep.c */
	struct map_batch batch;
	bool is_6;
	bool in_map; /* batch is a walk over it that is not done */
};

int snat_sweep_init(struct snat_sweep *sweep, struct error *error);
void snat_sweep_restart(struct snat_sweep *sweep);
int snat_sweep_step(struct snat_sweep *sweep, const struct conntrack *conntrack,
		    struct error *error);
void snat_sweep_free(struct snat_sweep *sweep);

#endif /* SHRIKE_CONNTRACK_SNAT_SWEEP_H */
