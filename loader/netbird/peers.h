/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The peers of a network map: their names, and which routes are theirs.
 */
#ifndef SHRIKE_NETBIRD_PEERS_H
#define SHRIKE_NETBIRD_PEERS_H

#include <jansson.h>
#include <stddef.h>

#include "base/address.h"

/*
 * struct netbird_peer - one address of a peer
 * @fqdn: its name in lower case, as peers_finish() leaves it: by its first label, or whole where
 *	  another peer has the same first label
 */
struct netbird_peer {
	char *name;
	struct prefix addr;
};

/*
 * struct netbird_peers - all of them; all zero: none yet
 * @peers: sorted by name after peers_finish()
 * @keys: an object of the WireGuard keys of the others
 */
struct netbird_peers {
	struct netbird_peer *peers;
	size_t n;
	size_t room;
	json_t *keys;
};

int peers_add(struct netbird_peers *peers, const json_t *entry);
int peers_add_address(struct netbird_peers *peers, const char *fqdn, const struct prefix *addr);
void peers_finish(struct netbird_peers *peers);
void peers_free(struct netbird_peers *peers);

#endif /* SHRIKE_NETBIRD_PEERS_H */
