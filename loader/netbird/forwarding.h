/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Forwarding rules of a network map, as port translations.
 */
#ifndef SHRIKE_NETBIRD_FORWARDING_H
#define SHRIKE_NETBIRD_FORWARDING_H

#include "netbird/draft.h"

void netbird_forwarding(struct drafts *all, const json_t *map, json_t *nat);

#endif /* SHRIKE_NETBIRD_FORWARDING_H */
