/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy as text: YAML for people, a rule per paragraph and what was not carried as comments,
 * or JSON.
 */
#ifndef SHRIKE_NETBIRD_WRITE_H
#define SHRIKE_NETBIRD_WRITE_H

#include "netbird/draft.h"
#include "netbird/peers.h"

#define NETBIRD_ORIGIN_MAX 160

/*
 * struct netbird_draft_policy - a policy that is ready to be written
 * @drafts: its rules, finished, its sets and notes
 * @peers: its names, finished
 * @nat: its port translations, an array of objects
 * @origin: which map it was made of; printable
 */
struct netbird_draft_policy {
	struct drafts drafts;
	struct netbird_peers peers;
	json_t *nat;
	char origin[NETBIRD_ORIGIN_MAX];
};

int netbird_write(const struct netbird_draft_policy *policy, bool json, char **text, size_t *len);

#endif /* SHRIKE_NETBIRD_WRITE_H */
