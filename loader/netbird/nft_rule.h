/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One rule of nftables as NetBird makes them, taken apart exactly or not at all.
 */
#ifndef SHRIKE_NETBIRD_NFT_RULE_H
#define SHRIKE_NETBIRD_NFT_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/value.h"
#include "kernel/nftables.h"

#define NFT_NAME_SIZE 64
#define NFT_WHY_SIZE  128

enum nft_action {
	NFT_ACTION_NONE, /* the next rule is asked */
	NFT_ACTION_ACCEPT,
	NFT_ACTION_DROP,
	NFT_ACTION_JUMP,
	NFT_ACTION_DNAT,
};

/* Addresses that a rule matches: all, those of a prefix, or those of a set. */
struct nft_side {
	bool is_set;
	bool is_prefix;
	struct prefix prefix;
	char set[NFT_NAME_SIZE];
};

/*
 * struct nft_rule - a rule
 * @chain: that it is in
 * @iif: of has_iif: the device that packets come from; of is_iif_other: any other one
 * @ct_states: of which the connection has one, as bits; 0: whatever it has
 * @mark: of has_mark: that packets have
 * @protocol: -1: any
 * @ports: of the destination; first is 0: any
 * @jump: of NFT_ACTION_JUMP: the chain
 * @to, @to_port: of NFT_ACTION_DNAT
 */
struct nft_rule {
	char chain[NFT_NAME_SIZE];
	char iif[NFT_NAME_SIZE];
	bool has_iif;
	bool is_iif_other;
	uint32_t ct_states;
	bool has_mark;
	uint32_t mark;
	int protocol;
	struct port_range ports;
	struct nft_side source;
	struct nft_side destination;
	enum nft_action action;
	char jump[NFT_NAME_SIZE];
	struct prefix to;
	uint16_t to_port;
};

int nft_rule_read(const struct nftables_message *message, uint8_t ip_version, struct nft_rule *rule,
		  char why[NFT_WHY_SIZE]);
const char *nft_rule_chain(const struct nftables_message *message);

#endif /* SHRIKE_NETBIRD_NFT_RULE_H */
