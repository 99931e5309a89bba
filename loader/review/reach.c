/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "review/share.h"

#define RULE_WORK  UINT64_C(4000000)  /* ranges for a class of one rule; some tenths of a second */
#define EARLY_WORK UINT64_C(20000000) /* and then LATE_WORK for each class of those that follow */
#define LATE_WORK  UINT64_C(2000)
#define TOTAL_WORK UINT64_C(80000000) /* and then rules are compared with no others */
#define MERGE_MAX  512		      /* boxes of a rule that are compared with each other */

struct reach {
	struct inquiry *inquiry;
	const struct traffic *traffic;
	struct reach_rule rule;
	size_t room;
	uint64_t work;
};

/* Whether a class's packets have ports or types, and not all of them are in the product. */
static bool is_narrow(const struct share *share, const struct product *product)
{
	struct range dports = box_dports(share->region->ip_version, share->class_->l4_proto);
	struct range sports = {0, UINT16_MAX};

	if (share->class_->first > BOX_DPORT)
		return false;
	if (!ranges_contain(&product->dim[BOX_DPORT], &(struct ranges){&dports, 1, true}))
		return true;
	return share->class_->first == BOX_SPORT &&
	       !ranges_contain(&product->dim[BOX_SPORT], &(struct ranges){&sports, 1, true});
}

/*
 * Addresses that nobody can have cut a list into pieces which mean nothing to a reader.  Those that
 * the rule names, and whose neighbours are let in, are put in again.
 */
static void fill(struct inquiry *inquiry, struct ranges *list, const struct ranges *named,
		 const struct ranges *possible)
{
	struct product_pool *pool = &inquiry->pool;
	struct ranges holes, kept = {.borrowed = true};

	if (!pool_ranges_subtract(pool, named, possible, &holes))
		return;
	kept.list = holes.list; /* which is the pool's, and of this function alone */
	for (size_t i = 0; i < holes.n; i++) {
		struct range hole = holes.list[i];
		struct range beside[2] = {{hole.first - 1, hole.first - 1},
					  {hole.last + 1, hole.last + 1}};
		int n_in = 0, n_out = 0;

		for (int side = 0; side < 2; side++) {
			const struct ranges one = {&beside[side], 1, true};

			if (side ? !beside[1].first : !hole.first)
				continue;
			n_in += ranges_contain(list, &one);
			n_out += ranges_contain(named, &one) && !ranges_contain(list, &one);
		}
		if (n_in && !n_out)
			kept.list[kept.n++] = hole;
	}
	pool_ranges_unite(pool, list, &kept, list);
}

/* What the question and the rule name of a family, before anything is taken away. */
static struct ranges named_of(const struct reach *reach, const struct share *share, int dim)
{
	uint8_t ip_version = share->region->ip_version;
	struct range parts[2] = {box_family(ip_version, 1), box_family(ip_version, 0)};
	bool ipv6 = ip_version == IP_VERSION_6;
	const struct ranges family = {ipv6 ? parts : parts + 1, ipv6 ? 2 : 1, true};
	struct product_pool *pool = &reach->inquiry->pool;
	struct ranges named = {};

	pool_ranges_intersect(pool, &family, &reach->traffic->product.dim[dim], &named);
	if (share->box)
		pool_ranges_intersect(pool, &named, &share->box->dim[dim], &named);
	return named;
}

/* Note a product of packets that the rule lets in. */
static int add_box(struct reach *reach, const struct share *share, const struct product *product,
		   const struct ranges named[2])
{
	const struct region *region = share->region;
	const struct protocol_class *class_ = share->class_;
	struct reach_box *box;

	if (reach->rule.n == reach->room) {
		size_t room = 2 * reach->room + 16;
		struct reach_box *boxes = realloc(reach->rule.boxes, room * sizeof(*boxes));

		if (!boxes)
			return -ENOMEM;
		reach->rule.boxes = boxes;
		reach->room = room;
	}
	box = &reach->rule.boxes[reach->rule.n++];
	*box = (struct reach_box){
		.product = *product,
		.named = {named[0], named[1]},
		.protocols = class_->protocols,
		.families = region->ip_version == IP_VERSION_4 ? FAMILY_4 : FAMILY_6,
		.icmp = class_->first == BOX_DPORT,
		.has_ports = is_narrow(share, product),
	};
	if (box->icmp)
		box->protocols = (struct protocols){};
	return 0;
}

/* Note the packets of a class that the rule lets in. */
static int on_share(void *arg, const struct share *share)
{
	struct reach *reach = arg;
	struct inquiry *inquiry = reach->inquiry;
	const struct region *region = share->region;
	struct ranges named[2];
	int err = 0;

	inquiry->pool.work_max = UINT64_MAX; /* what was found is not given up */
	named[0] = named_of(reach, share, BOX_SOURCE);
	named[1] = named_of(reach, share, BOX_DESTINATION);
	if (region->acl == ACL_PEER) /* of the rest no rule of peer_acl is asked */
		pool_ranges_intersect(&inquiry->pool, &named[1], &region->asked, &named[1]);
	reach->rule.at_most |= share->at_most;
	products_join(&inquiry->pool, share->products, share->class_->first);
	for (size_t i = 0; i < share->products->n && !err; i++) {
		struct product *product = &share->products->list[i];

		fill(inquiry, &product->dim[BOX_SOURCE], &named[0], &region->source);
		if (region->acl == ACL_ROUTE)
			fill(inquiry, &product->dim[BOX_DESTINATION], &named[1],
			     &region->destination);
		err = add_box(reach, share, product, named);
	}
	return err ? err : inquiry->pool.error;
}

/* ---- as few boxes as can be seen ---- */

static bool same_ranges(const struct reach_box *a, const struct reach_box *b, int first, int end)
{
	for (int d = first; d < end; d++)
		if (!ranges_equal(&a->product.dim[d], &b->product.dim[d]))
			return false;
	return true;
}

static bool same_protocols(const struct reach_box *a, const struct reach_box *b)
{
	return a->icmp == b->icmp && a->everything == b->everything &&
	       (a->everything ||
		!memcmp(a->protocols.bits, b->protocols.bits, sizeof(a->protocols.bits)));
}

/* Make one box of two that differ in protocols alone. */
static bool merge_protocols(struct reach_box *a, const struct reach_box *b)
{
	if (a->families != b->families || a->has_ports != b->has_ports ||
	    (a->has_ports && (a->icmp || b->icmp || !same_ranges(a, b, BOX_SPORT, BOX_SOURCE))) ||
	    !same_ranges(a, b, BOX_SOURCE, BOX_DIMENSIONS))
		return false;
	for (size_t i = 0; i < sizeof(a->protocols.bits) / sizeof(a->protocols.bits[0]); i++)
		a->protocols.bits[i] |= b->protocols.bits[i];
	a->icmp |= b->icmp;
	return true;
}

/* Make one box of two that differ in their family alone; ICMP types are apart as they are. */
static bool merge_families(struct product_pool *pool, struct reach_box *a,
			   const struct reach_box *b)
{
	bool types = a->has_ports && a->icmp;

	if (a->families & b->families || a->has_ports != b->has_ports || !same_protocols(a, b) ||
	    (a->has_ports && !types && !same_ranges(a, b, BOX_SPORT, BOX_SOURCE)))
		return false;
	for (int d = types ? BOX_DPORT : BOX_SOURCE; d < BOX_DIMENSIONS; d++)
		pool_ranges_unite(pool, &a->product.dim[d], &b->product.dim[d], &a->product.dim[d]);
	for (int side = 0; side < 2; side++)
		pool_ranges_unite(pool, &a->named[side], &b->named[side], &a->named[side]);
	a->families |= b->families;
	return true;
}

/* Whether a box has every protocol that can arrive, and what has ports all of them. */
static bool has_everything(const struct reach_box *box)
{
	uint8_t ip_version = box->families == FAMILY_6 ? IP_VERSION_6 : IP_VERSION_4;

	for (int p = 0; p < INQUIRY_PROTOCOLS; p++)
		if (p != l4_icmp_of(ip_version) && protocol_can_arrive(p, ip_version) &&
		    !protocols_have(&box->protocols, p))
			return false;
	return box->icmp && !box->has_ports;
}

static void merge(struct reach *reach, bool families)
{
	struct product_pool *pool = &reach->inquiry->pool;
	struct reach_rule *rule = &reach->rule;

	for (size_t i = 0; i < rule->n; i++)
		for (size_t j = i + 1; j < rule->n; j++)
			if (families ? merge_families(pool, &rule->boxes[i], &rule->boxes[j])
				     : merge_protocols(&rule->boxes[i], &rule->boxes[j])) {
				memmove(&rule->boxes[j], &rule->boxes[j + 1],
					(rule->n - j - 1) * sizeof(*rule->boxes));
				rule->n--;
				j--;
			}
	for (size_t i = 0; i < rule->n && !families; i++)
		rule->boxes[i].everything = has_everything(&rule->boxes[i]);
}

/* Ranges that may be looked at for a class of the next rule. */
static uint64_t allowance(const struct reach *reach)
{
	if (reach->work < EARLY_WORK)
		return RULE_WORK;
	return reach->work < TOTAL_WORK ? LATE_WORK : 0;
}

/* Find what one rule lets in, and report it. */
static int visit_rule(struct reach *reach, enum acl acl, uint32_t rank, reach_fn on_rule, void *arg)
{
	struct inquiry *inquiry = reach->inquiry;
	const struct share_walk walk = {
		.inquiry = inquiry,
		.traffic = reach->traffic,
		.exact = true,
		.work_max = allowance(reach),
		.on_share = on_share,
		.arg = reach,
	};
	int err;

	product_pool_reset(&inquiry->pool, UINT64_MAX);
	reach->rule.rule = rank == SHARE_NO_RULE ? NULL : inquiry->boxes[acl].list[rank].rule;
	reach->rule.acl = acl;
	reach->rule.n = 0;
	reach->rule.at_most = false;
	err = share_visit(&walk, acl, rank);
	reach->work += inquiry->pool.work;
	if (err || !reach->rule.n)
		return err;
	inquiry->pool.work_max = UINT64_MAX;
	if (reach->rule.n <= MERGE_MAX) {
		merge(reach, false);
		merge(reach, true);
	}
	return inquiry->pool.error ? inquiry->pool.error : on_rule(arg, &reach->rule);
}

/**
 * reach_visit() - Report what each rule lets in
 * @inquiry: about the policy
 * @traffic: the packets that matter
 * @on_rule: called for each rule that lets some of them in, peer_acl's first, in the order of the file
 * @arg: for @on_rule
 *
 * Each packet is reported with the rule that decides about it.
 *
 * Return: 0; -ENOMEM; or what @on_rule has returned.
 */
int reach_visit(struct inquiry *inquiry, const struct traffic *traffic, reach_fn on_rule, void *arg)
{
	struct reach reach = {.inquiry = inquiry, .traffic = traffic};
	int err = 0;

	for (enum acl acl = 0; acl < ACL_MAX && !err; acl++) {
		const struct boxes *boxes = &inquiry->boxes[acl];

		for (size_t rank = boxes->n_deny; rank < boxes->n && !err; rank++)
			err = visit_rule(&reach, acl, rank, on_rule, arg);
		if (!err)
			err = visit_rule(&reach, acl, SHARE_NO_RULE, on_rule, arg);
	}
	free(reach.rule.boxes);
	return err;
}
