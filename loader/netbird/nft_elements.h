/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Elements of an nftables set of addresses, as prefixes.
 */
#ifndef SHRIKE_NETBIRD_NFT_ELEMENTS_H
#define SHRIKE_NETBIRD_NFT_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "kernel/nftables.h"

#define NFT_ELEMENTS_MAX 1000000 /* of a set */

/* An address at which an interval begins or ends; of a set without intervals an address. */
struct nft_bound {
	uint8_t bytes[16]; /* as many as the family has */
	bool is_end;	   /* the first address behind the interval */
};

/*
 * struct nft_elements - what has been read of a set
 * @ip_version: enum ip_version
 * @is_interval: the set has NFT_SET_INTERVAL
 */
struct nft_elements {
	uint8_t ip_version;
	bool is_interval;
	struct nft_bound *bounds;
	size_t n;
	size_t room;
};

int nft_elements_read(struct nft_elements *elements, const struct nftables_message *message);
int nft_elements_prefixes(struct nft_elements *elements, struct prefix **prefixes, size_t *n);

#endif /* SHRIKE_NETBIRD_NFT_ELEMENTS_H */
