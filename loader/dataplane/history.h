/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policies that were in force on an interface: who changed them, when and why.
 *
 * A file for each, history/NUMBER in the directory of state_dir.h: a line of JSON, and the policy's
 * text without NetBird's part, which the daemon's map makes anew.  Beside history/ the file "counted" says
 * since when hits are counted, and by which tables.  All of that is written under the lock of
 * dataplane_apply().
 *
 * Who blocks or unblocks a peer leaves the policy as it was.  The note of that has a number, too, but no
 * text: its name is NUMBER-OTHER, where OTHER is the number of the file that has it.  Such notes may be
 * many, and push no policy out.
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

void history_note(const struct dataplane_request *request, const struct policy *policy,
		  const struct generation *generation);
bool history_counted_since(const char *ifname, const struct map_set *maps, uint64_t *time_ns);
int history_list(const char *ifname, uint32_t **numbers, size_t *n, struct error *error);
int history_read(const char *ifname, uint32_t number, struct history_entry *entry,
		 struct error *error);
void history_entry_free(struct history_entry *entry);

#endif /* SHRIKE_DATAPLANE_HISTORY_H */
