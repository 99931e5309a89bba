/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The entries of a network map's two lists of rules.
 */
#ifndef SHRIKE_NETBIRD_ENTRIES_H
#define SHRIKE_NETBIRD_ENTRIES_H

#include "netbird/draft.h"

#define COMPACT_MAX 17 /* bytes of a prefix */

bool entry_is_outgoing(struct drafts *all, size_t index, const json_t *entry);
void entry_read_peer_rule(struct drafts *all, size_t index, const json_t *entry);
void entry_read_route_rule(struct drafts *all, size_t index, const json_t *entry);

#endif /* SHRIKE_NETBIRD_ENTRIES_H */
