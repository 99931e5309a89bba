/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NetBird's part of a policy made of the tables that NetBird keeps in nftables, where its daemon
 * gives no rules: exactly, or not at all.
 */
#ifndef SHRIKE_NETBIRD_NFT_MIRROR_H
#define SHRIKE_NETBIRD_NFT_MIRROR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * struct nft_mirrored - NetBird's part of a policy
 * @text: a JSON object
 * @len: of @text
 * @generation: of nftables
 * @has: what there is of what NetBird always has, to be expected from then on; bits of nft_mirror.c
 */
struct nft_mirrored {
	char *text;
	size_t len;
	uint32_t generation;
	uint32_t has;
};

int nft_mirror_read(const char *ifname, uint32_t expected, struct nft_mirrored *mirrored,
		    struct error *error);

#endif /* SHRIKE_NETBIRD_NFT_MIRROR_H */
