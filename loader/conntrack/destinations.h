/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the connections that are alive lead to.
 */
#ifndef SHRIKE_CONNTRACK_DESTINATIONS_H
#define SHRIKE_CONNTRACK_DESTINATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "conntrack/tables.h"

/*
 * struct destinations - addresses of the ends that did not open a connection
 * @addrs: sorted; IPv4 is v4-mapped
 */
struct destinations {
	union addr *addrs;
	size_t n;
	size_t room;
};

int destinations_read(const struct map_set *maps, const struct instance *instance,
		      struct destinations *destinations, struct error *error);
bool destinations_have(const struct destinations *destinations, const struct prefix *prefix);
void destinations_free(struct destinations *destinations);

#endif /* SHRIKE_CONNTRACK_DESTINATIONS_H */
