/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "netbird/peers.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netbird/proto.h"
#include "policy/names.h"

/**
 * peers_add_address() - Add an address of a peer
 * @peers: the peers
 * @fqdn: its name; nothing is added where it has none
 * @addr: a single address
 *
 * Return: 0 or -ENOMEM.
 */
int peers_add_address(struct netbird_peers *peers, const char *fqdn, const struct prefix *addr)
{
	char *name;

	if (!*fqdn)
		return 0;
	if (peers->n == peers->room) {
		size_t room = peers->room * 2 + 64;
		struct netbird_peer *larger = realloc(peers->peers, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		peers->peers = larger;
		peers->room = room;
	}
	name = strdup(fqdn);
	if (!name)
		return -ENOMEM;
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	peers->peers[peers->n++] = (struct netbird_peer){.name = name, .addr = *addr};
	return 0;
}

/**
 * peers_add() - Add what a map says of another peer
 * @peers: the peers
 * @entry: the message
 *
 * Return: 0 or -ENOMEM.
 */
int peers_add(struct netbird_peers *peers, const json_t *entry)
{
	const json_t *value;
	struct prefix addr;
	size_t i;

	if (!peers->keys)
		peers->keys = json_object();
	if (json_object_set_new(peers->keys, proto_text(entry, "wgPubKey"), json_true()))
		return -ENOMEM;
	json_array_foreach (proto_get(entry, "allowedIps"), i, value) {
		const char *text = proto_string(value);

		/* what is shorter is a network behind the peer */
		if (text && !proto_prefix(text, &addr) &&
		    addr.len == prefix_bits(addr.ip_version) &&
		    peers_add_address(peers, proto_text(entry, "fqdn"), &addr))
			return -ENOMEM;
	}
	return 0;
}

static size_t label_len(const char *name)
{
	return strcspn(name, ".");
}

/* By the first label, then by the whole name, then by the address. */
static int compare_peers(const void *a, const void *b)
{
	const struct netbird_peer *x = a, *y = b;
	size_t n = label_len(x->name), m = label_len(y->name);
	int order = memcmp(x->name, y->name, n < m ? n : m);

	order = order ? order : (n > m) - (n < m);
	order = order ? order : strcmp(x->name, y->name);
	order = order ? order
		      : (x->addr.ip_version > y->addr.ip_version) -
				(x->addr.ip_version < y->addr.ip_version);
	return order ? order : memcmp(&x->addr.addr, &y->addr.addr, sizeof(x->addr.addr));
}

static bool is_same_label(const struct netbird_peer *a, const struct netbird_peer *b)
{
	size_t n = label_len(a->name);

	return n == label_len(b->name) && !memcmp(a->name, b->name, n);
}

/* Cut the names of peers that share none of their first labels; others stay whole. */
static void cut_names(struct netbird_peers *peers)
{
	size_t end;

	for (size_t i = 0; i < peers->n; i = end) {
		struct netbird_peer *first = &peers->peers[i];
		bool is_shared = false;
		char label[NAME_MAX_BYTES + 1];

		for (end = i + 1; end < peers->n && is_same_label(first, &peers->peers[end]); end++)
			is_shared |= strcmp(first->name, peers->peers[end].name) != 0;
		if (is_shared || label_len(first->name) >= sizeof(label))
			continue;
		memcpy(label, first->name, label_len(first->name));
		label[label_len(first->name)] = '\0';
		for (size_t same = i; names_is_valid(label) && same < end; same++)
			strcpy(peers->peers[same].name, label);
	}
}

/**
 * peers_finish() - Give each peer the name that it has in a policy
 * @peers: sorted; those without a name that a policy can have are left out
 */
void peers_finish(struct netbird_peers *peers)
{
	size_t n = 0;

	if (peers->n > 1)
		qsort(peers->peers, peers->n, sizeof(*peers->peers), compare_peers);
	cut_names(peers);
	for (size_t i = 0; i < peers->n; i++) {
		struct netbird_peer *peer = &peers->peers[i];
		bool is_known = n && !strcmp(peers->peers[n - 1].name, peer->name) &&
				prefix_equal(&peers->peers[n - 1].addr, &peer->addr);

		if (names_is_valid(peer->name) && !is_known)
			peers->peers[n++] = *peer;
		else
			free(peer->name);
	}
	peers->n = n;
}

/**
 * peers_free() - Release all peers
 */
void peers_free(struct netbird_peers *peers)
{
	for (size_t i = 0; i < peers->n; i++)
		free(peers->peers[i].name);
	free(peers->peers);
	json_decref(peers->keys);
	*peers = (struct netbird_peers){0};
}
