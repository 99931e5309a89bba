/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon says of its map and its configuration, made into NetBird's part of a policy.
 */
#ifndef SHRIKE_FOLLOW_TRANSLATE_H
#define SHRIKE_FOLLOW_TRANSLATE_H

#include "base/error.h"
#include "follow/networks.h"
#include "netbird/import.h"

struct daemon_config;

int translate_map(const struct netbird_map *map, const struct daemon_config *config,
		  const struct networks *networks, struct netbird_import *to, struct error *error);

#endif /* SHRIKE_FOLLOW_TRANSLATE_H */
