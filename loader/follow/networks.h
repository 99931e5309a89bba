/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The networks of this host beside the overlay, to which block-lan-access lets nothing be routed.
 */
#ifndef SHRIKE_FOLLOW_NETWORKS_H
#define SHRIKE_FOLLOW_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/error.h"

#define NETWORKS_MAX 256

/*
 * struct networks - those of this host
 * @has_more: than NETWORKS_MAX: not all are listed
 */
struct networks {
	struct prefix list[NETWORKS_MAX];
	size_t n;
	bool has_more;
};

int networks_read(const char *overlay, struct networks *networks, struct error *error);

#endif /* SHRIKE_FOLLOW_NETWORKS_H */
