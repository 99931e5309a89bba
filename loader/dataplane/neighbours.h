/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Other interfaces of the network namespace with routing by NAT.  All share the maps of answers
 * (masquerade.h), so that an uplink can serve several.
 */
#ifndef SHRIKE_DATAPLANE_NEIGHBOURS_H
#define SHRIKE_DATAPLANE_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/map_set.h"

/* Values of struct config.nat_owner. */
#define NEIGHBOURS_MAX 64

/*
 * struct neighbours - what is in force on them
 * @answers: the maps of answers; none where there are no neighbours
 * @owners: a bit for each number of theirs
 */
struct neighbours {
	struct map_set answers;
	uint64_t owners;
};

int neighbours_find(int ifindex, struct neighbours *neighbours, struct error *error);
int neighbours_number(const struct neighbours *neighbours, int preferred, uint8_t *owner,
		      struct error *error);
int neighbours_forget(const struct map_set *answers, uint8_t owner, struct error *error);
void neighbours_free(struct neighbours *neighbours);

#endif /* SHRIKE_DATAPLANE_NEIGHBOURS_H */
