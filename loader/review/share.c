/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/share.h"

#include <errno.h>

#include "review/remainder.h"

#define LOOK_WORK 4 /* ranges that finding a rule costs as much as: it is far away in memory */

/**
 * share_protocols() - Leave in a set what a rule matches
 * @rule: the rule; NULL: one that matches all
 * @ip_version: the family
 * @set: the protocols, changed
 */
void share_protocols(const struct policy_rule *rule, uint8_t ip_version, struct protocols *set)
{
	struct protocols left = {.own_icmp = set->own_icmp};

	for (int p = 0; rule && p < INQUIRY_PROTOCOLS; p++)
		if (protocols_have(set, p) && protocol_matches(rule->protocol, ip_version, p))
			protocols_add(&left, p);
	if (rule)
		*set = left;
}

/* Who takes what is left of a share. */
struct taker {
	struct product_pool *pool;
	struct products left;
};

static int take(void *arg, const struct product *left)
{
	struct taker *taker = arg;

	products_add(taker->pool, &taker->left, left);
	return taker->pool->error;
}

/* Take away what other rules decide about; an error where that takes too long. */
static int take_others(const struct share_walk *walk, const struct share *share,
		       struct rank_list ranks)
{
	struct inquiry *inquiry = walk->inquiry;
	struct taker taker = {.pool = &inquiry->pool};
	struct remainder remainder = {
		.pool = &inquiry->pool,
		.first = share->class_->first,
		.on_left = take,
		.arg = &taker,
	};
	int err = 0;

	remainder.others = inquiry_others(inquiry, share->region, share->class_->l4_proto, ranks,
					  &remainder.n);
	for (size_t i = 0; i < share->products->n && !err; i++)
		err = remainder_visit(&remainder, &share->products->list[i]);
	if (err) {
		products_free(&taker.left);
		return err;
	}
	products_free(share->products);
	*share->products = taker.left;
	return 0;
}

/* Whether there are rules before that of a share, which are not looked at. */
static bool is_alone(const struct share_walk *walk, const struct share *share)
{
	return !walk->work_max && share->box &&
	       share->box != walk->inquiry->boxes[share->region->acl].list;
}

/* Bound the work of what follows; without others there is little. */
static void limit(const struct share_walk *walk)
{
	struct product_pool *pool = &walk->inquiry->pool;

	pool->work_max = walk->work_max ? pool->work + walk->work_max : UINT64_MAX;
}

/* Find the packets of one class, and report them. */
static int visit_class(const struct share_walk *walk, struct share *share, struct rank_list others)
{
	struct inquiry *inquiry = walk->inquiry;
	int err = 0;

	limit(walk);
	share->at_most = is_alone(walk, share);
	if (inquiry_begin(inquiry, share->region, share->class_, share->part, share->products) &&
	    !share->at_most)
		err = take_others(walk, share, others);
	if (err == -E2BIG) {
		share->at_most = true;
		inquiry->pool.error = 0;
		inquiry->pool.work_max = UINT64_MAX;
		inquiry_begin(inquiry, share->region, share->class_, share->part, share->products);
	}
	if (inquiry->pool.error)
		return inquiry->pool.error;
	return share->products->n ? walk->on_share(walk->arg, share) : 0;
}

static int visit_region(const struct share_walk *walk, const struct region *region, uint32_t rank,
			struct products *products)
{
	struct inquiry *inquiry = walk->inquiry;
	const struct box *box = rank == SHARE_NO_RULE ? NULL
						      : &inquiry->boxes[region->acl].list[rank];
	uint32_t n_deny = inquiry->boxes[region->acl].n_deny;
	struct protocols protocols = walk->traffic->protocols;
	struct rank_list others = {};
	struct product part;
	struct share share = {.region = region, .box = box, .part = &part, .products = products};
	size_t n;
	int err = 0;

	limit(walk);
	if (!region_part(inquiry, region, &region->asked, &walk->traffic->product, &part) ||
	    (box && !product_intersect(&inquiry->pool, &part, box->dim, &part)))
		return inquiry->pool.error;
	share_protocols(box ? box->rule : NULL, region->ip_version, &protocols);
	if (box && walk->work_max) {
		others = box_index_find(&inquiry->index[region->acl], &part,
					walk->exact || rank < n_deny ? rank : n_deny);
		inquiry->pool.work += LOOK_WORK * inquiry->index[region->acl].looked_at;
	}
	n = inquiry_classes(inquiry, region, others, &protocols);
	for (size_t i = 0; i < n && !err; i++) {
		share.class_ = &inquiry->classes[i];
		err = visit_class(walk, &share, others);
	}
	return err;
}

/**
 * share_visit() - Visit the packets that a rule decides about, region by region
 * @walk: which packets; its pool is not reset here
 * @acl: of the rule
 * @rank: its place in the order of evaluation, or SHARE_NO_RULE
 *
 * Return: 0; -E2BIG; -ENOMEM; or what the callback has returned.
 */
int share_visit(const struct share_walk *walk, enum acl acl, uint32_t rank)
{
	struct inquiry *inquiry = walk->inquiry;
	struct products products = {};
	int err = 0;

	for (size_t i = 0; i < inquiry->n_regions && !err; i++) {
		const struct region *region = &inquiry->region[i];

		if (region->acl == acl && region->unjudged == (rank == SHARE_NO_RULE))
			err = visit_region(walk, region, rank, &products);
	}
	products_free(&products);
	return err;
}
