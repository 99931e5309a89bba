/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether NetBird's tables in nftables are whole: it makes and removes them, and what is in them, one after
 * the other, and half of them would be taken for a map with fewer rules.
 */
#ifndef SHRIKE_NETBIRD_NFT_WHOLE_H
#define SHRIKE_NETBIRD_NFT_WHOLE_H

#include <stdint.h>

#include "base/error.h"
#include "rule.h"

/* The chains whose rules are those of the map. */
#define NFT_INPUT_RULES	  "netbird-acl-input-rules"
#define NFT_FORWARD_RULES "netbird-rt-fwd"

/* What a table has as long as NetBird is neither about to make nor to remove it, as bits. */
#define NFT_HAS_TABLE	     (1u << 0)
#define NFT_HAS_ANSWERS(acl) (1u << (1 + (acl))) /* the rule that lets answers pass */

/* Those bits of the table of a family, 0 for IPv4 and 1 for IPv6, among those of both. */
#define NFT_HAS_OF(family, has) ((uint32_t)(has) << (family) * (1 + ACL_MAX))

const char *nft_family_name(uint8_t ip_version);
int nft_whole_check(uint32_t has, uint32_t expected, struct error *error);

#endif /* SHRIKE_NETBIRD_NFT_WHOLE_H */
