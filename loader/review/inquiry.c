/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The regions are those of bpf/judge.bpf.c, in its order.
 */
#include "review/inquiry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED(bits) ((point)0xffff << 32 | (bits))
#define LAST_6	     (~(point)0)

static struct range every_address[] = {{0, LAST_6}};
static struct range every_port[] = {{0, UINT16_MAX}};
static struct range every_dport[] = {{0, 0x2ffff}};
/* 0/8, 127/8, from 224/4 on; ::, ::1, ff00::/8 */
static struct range reserved[2][3] = {
	{{MAPPED(0), MAPPED(0x00ffffff)},
	 {MAPPED(0x7f000000), MAPPED(0x7fffffff)},
	 {MAPPED(0xe0000000), MAPPED(0xffffffff)}},
	{{0, 0}, {1, 1}, {(point)0xff << 120, LAST_6}},
};
static struct range link_local[2] = {
	{MAPPED(0xa9fe0000), MAPPED(0xa9feffff)},
	{(point)0xfe80 << 112, ((point)0xfec0 << 112) - 1},
};
static struct range groups[2][2] = {
	{{MAPPED(0xe0000000), MAPPED(0xefffffff)}, {MAPPED(0xffffffff), MAPPED(0xffffffff)}},
	{{(point)0xff << 120, LAST_6}},
};
static struct range broadcast[] = {{MAPPED(0xffffffff), MAPPED(0xffffffff)}};
static struct range unspecified[] = {{MAPPED(0), MAPPED(0)}};

static struct ranges list_of(struct range *list, size_t n)
{
	return (struct ranges){.list = list, .n = n, .borrowed = true};
}

/**
 * inquiry_is_host() - Whether a list is that of all addresses of this host
 * @inquiry: knows them
 * @list: addresses of some families
 * @families: which
 */
bool inquiry_is_host(const struct inquiry *inquiry, const struct ranges *list, uint8_t families)
{
	struct range v4 = box_family(IP_VERSION_4, 0);
	const struct ranges *local = &inquiry->local;
	size_t n = 0;

	for (size_t i = 0; i < local->n; i++) {
		bool ipv4 = local->list[i].first >= v4.first && local->list[i].last <= v4.last;

		if (!(families & (ipv4 ? FAMILY_4 : FAMILY_6)))
			continue;
		if (n == list->n || memcmp(&local->list[i], &list->list[n], sizeof(*list->list)))
			return false;
		n++;
	}
	return n == list->n;
}

/**
 * traffic_all() - Every packet there can be
 */
void traffic_all(struct traffic *traffic)
{
	*traffic = (struct traffic){
		.product.dim =
			{
				[BOX_SPORT] = list_of(every_port, 1),
				[BOX_DPORT] = list_of(every_dport, 1),
				[BOX_SOURCE] = list_of(every_address, 1),
				[BOX_DESTINATION] = list_of(every_address, 1),
			},
	};
	memset(traffic->protocols.bits, 0xff, sizeof(traffic->protocols.bits));
}

/**
 * protocols_have() - Whether a protocol is in a set
 */
bool protocols_have(const struct protocols *set, uint8_t l4_proto)
{
	return set->bits[l4_proto / 64] >> (l4_proto % 64) & 1;
}

/**
 * protocols_add() - Put a protocol into a set
 */
void protocols_add(struct protocols *set, uint8_t l4_proto)
{
	set->bits[l4_proto / 64] |= UINT64_C(1) << (l4_proto % 64);
}

/**
 * protocol_can_arrive() - Whether rules ever see packets of a protocol: not of extension headers
 */
bool protocol_can_arrive(uint8_t l4_proto, uint8_t ip_version)
{
	static const uint8_t extensions[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS,
		IPPROTO_AH,	 IPPROTO_MH,	  139 /* HIP */,    140 /* Shim6 */,
	};

	return ip_version == IP_VERSION_4 || !memchr(extensions, l4_proto, sizeof(extensions));
}

/* ---- regions ---- */

/* Take ranges away from a list. */
static void take_away(struct inquiry *inquiry, struct ranges *from, struct ranges what)
{
	if (!pool_ranges_subtract(&inquiry->regions, from, &what, from))
		from->n = 0;
}

static void put_in(struct inquiry *inquiry, struct ranges *to, struct ranges what)
{
	pool_ranges_unite(&inquiry->regions, to, &what, to);
}

static struct ranges whole_family(struct inquiry *inquiry, uint8_t ip_version)
{
	struct range parts[2] = {box_family(ip_version, 0), box_family(ip_version, 1)};
	struct ranges all = {};

	put_in(inquiry, &all, list_of(parts, ip_version == IP_VERSION_6 ? 2 : 1));
	return all;
}

static void put_prefix(struct inquiry *inquiry, struct ranges *to, const struct prefix *prefix)
{
	struct range range = prefix_range(prefix);

	put_in(inquiry, to, list_of(&range, 1));
}

/* The addresses of this host that are of some kinds. */
static struct ranges local_of(struct inquiry *inquiry, const struct inquiry_host *host,
			      uint8_t ip_version, unsigned int kinds)
{
	struct ranges found = {};

	for (size_t i = 0; i < host->n_local; i++)
		if (host->local[i].prefix.ip_version == ip_version && host->local[i].prefix.len &&
		    kinds >> host->local[i].kind & 1)
			put_prefix(inquiry, &found, &host->local[i].prefix);
	return found;
}

/* A peer's address that is translated is never seen, but where another one is translated to it. */
static struct ranges translated(struct inquiry *inquiry, uint8_t ip_version)
{
	const struct policy *policy = inquiry->policy;
	struct ranges from = {}, to = {};

	for (size_t i = 0; i < policy->n_one_to_one; i++) {
		const struct nat_one_to_one *nat = &policy->one_to_one[i];
		struct prefix one = {nat->translated, nat->ip_version,
				     prefix_bits(nat->ip_version)};

		if (nat->ip_version != ip_version)
			continue;
		put_prefix(inquiry, &from, &one);
		one.addr = nat->original;
		put_prefix(inquiry, &to, &one);
	}
	take_away(inquiry, &from, to);
	return from;
}

static bool names_groups(const struct policy *policy)
{
	for (size_t i = 0; i < policy->acl[ACL_PEER].n_rules; i++)
		if (policy->acl[ACL_PEER].rules[i].destination.groups)
			return true;
	return false;
}

static bool has_forwarder(const struct policy *policy, const struct inquiry_host *host)
{
	const struct config config = {
		.routing = host->routing,
		.netstack = policy->mode.netstack,
		.local_forwarding = policy->mode.local_forwarding,
	};

	return config_has_forwarder(&config);
}

/* What is for this host. */
static void add_local(struct inquiry *inquiry, const struct inquiry_host *host, uint8_t ip_version,
		      struct ranges source)
{
	bool ipv6 = ip_version == IP_VERSION_6;
	struct region region = {.acl = ACL_PEER, .ip_version = ip_version, .source = source};

	region.destination = local_of(inquiry, host, ip_version,
				      1 << LOCAL_HOST | 1 << LOCAL_OVERLAY);
	take_away(inquiry, &region.destination, list_of(reserved[ipv6], 3));
	put_in(inquiry, &inquiry->local, region.destination);
	if (names_groups(inquiry->policy))
		put_in(inquiry, &region.destination, list_of(groups[ipv6], ipv6 ? 1 : 2));
	else if (!ipv6 && inquiry->broadcasts.n)
		put_in(inquiry, &region.destination, list_of(broadcast, 1));
	region.asked = region.destination;
	inquiry->region[inquiry->n_regions++] = region;
	if (ipv6 || !names_groups(inquiry->policy))
		return;
	region.source = list_of(unspecified, 1); /* who asks for an address has none yet */
	region.destination = region.asked = list_of(broadcast, 1);
	inquiry->region[inquiry->n_regions++] = region;
}

/* What is routed. */
static void add_routed(struct inquiry *inquiry, const struct inquiry_host *host, uint8_t ip_version,
		       struct ranges source)
{
	bool ipv6 = ip_version == IP_VERSION_6;
	struct region region = {.acl = ACL_ROUTE, .ip_version = ip_version, .source = source};

	take_away(inquiry, &region.source, list_of(&link_local[ipv6], 1));
	region.destination = whole_family(inquiry, ip_version);
	take_away(inquiry, &region.destination, local_of(inquiry, host, ip_version, ~0u));
	take_away(inquiry, &region.destination, list_of(reserved[ipv6], 3));
	take_away(inquiry, &region.destination, list_of(&link_local[ipv6], 1));
	region.asked = region.destination;
	region.closed = REASON_OVERLAY_BLOCKED;
	for (size_t i = 0; i < host->n_overlay && has_forwarder(inquiry->policy, host); i++) {
		struct range network = prefix_range(&host->overlay[i]);

		if (host->overlay[i].ip_version == ip_version)
			take_away(inquiry, &region.asked, list_of(&network, 1));
	}
	if (host->routing == ROUTING_DISABLED) {
		region.asked.n = 0;
		region.closed = REASON_ROUTING_DISABLED;
	}
	region.unjudged = host->routing == ROUTING_NATIVE && !inquiry->policy->mode.native_acl;
	if (region.unjudged)
		region.asked = region.destination;
	inquiry->region[inquiry->n_regions++] = region;
}

static void add_regions(struct inquiry *inquiry, const struct inquiry_host *host)
{
	for (uint8_t v = IP_VERSION_4; v <= IP_VERSION_6; v += 2) {
		struct ranges source = whole_family(inquiry, v);

		put_in(inquiry, &inquiry->own, local_of(inquiry, host, v, 1 << LOCAL_OVERLAY));
		put_in(inquiry, &inquiry->broadcasts,
		       local_of(inquiry, host, v, 1 << LOCAL_BROADCAST));
		take_away(inquiry, &source, list_of(reserved[v == IP_VERSION_6], 3));
		take_away(inquiry, &source, local_of(inquiry, host, v, ~0u));
		take_away(inquiry, &source, translated(inquiry, v));
		add_local(inquiry, host, v, source);
		add_routed(inquiry, host, v, source);
	}
}

/**
 * inquiry_open() - Prepare for questions about a policy
 * @inquiry: to be closed with inquiry_close(), whatever is returned
 * @policy: after environment_apply(); outlives it
 * @host: where it would be in force
 *
 * Return: 0; -E2BIG: its lists and sets are too long; -ENOMEM.
 */
int inquiry_open(struct inquiry *inquiry, const struct policy *policy,
		 const struct inquiry_host *host)
{
	int err = 0;

	memset(inquiry, 0, sizeof(*inquiry));
	inquiry->policy = policy;
	for (enum acl acl = 0; acl < ACL_MAX && !err; acl++) {
		err = boxes_make(&inquiry->boxes[acl], policy, acl);
		if (!err)
			err = box_index_make(&inquiry->index[acl], &inquiry->boxes[acl]);
		inquiry->others[acl] = calloc(inquiry->boxes[acl].n + 1,
					      sizeof(*inquiry->others[acl]));
		if (!inquiry->others[acl])
			err = -ENOMEM;
	}
	if (err)
		return err;
	product_pool_reset(&inquiry->regions, INQUIRY_WORK_MAX);
	add_regions(inquiry, host);
	return inquiry->regions.error;
}

/**
 * inquiry_close() - Let go of what inquiry_open() has made
 */
void inquiry_close(struct inquiry *inquiry)
{
	for (enum acl acl = 0; acl < ACL_MAX; acl++) {
		box_index_free(&inquiry->index[acl]);
		boxes_free(&inquiry->boxes[acl]);
		free(inquiry->others[acl]);
	}
	product_pool_free(&inquiry->regions);
	product_pool_free(&inquiry->pool);
}

/* ---- the packets of a question ---- */

/**
 * inquiry_ask() - Make a question one about packets as rules see them
 * @inquiry: about the policy
 * @traffic: what was asked; broadcasts of this host's networks become what they are to rules
 *
 * Return: 0 or -ENOMEM.
 */
int inquiry_ask(struct inquiry *inquiry, struct traffic *traffic)
{
	struct ranges *to = &traffic->product.dim[BOX_DESTINATION], found;

	product_pool_reset(&inquiry->pool, INQUIRY_WORK_MAX);
	if (!pool_ranges_intersect(&inquiry->regions, to, &inquiry->broadcasts, &found))
		return inquiry->regions.error;
	if (!ranges_contain(to, &(struct ranges){broadcast, 1, true}))
		traffic->broadcast = found.list[0].first;
	pool_ranges_unite(&inquiry->regions, to, &(struct ranges){broadcast, 1, true}, to);
	return inquiry->regions.error;
}

/**
 * region_part() - What of a product is in a region
 * @inquiry: its pool has the result
 * @region: the region
 * @to: of its destinations: @region->destination or @region->asked
 * @of: the product
 * @part: becomes it, where there is anything
 *
 * Return: whether there is anything.
 */
bool region_part(struct inquiry *inquiry, const struct region *region, const struct ranges *to,
		 const struct product *of, struct product *part)
{
	struct product made = *of;

	if (!pool_ranges_intersect(&inquiry->pool, &of->dim[BOX_SOURCE], &region->source,
				   &made.dim[BOX_SOURCE]) ||
	    !pool_ranges_intersect(&inquiry->pool, &of->dim[BOX_DESTINATION], to,
				   &made.dim[BOX_DESTINATION]))
		return false;
	*part = made;
	return true;
}

/**
 * inquiry_classes() - Which protocols some rules tell apart
 * @inquiry: its @classes become them
 * @region: says which ACL and family
 * @ranks: the rules
 * @asked: protocols that matter
 *
 * Return: how many classes there are.
 */
size_t inquiry_classes(struct inquiry *inquiry, const struct region *region, struct rank_list ranks,
		       const struct protocols *asked)
{
	const struct boxes *boxes = &inquiry->boxes[region->acl];
	uint8_t icmp = l4_icmp_of(region->ip_version);
	struct protocols named = {};
	struct protocol_class *rest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ranks.n; i++)
		if (boxes->list[ranks.rank[i]].rule->protocol < INQUIRY_PROTOCOLS)
			protocols_add(&named, boxes->list[ranks.rank[i]].rule->protocol);
	for (int p = 0; p < INQUIRY_PROTOCOLS; p++) {
		bool alone = l4_has_ports(p) || p == icmp || protocols_have(&named, p);

		if (!protocols_have(asked, p) || !protocol_can_arrive(p, region->ip_version) ||
		    (asked->own_icmp && p == l4_icmp_of(10 - region->ip_version)))
			continue;
		if (alone || !rest) {
			inquiry->classes[n++] = (struct protocol_class){
				.l4_proto = p,
				.first = l4_has_ports(p) ? BOX_SPORT
					 : p == icmp	 ? BOX_DPORT
							 : BOX_SOURCE,
			};
			if (!alone)
				rest = &inquiry->classes[n - 1];
		}
		protocols_add(alone ? &inquiry->classes[n - 1].protocols : &rest->protocols, p);
	}
	return n;
}

/**
 * inquiry_others() - The boxes of rules that match a protocol
 * @inquiry: about the policy
 * @region: says which ACL and family
 * @l4_proto: the protocol
 * @ranks: the rules
 * @n: becomes their number
 *
 * Return: the boxes; valid until the next call for this ACL.
 */
const struct box **inquiry_others(struct inquiry *inquiry, const struct region *region,
				  uint8_t l4_proto, struct rank_list ranks, size_t *n)
{
	const struct box **others = inquiry->others[region->acl];

	*n = 0;
	for (size_t i = 0; i < ranks.n; i++) {
		const struct box *box = &inquiry->boxes[region->acl].list[ranks.rank[i]];

		if (protocol_matches(box->rule->protocol, region->ip_version, l4_proto))
			others[(*n)++] = box;
	}
	return others;
}

/* Whether some port of this host is translated to a port. */
static bool is_translated_to(const struct policy *policy, const struct nat_port_rule *from)
{
	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *nat = &policy->nat_port[i];

		if (nat->l4_proto == from->l4_proto && nat->to == from->port &&
		    (!nat->ip_version || !memcmp(&nat->addr, &from->addr, sizeof(nat->addr))))
			return true;
	}
	return false;
}

/* A port that is translated to another one is never seen. */
static void take_ports(struct inquiry *inquiry, const struct protocol_class *class_,
		       struct products *products)
{
	const struct policy *policy = inquiry->policy;
	struct traffic hidden;

	traffic_all(&hidden);
	for (size_t i = 0; i < policy->n_nat_port; i++) {
		const struct nat_port_rule *nat = &policy->nat_port[i];
		const struct prefix to = {nat->addr, nat->ip_version, prefix_bits(nat->ip_version)};
		struct range port = {nat->port, nat->port}, addr = every_address[0];

		if (nat->l4_proto != class_->l4_proto || is_translated_to(policy, nat))
			continue;
		if (nat->ip_version)
			addr = prefix_range(&to);
		hidden.product.dim[BOX_DPORT] = list_of(&port, 1);
		hidden.product.dim[BOX_DESTINATION] = list_of(&addr, 1);
		products_subtract(&inquiry->pool, products, hidden.product.dim, class_->first);
	}
}

/**
 * inquiry_begin() - The packets of a product that are of some protocols
 * @inquiry: its pool has the result
 * @region: that the product is in
 * @class_: the protocols
 * @part: the product
 * @products: become them; ones that were there are gone
 *
 * Return: whether there are any.
 */
bool inquiry_begin(struct inquiry *inquiry, const struct region *region,
		   const struct protocol_class *class_, const struct product *part,
		   struct products *products)
{
	struct range dports = box_dports(region->ip_version, class_->l4_proto);
	const struct ranges ports = list_of(&dports, 1);
	struct product made = *part;

	products->n = 0;
	if (class_->first <= BOX_DPORT &&
	    !pool_ranges_intersect(&inquiry->pool, &part->dim[BOX_DPORT], &ports,
				   &made.dim[BOX_DPORT]))
		return false;
	products_add(&inquiry->pool, products, &made);
	if (region->acl == ACL_PEER && inquiry->policy->n_nat_port)
		take_ports(inquiry, class_, products);
	return products->n && !inquiry->pool.error;
}
