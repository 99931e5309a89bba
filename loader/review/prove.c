/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "review/prove.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "review/remainder.h"
#include "review/same_rules.h"

#define SPORT_LIKELY 50000
#define PROTO_LIKELY IPPROTO_GRE
#define RULE_WORK    UINT64_C(50000000)
#define EQUAL_WORK   UINT64_C(200000000) /* of all rules; some ten seconds */

/* What a search is made with, and what it finds. */
struct proof {
	struct inquiry *inquiry;
	const struct traffic *traffic; /* NULL: every packet */
	struct witness *witness;
	struct witness *allowed; /* of prove_equal(): the packet as the other policy sees it */
	uint64_t work;
};

/* ---- a packet of products ---- */

static bool is_one(const struct ranges *ranges)
{
	return ranges->n == 1 && ranges->list[0].first == ranges->list[0].last;
}

/* A value that people expect, or the first one. */
static point choose(const struct ranges *ranges, point likely)
{
	struct range one = {likely, likely};

	return ranges_contain(ranges, &(struct ranges){&one, 1, true}) ? likely
								       : ranges->list[0].first;
}

/* Choose addresses that differ; false where there are none. */
static bool choose_addresses(const struct product *product, point *source, point *destination)
{
	const struct ranges *from = &product->dim[BOX_SOURCE];
	const struct ranges *to = &product->dim[BOX_DESTINATION];

	*source = from->list[0].first;
	*destination = to->list[0].first;
	if (*source != *destination)
		return true;
	if (!is_one(from))
		*source = from->list[0].last > *source ? *source + 1 : from->list[1].first;
	else if (!is_one(to))
		*destination = to->list[0].last > *destination ? *destination + 1
							       : to->list[1].first;
	return *source != *destination;
}

/* A packet of a product and class; false where it can only be one from an address to itself. */
static bool pick(const struct proof *proof, uint8_t ip_version, const struct protocol_class *class_,
		 const struct product *product)
{
	point echo = ip_version == IP_VERSION_4 ? ICMP_ECHO << 8 : ICMP6_ECHO_REQUEST << 8;
	struct witness *witness = proof->witness;
	point source, destination, dport;

	if (!choose_addresses(product, &source, &destination))
		return false;
	if (proof->traffic && proof->traffic->broadcast &&
	    point_group(destination) == LOCAL_BROADCAST)
		destination = proof->traffic->broadcast;
	*witness = (struct witness){.ip_version = ip_version, .l4_proto = class_->l4_proto};
	if (class_->first == BOX_SOURCE && protocols_have(&class_->protocols, PROTO_LIKELY))
		witness->l4_proto = PROTO_LIKELY;
	point_to_addr(source, &witness->source);
	point_to_addr(destination, &witness->destination);
	if (class_->first == BOX_SPORT) {
		witness->sport = choose(&product->dim[BOX_SPORT], SPORT_LIKELY);
		witness->dport = choose(&product->dim[BOX_DPORT],
					product->dim[BOX_DPORT].list[0].first ? 0 : 1);
	} else if (class_->first == BOX_DPORT) {
		dport = choose(&product->dim[BOX_DPORT],
			       box_dports(ip_version, class_->l4_proto).first | echo);
		witness->icmp_type = (uint16_t)dport >> 8;
		witness->icmp_code = dport;
	}
	return true;
}

/* ---- packets that are refused ---- */

static bool is_refused(struct witness *witness, const struct policy_rule *rule, enum reason reason)
{
	witness->rule = rule;
	witness->reason = reason;
	witness->allowed = false;
	return true;
}

/* Packets of one class, among which one that is refused is looked for. */
struct refusal {
	const struct proof *proof;
	const struct region *region;
	const struct protocol_class *class_;
};

/* A product that no rule lets in. */
static int on_default(void *arg, const struct product *left)
{
	const struct refusal *refusal = arg;

	if (!pick(refusal->proof, refusal->region->ip_version, refusal->class_, left))
		return 0;
	return is_refused(refusal->proof->witness, NULL,
			  refusal->region->acl == ACL_PEER ? REASON_PEER_ACL_DEFAULT
							   : REASON_ROUTE_ACL_DEFAULT);
}

/* Find a packet of a product that a rule denies.  Return: 1: found. */
static int find_denied(const struct refusal *refusal, const struct box *box,
		       const struct product *product)
{
	struct product_pool *pool = &refusal->proof->inquiry->pool;
	struct product met = *product;

	if (!product_meets(product, box->dim, refusal->class_->first))
		return 0;
	for (int d = refusal->class_->first; d < BOX_DIMENSIONS; d++)
		pool_ranges_intersect(pool, &product->dim[d], &box->dim[d], &met.dim[d]);
	if (pool->error ||
	    !pick(refusal->proof, refusal->region->ip_version, refusal->class_, &met))
		return pool->error;
	return is_refused(refusal->proof->witness, box->rule,
			  refusal->region->acl == ACL_PEER ? REASON_PEER_ACL_DENIED
							   : REASON_ROUTE_ACL_DENIED);
}

/* Find a packet of a product that a rule denies, or that none lets in.  Return: 1: found. */
static int walk_rules(struct refusal *refusal, struct rank_list ranks,
		      const struct product *product)
{
	struct inquiry *inquiry = refusal->proof->inquiry;
	struct remainder remainder = {
		.pool = &inquiry->pool,
		.first = refusal->class_->first,
		.on_left = on_default,
		.arg = refusal,
	};
	int found = 0;

	remainder.others = inquiry_others(inquiry, refusal->region, refusal->class_->l4_proto,
					  ranks, &remainder.n);
	for (size_t i = 0; i < remainder.n && !remainder.others[i]->rule->allow && !found; i++)
		found = find_denied(refusal, remainder.others[i], product);
	return found ? found : remainder_visit(&remainder, product);
}

/* Find a packet of a product that the rules of a region do not let in.  Return: 1: found. */
static int find_refused(const struct proof *proof, const struct region *region,
			const struct product *part, const struct protocols *protocols)
{
	struct inquiry *inquiry = proof->inquiry;
	struct products products = {};
	struct rank_list ranks;
	size_t n;
	int found = 0;

	if (region->unjudged)
		return 0;
	ranks = box_index_find(&inquiry->index[region->acl], part, inquiry->boxes[region->acl].n);
	inquiry->pool.work += inquiry->index[region->acl].looked_at;
	n = inquiry_classes(inquiry, region, ranks, protocols);
	for (size_t i = 0; i < n && !found; i++) {
		struct refusal refusal = {proof, region, &inquiry->classes[i]};

		inquiry_begin(inquiry, region, &inquiry->classes[i], part, &products);
		found = inquiry->pool.error;
		for (size_t j = 0; j < products.n && !found; j++)
			found = walk_rules(&refusal, ranks, &products.list[j]);
	}
	products_free(&products);
	return found;
}

/* Find a packet to where nothing gets, whatever rules say.  Return: 1: found. */
static int find_closed(const struct proof *proof, const struct region *region,
		       const struct product *whole)
{
	struct inquiry *inquiry = proof->inquiry;
	struct product part = *whole;
	struct products products = {};
	size_t n;
	int found = 0;

	if (!pool_ranges_subtract(&inquiry->pool, &whole->dim[BOX_DESTINATION], &region->asked,
				  &part.dim[BOX_DESTINATION]))
		return 0;
	n = inquiry_classes(inquiry, region, (struct rank_list){}, &proof->traffic->protocols);
	for (size_t i = 0; i < n && !found; i++)
		if (inquiry_begin(inquiry, region, &inquiry->classes[i], &part, &products) &&
		    pick(proof, region->ip_version, &inquiry->classes[i], &products.list[0]))
			found = is_refused(proof->witness, NULL, region->closed);
	products_free(&products);
	return found ? found : inquiry->pool.error;
}

/* From one address to another one no peer can send anything: that packet is refused. */
static int refuse_martian(const struct proof *proof)
{
	const struct product *product = &proof->traffic->product;
	struct protocol_class class_ = {.first = BOX_SOURCE};
	point source = product->dim[BOX_SOURCE].list[0].first;
	struct range v4 = box_family(IP_VERSION_4, 0);
	uint8_t ip_version = source >= v4.first && source <= v4.last ? IP_VERSION_4 : IP_VERSION_6;
	int p = 0;

	while (p < INQUIRY_PROTOCOLS - 1 && !protocols_have(&proof->traffic->protocols, p))
		p++;
	if (protocols_have(&proof->traffic->protocols, IPPROTO_TCP))
		p = IPPROTO_TCP;
	class_.l4_proto = p;
	if (l4_has_ports(p))
		class_.first = BOX_SPORT;
	else if (l4_is_icmp(p, ip_version))
		class_.first = BOX_DPORT;
	if (!pick(proof, ip_version, &class_, product)) {
		point_to_addr(source, &proof->witness->source);
		proof->witness->destination = proof->witness->source;
		proof->witness->ip_version = ip_version;
		proof->witness->l4_proto = p;
	}
	return is_refused(proof->witness, NULL, REASON_MARTIAN_SOURCE);
}

/* Whether a peer can send any of a question's packets. */
static bool is_anybodys(struct inquiry *inquiry, const struct traffic *traffic)
{
	struct product part;
	bool found = false;

	for (size_t i = 0; i < inquiry->n_regions && !found; i++)
		found = region_part(inquiry, &inquiry->region[i], &inquiry->region[i].destination,
				    &traffic->product, &part);
	return found;
}

static bool is_one_pair(const struct traffic *traffic)
{
	return is_one(&traffic->product.dim[BOX_SOURCE]) &&
	       is_one(&traffic->product.dim[BOX_DESTINATION]);
}

/**
 * prove_all() - Whether all packets of a question are let in
 * @inquiry: about the policy
 * @traffic: the packets, after inquiry_ask()
 * @witness: becomes one that is not, where there is one
 *
 * Return: 1: they are; 0: not; PROVE_NOBODY; -E2BIG: that takes too long to find out; -ENOMEM.
 */
int prove_all(struct inquiry *inquiry, const struct traffic *traffic, struct witness *witness)
{
	const struct proof proof = {.inquiry = inquiry, .traffic = traffic, .witness = witness};
	int found = 0;

	product_pool_reset(&inquiry->pool, INQUIRY_WORK_MAX);
	if (!is_anybodys(inquiry, traffic)) {
		if (inquiry->pool.error)
			return inquiry->pool.error;
		return is_one_pair(traffic) ? !refuse_martian(&proof) : PROVE_NOBODY;
	}
	for (size_t i = 0; i < inquiry->n_regions && !found; i++) {
		const struct region *region = &inquiry->region[i];
		struct product part;

		if (!region_part(inquiry, region, &region->destination, &traffic->product, &part))
			continue;
		found = find_closed(&proof, region, &part);
		if (!found && region_part(inquiry, region, &region->asked, &part, &part))
			found = find_refused(&proof, region, &part, &traffic->protocols);
	}
	if (!found)
		found = inquiry->pool.error;
	return found < 0 ? found : !found;
}

/* ---- packets that are let in ---- */

static void set_allowed(struct witness *witness, const struct share *share)
{
	witness->allowed = true;
	witness->rule = share->box ? share->box->rule : NULL;
	witness->reason = !share->box			   ? REASON_NATIVE_ROUTER
			  : share->region->acl == ACL_PEER ? REASON_PEER_ACL_ALLOWED
							   : REASON_ROUTE_ACL_ALLOWED;
}

static int on_allowed(void *arg, const struct share *share)
{
	const struct proof *proof = arg;
	struct witness *witness = proof->witness;

	if (share->at_most)
		return -E2BIG;
	for (size_t i = 0; i < share->products->n; i++) {
		if (!pick(proof, share->region->ip_version, share->class_,
			  &share->products->list[i]))
			continue;
		set_allowed(witness, share);
		return 1;
	}
	return 0;
}

/*
 * Visit what each rule lets in, but for those that another policy has, too (@same: NULL: none).
 * Return: 0, or what the callback has returned.
 */
static int visit_allowed(const struct share_walk *walk, const uint64_t *work,
			 const struct same_rules *same)
{
	struct inquiry *inquiry = walk->inquiry;
	uint64_t own = 0;
	int found = 0;

	for (enum acl acl = 0; acl < ACL_MAX && !found; acl++) {
		const struct boxes *boxes = &inquiry->boxes[acl];

		for (size_t rank = boxes->n_deny; rank <= boxes->n && !found; rank++) {
			if (same && rank < boxes->n &&
			    same_rules_have(same, acl, &boxes->list[rank]))
				continue;
			product_pool_reset(&inquiry->pool, RULE_WORK);
			found = share_visit(walk, acl, rank < boxes->n ? rank : SHARE_NO_RULE);
			own += inquiry->pool.work;
			if (!found && own + *work > EQUAL_WORK)
				found = -E2BIG;
		}
	}
	return found;
}

/**
 * prove_none() - Whether no packet of a question is let in
 * @inquiry: about the policy
 * @traffic: the packets, after inquiry_ask()
 * @witness: becomes one that is, where there is one
 *
 * Return: as of prove_all().
 */
int prove_none(struct inquiry *inquiry, const struct traffic *traffic, struct witness *witness)
{
	struct proof proof = {.inquiry = inquiry, .traffic = traffic, .witness = witness};
	const struct share_walk walk = {
		.inquiry = inquiry,
		.traffic = traffic,
		.work_max = RULE_WORK,
		.on_share = on_allowed,
		.arg = &proof,
	};
	int found;

	product_pool_reset(&inquiry->pool, INQUIRY_WORK_MAX);
	if (!is_anybodys(inquiry, traffic))
		return inquiry->pool.error    ? inquiry->pool.error
		       : is_one_pair(traffic) ? 1
					      : PROVE_NOBODY;
	found = visit_allowed(&walk, &proof.work, NULL);
	return found < 0 ? found : !found;
}

/* ---- two policies ---- */

/* Find a packet of a product that the other policy refuses.  Return: 1: found. */
static int find_different(const struct proof *proof, const struct share *share,
			  const struct product *product)
{
	struct inquiry *other = proof->inquiry;
	struct products left = {};
	int found = 0;

	products_add(&other->pool, &left, product);
	for (size_t i = 0; i < other->n_regions && !found && !other->pool.error; i++) {
		const struct region *region = &other->region[i];
		struct ranges dim[BOX_DIMENSIONS] = {
			[BOX_SOURCE] = region->source,
			[BOX_DESTINATION] = region->asked,
		};
		struct product part;

		if (region->acl != share->region->acl ||
		    region->ip_version != share->region->ip_version ||
		    !region_part(other, region, &region->asked, product, &part))
			continue;
		found = find_refused(proof, region, &part, &share->class_->protocols);
		products_subtract(&other->pool, &left, dim, BOX_SOURCE);
	}
	for (size_t i = 0; i < left.n && !found; i++)
		if (pick(proof, share->region->ip_version, share->class_, &left.list[i]))
			found = is_refused(proof->witness, NULL,
					   share->region->acl == ACL_ROUTE
						   ? REASON_ROUTING_DISABLED
						   : REASON_PEER_ACL_DEFAULT);
	products_free(&left);
	return found ? found : other->pool.error;
}

/* What one policy lets in: does the other one, too? */
static int on_first(void *arg, const struct share *share)
{
	struct proof *proof = arg;
	int found = share->at_most ? -E2BIG : 0;

	for (size_t i = 0; i < share->products->n && !found; i++) {
		product_pool_reset(&proof->inquiry->pool, RULE_WORK);
		found = find_different(proof, share, &share->products->list[i]);
		proof->work += proof->inquiry->pool.work;
	}
	if (found == 1) {
		*proof->allowed = *proof->witness;
		set_allowed(proof->allowed, share);
	}
	return found;
}

/**
 * prove_equal() - Whether two policies let the same packets in
 * @a, @b: about the policies, at the same host
 * @witness: becomes a packet that only one of them lets in, where there is one, as each of them has it
 *
 * Return: 1: they do; 0: not; -E2BIG: that takes too long to find out; -ENOMEM.
 */
int prove_equal(struct inquiry *a, struct inquiry *b, struct witness witness[2])
{
	struct proof proof = {};
	struct traffic all;
	struct share_walk walk = {
		.traffic = &all,
		.work_max = RULE_WORK,
		.on_share = on_first,
		.arg = &proof,
	};
	int found = 0;

	traffic_all(&all);
	for (int turn = 0; turn < 2 && !found; turn++) {
		struct same_rules same;

		walk.inquiry = turn ? b : a;
		proof.allowed = &witness[turn];
		proof.witness = &witness[!turn];
		proof.inquiry = turn ? a : b;
		found = same_rules_make(&same, walk.inquiry, proof.inquiry);
		if (!found)
			found = visit_allowed(&walk, &proof.work, &same);
		same_rules_free(&same);
	}
	return found < 0 ? found : !found;
}
