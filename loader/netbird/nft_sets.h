/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The domain sets that NetBird keeps in nftables, followed.
 *
 * An event only says which set is to be listed again, so what is known is always what was there at
 * some time, however many events there were or were lost.
 */
#ifndef SHRIKE_NETBIRD_NFT_SETS_H
#define SHRIKE_NETBIRD_NFT_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/nftables.h"
#include "netbird/domain_sets.h"

#define NETBIRD_TABLE "netbird"

struct nft_sets;

/* Called with a sentence about a set that is not understood, once for each time it is made. */
typedef void (*nft_sets_warn_fn)(void *arg, const char *text);

struct nft_sets *nft_sets_new(struct domain_sets *to, nft_sets_warn_fn warn, void *arg);
int nft_sets_follow(struct nft_sets *sets, struct error *error);
int nft_sets_fd(const struct nft_sets *sets);
int nft_sets_read(struct nft_sets *sets, uint64_t now_ns, struct error *error);
bool nft_sets_are_there(const struct nft_sets *sets);
void nft_sets_close(struct nft_sets *sets);

void nft_sets_note(struct nft_sets *sets, const struct nftables_message *message);

#endif /* SHRIKE_NETBIRD_NFT_SETS_H */
