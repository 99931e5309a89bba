/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's network map, as `netbird debug bundle` writes it into network_map.json, made into a
 * policy.
 *
 * The policy never allows what the map does not.  What has no counterpart in a policy is noted: a
 * rule that allows is left out then, and one that denies is carried so that it denies more.
 */
#ifndef SHRIKE_NETBIRD_IMPORT_H
#define SHRIKE_NETBIRD_IMPORT_H

#include <jansson.h>
#include <stddef.h>

#include "base/address.h"
#include "base/error.h"

/* A setting of NetBird's that is not in the map. */
enum netbird_setting {
	NETBIRD_UNKNOWN,
	NETBIRD_OFF,
	NETBIRD_ON,
};

/*
 * struct netbird_options - how a map is to be read; all zero: nothing is known beside it
 * @block_inbound: NetBird lets nothing in, neither to this host nor to be routed
 * @block_lan_access: NetBird routes nothing to the networks of this host, which are @lan
 * @lan: networks of this host
 * @n_lan: how many
 * @dynamic_any: routes to domains whose addresses NetBird does not resolve lead to any address,
 *		 as in NetBird, and not to sets that are empty
 * @fills_sets: the sets of domains will be filled: not said that they are empty
 * @json: the policy is to be JSON
 */
struct netbird_options {
	enum netbird_setting block_inbound;
	enum netbird_setting block_lan_access;
	const struct prefix *lan;
	size_t n_lan;
	bool dynamic_any;
	bool fills_sets;
	bool json;
};

/*
 * struct netbird_import - a policy made from a network map
 * @text: the policy as a file has it, NUL-terminated
 * @len: of @text
 * @notes: an array of strings: what is not carried, or not exactly
 * @sets: an object: for each of the policy's sets an array of the domains it stands for
 * @serial: of the map; 0: it has none
 */
struct netbird_import {
	char *text;
	size_t len;
	json_t *notes;
	json_t *sets;
	uint64_t serial;
};

/* A network map as it was read: JSON that need not end with a NUL. */
struct netbird_map {
	const char *path; /* for messages */
	const char *text;
	size_t len;
};

int netbird_import(const struct netbird_map *map, const struct netbird_options *options,
		   struct netbird_import *result, struct error *error);
void netbird_import_free(struct netbird_import *result);

#endif /* SHRIKE_NETBIRD_IMPORT_H */
