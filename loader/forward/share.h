/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each of many takes up of something that all share, so that the greediest is found at once.
 *
 * Shares are ranked by the number of bits of their counts; among those of the highest rank a few are
 * compared.  So the one that is found has the most, or where many are alike, at least half of it.
 */
#ifndef SHRIKE_FORWARD_SHARE_H
#define SHRIKE_FORWARD_SHARE_H

#include <stdint.h>
#include <sys/queue.h>

#define SHARE_RANKS 32

struct share {
	TAILQ_ENTRY(share) link; /* while @count is not 0 */
	uint32_t count;
};

TAILQ_HEAD(share_list, share);

struct shares {
	struct share_list ranks[SHARE_RANKS];
	uint32_t total;
};

void shares_init(struct shares *shares);
void share_add(struct shares *shares, struct share *share, uint32_t n);
void share_take(struct shares *shares, struct share *share, uint32_t n);
struct share *shares_greediest(const struct shares *shares);

#endif /* SHRIKE_FORWARD_SHARE_H */
