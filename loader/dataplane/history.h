/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policies that were in force on an interface: who changed them, when and why.
 *
 * A file for each, /var/lib/shrike/[netns-INODE/]IFACE/history/NUMBER: a line of JSON, and the policy's
 * text without NetBird's part, which the daemon's map makes anew.  SHRIKE_STATE in the environment names
 * another directory than /var/lib/shrike.  Beside history/ the file "counted" says since when hits are
 * counted, and by which tables.  All of that is written under the lock of dataplane_apply().
 *
 * Changes of NetBird's map are many where networks are busy, and no text of the user's: the last ones are
 * in a file of their own, "maps", so that they push no policy out.  Whoever follows the daemon writes it.
 */
#ifndef SHRIKE_DATAPLANE_HISTORY_H
#define SHRIKE_DATAPLANE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/dataplane.h"
#include "dataplane/generation.h"

/*
 * struct history_entry - a policy that came into force
 * @number: from 1; higher ones came later
 * @time_ns: CLOCK_REALTIME
 * @uid: of who asked for it, or CHANGE_NO_UID
 * @sudo_uid: who was that by sudo, or CHANGE_NO_UID
 * @cause: why
 * @path: the file; NULL: the default policy
 * @text: the policy, NUL-terminated
 */
struct history_entry {
	uint32_t number;
	uint32_t generation;
	uint64_t time_ns;
	uint32_t uid;
	uint32_t sudo_uid;
	char *cause;
	char *path;
	char *text;
	size_t len;
};

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
void history_note(const struct dataplane_request *request, const struct policy *policy,
		  const struct generation *generation);
bool history_counted_since(const char *ifname, const struct map_set *maps, uint64_t *time_ns);
int history_list(const char *ifname, uint32_t **numbers, size_t *n, struct error *error);
int history_read(const char *ifname, uint32_t number, struct history_entry *entry,
		 struct error *error);
void history_entry_free(struct history_entry *entry);

#endif /* SHRIKE_DATAPLANE_HISTORY_H */
