/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nftables with the rules of a rule set, and packets that run through it.
 *
 * nftables cannot be called by itself.  So packets are written to a TUN device in a network
 * namespace of their own: the write returns when the packet has gone through the prerouting hook,
 * all in the writer's CPU time.  What is measured against is the same without rules.
 */
#ifndef SHRIKE_BENCH_NFT_H
#define SHRIKE_BENCH_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "classify/classifier.h"
#include "model/rulesets.h"

enum nft_form {
	NFT_EMPTY,  /* no rule */
	NFT_LINEAR, /* a rule for a rule, with anonymous sets for lists */
	NFT_SETS,   /* hashes and concatenated interval sets */
	NFT_FORMS,
};

struct nft {
	int netns;
	int tun;
};

bool nft_write_rules(const struct ruleset *set, enum nft_form form, FILE *text);
bool nft_open(struct nft *nft, const struct ruleset *set, enum nft_form form);
void nft_close(struct nft *nft);
double nft_run(const struct nft *nft, const struct classifier_key *keys, size_t n_keys, size_t n);
uint64_t nft_allowed(const struct nft *nft);

#endif /* SHRIKE_BENCH_NFT_H */
