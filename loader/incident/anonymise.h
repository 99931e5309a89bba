/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Other addresses and names for those of a report, so that it can be given away.
 *
 * Addresses keep their prefixes: two that have their first n bits in common have as many in common
 * afterwards (Fan, Xu, Ammar and Moon, "Prefix-preserving IP address anonymization", 2004: Crypto-PAn,
 * here with SHA-256 of a key and the bits before in the place of AES).  Names and ids become digests.
 * The key is random, and is not kept: the same address is the same within one report alone.
 *
 * Left as they are: what is the same on every host (0.0.0.0, 127.0.0.1, 255.255.255.255, :: and ::1).
 * What has a meaning of its own keeps it, or rules and programs would decide otherwise: a multicast
 * address becomes another multicast address, and no other address becomes one; so with reserved,
 * loopback, link-local and unique local addresses.  That shows the bits by which an address differs from
 * these: its first three at least.
 */
#ifndef SHRIKE_INCIDENT_ANONYMISE_H
#define SHRIKE_INCIDENT_ANONYMISE_H

#include <jansson.h>
#include <stdint.h>

#include "abi.h"
#include "base/error.h"

struct anonymiser;

int anonymiser_new(struct anonymiser **anonymiser, struct error *error);
void anonymiser_hide(struct anonymiser *anonymiser, const char *name);
void anonymiser_address(const struct anonymiser *anonymiser, const union addr *addr,
			uint8_t ip_version, union addr *other);
void anonymiser_host(const struct anonymiser *anonymiser, union addr *addr, uint8_t ip_version);
json_t *anonymiser_string(struct anonymiser *anonymiser, const char *text);
json_t *anonymiser_json(struct anonymiser *anonymiser, const json_t *value);
void anonymiser_free(struct anonymiser *anonymiser);

#endif /* SHRIKE_INCIDENT_ANONYMISE_H */
