/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The last maps of NetBird's that came into force on an interface.
 *
 * Changes of a map are many where networks are busy, and no text of the user's: they are in a file of
 * their own, "maps" beside history.h's, so that they push no policy out.  Whoever follows the daemon
 * writes it.
 */
#ifndef SHRIKE_DATAPLANE_HISTORY_MAPS_H
#define SHRIKE_DATAPLANE_HISTORY_MAPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * struct history_map - a map of NetBird's that came into force
 * @time_ns: CLOCK_REALTIME
 * @serial: of the map
 * @digest: digest_number() of its part of the policy: a serial may stand for another map after a while
 * @rules_added: by it, or CHANGE_NO_COUNT, as are the next ones
 * @rules_removed: a rule that is another one now is both
 * @cut: connections that ended with it
 */
struct history_map {
	uint64_t time_ns;
	uint64_t serial;
	uint64_t digest;
	uint32_t generation;
	uint32_t rules_added;
	uint32_t rules_removed;
	uint32_t cut;
};

int history_note_map(const char *ifname, const struct history_map *map, struct error *error);
int history_list_maps(const char *ifname, struct history_map **maps, size_t *n,
		      struct error *error);

#endif /* SHRIKE_DATAPLANE_HISTORY_MAPS_H */
