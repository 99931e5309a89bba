/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps the local address maps of include/local.h equal to what the kernel delivers on this host:
 * its addresses, and the routes of type local, broadcast and anycast of every routing table.
 *
 * Invariant, at every moment and even where a change fails half-way: an address that is local
 * before and after a change is local all the time.
 */
#ifndef SHRIKE_DATAPLANE_LOCAL_ADDRESSES_H
#define SHRIKE_DATAPLANE_LOCAL_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "local.h"
#include "policy/policy.h"

struct local_maps {
	int filter_fd; /* local_filter_v1 */
	int addr_fd;   /* local_addr_v1 */
	int prefix_fd; /* local_prefix_v1 */
	int epoch_fd;  /* ct_epoch_v1; negative: there is none */
};

struct local_address {
	struct prefix prefix; /* of full length: a single address */
	uint8_t kind;	      /* LOCAL_HOST, LOCAL_OVERLAY or LOCAL_BROADCAST */
};

int addresses_sync(const struct local_maps *maps, int ifindex, size_t *changes,
		   struct error *error);
int addresses_sync_list(const struct local_maps *maps, const struct local_address *list,
			size_t count, size_t *changes, struct error *error);
int addresses_overlay_prefixes(int ifindex, struct prefix **prefixes, size_t *count,
			       struct error *error);

#endif /* SHRIKE_DATAPLANE_LOCAL_ADDRESSES_H */
