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

#include "base/error.h"

/*
 * struct netbird_import - a policy made from a network map
 * @policy: an object as a policy file holds it
 * @notes: an array of strings: what is not carried, or not exactly
 * @origin: which map it was, for a comment; printable
 */
struct netbird_import {
	json_t *policy;
	json_t *notes;
	char origin[160];
};

int netbird_import(const json_t *root, struct netbird_import *result, struct error *error);
void netbird_import_free(struct netbird_import *result);
int netbird_write(const struct netbird_import *import, char **text, size_t *len,
		  struct error *error);

#endif /* SHRIKE_NETBIRD_IMPORT_H */
