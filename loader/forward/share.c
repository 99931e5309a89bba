/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/share.h"

#include <stddef.h>

#define LOOKS_MAX 64 /* shares that are compared */

static unsigned int rank_of(uint32_t count)
{
	return 31 - __builtin_clz(count);
}

/**
 * shares_init() - Nobody has anything
 */
void shares_init(struct shares *shares)
{
	for (int i = 0; i < SHARE_RANKS; i++)
		TAILQ_INIT(&shares->ranks[i]);
	shares->total = 0;
}

static void set_count(struct shares *shares, struct share *share, uint32_t count)
{
	if (share->count && count && rank_of(share->count) == rank_of(count)) {
		share->count = count;
		return;
	}
	if (share->count)
		TAILQ_REMOVE(&shares->ranks[rank_of(share->count)], share, link);
	share->count = count;
	if (count)
		TAILQ_INSERT_TAIL(&shares->ranks[rank_of(count)], share, link);
}

/**
 * share_add() - One takes up @n more
 */
void share_add(struct shares *shares, struct share *share, uint32_t n)
{
	shares->total += n;
	set_count(shares, share, share->count + n);
}

/**
 * share_take() - One takes up @n less, of what it has
 */
void share_take(struct shares *shares, struct share *share, uint32_t n)
{
	shares->total -= n;
	set_count(shares, share, share->count - n);
}

/**
 * shares_greediest() - Who has most; NULL where nobody has anything
 */
struct share *shares_greediest(const struct shares *shares)
{
	struct share *greediest = NULL, *share;
	int looks = LOOKS_MAX;

	for (int i = SHARE_RANKS - 1; i >= 0 && !greediest; i--)
		TAILQ_FOREACH(share, &shares->ranks[i], link)
		{
			if (!looks--)
				break;
			if (!greediest || share->count > greediest->count)
				greediest = share;
		}
	return greediest;
}
