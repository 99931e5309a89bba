/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What questions about a policy are answered from: its rules as boxes, and what is decided without
 * rules: which packets are for this host and which are routed, which sources nobody can have.
 *
 * Packets are as rules see them: they open connections, and are behind the translation of nat.  A
 * packet from an address to itself is never let in, whatever a product of addresses says.
 */
#ifndef SHRIKE_REVIEW_INQUIRY_H
#define SHRIKE_REVIEW_INQUIRY_H

#include "dataplane/local_addresses.h"
#include "reason.h"
#include "review/box_index.h"
#include "review/product.h"

#define INQUIRY_REGIONS	  5
#define INQUIRY_WORK_MAX  UINT64_C(1000000000)
#define INQUIRY_PROTOCOLS 256

/*
 * struct protocols - a set of protocol numbers
 * @own_icmp: of the two ICMPs the one of the other family does not count
 */
struct protocols {
	uint64_t bits[INQUIRY_PROTOCOLS / 64];
	bool own_icmp;
};

/*
 * struct inquiry_host - where the policy is in force, or would be
 * @local: the addresses of this host
 * @overlay: networks of the interface, to which nothing is routed where there is a forwarder
 * @routing: what mode_decide() came to
 */
struct inquiry_host {
	const struct local_address *local;
	size_t n_local;
	const struct prefix *overlay;
	size_t n_overlay;
	enum routing routing;
};

/*
 * struct region - packets of a family that one ACL is for
 * @source, @destination: the addresses that such packets can have
 * @asked: destinations about which the rules are asked; to the others nothing gets
 * @closed: why not
 * @unjudged: no rule is asked: all is left to the kernel's router
 */
struct region {
	struct ranges source;
	struct ranges destination;
	struct ranges asked;
	enum acl acl;
	enum reason closed;
	uint8_t ip_version;
	bool unjudged;
};

/*
 * struct traffic - what a question is about
 * @broadcast: address of a network that the question names, and not 255.255.255.255; 0: none
 */
struct traffic {
	struct product product;
	struct protocols protocols;
	point broadcast;
};

/*
 * struct protocol_class - protocols of which rules see the same
 * @l4_proto: one of them
 * @first: the first dimension that their packets have
 */
struct protocol_class {
	struct protocols protocols;
	uint8_t l4_proto;
	int first;
};

struct inquiry {
	const struct policy *policy;
	struct boxes boxes[ACL_MAX];
	struct box_index index[ACL_MAX];
	struct region region[INQUIRY_REGIONS];
	size_t n_regions;
	struct ranges own;	  /* the interface's addresses */
	struct ranges local;	  /* addresses of this host */
	struct ranges broadcasts; /* of this host's networks; to rules each is 255.255.255.255 */
	struct product_pool regions;
	struct product_pool pool; /* of the question that is being answered */
	struct protocol_class classes[INQUIRY_PROTOCOLS];
	const struct box **others[ACL_MAX]; /* room for all */
};

int inquiry_open(struct inquiry *inquiry, const struct policy *policy,
		 const struct inquiry_host *host);
void inquiry_close(struct inquiry *inquiry);

bool inquiry_is_host(const struct inquiry *inquiry, const struct ranges *list, uint8_t families);
void traffic_all(struct traffic *traffic);
bool protocols_have(const struct protocols *set, uint8_t l4_proto);
void protocols_add(struct protocols *set, uint8_t l4_proto);
bool protocol_can_arrive(uint8_t l4_proto, uint8_t ip_version);

int inquiry_ask(struct inquiry *inquiry, struct traffic *traffic);
bool region_part(struct inquiry *inquiry, const struct region *region, const struct ranges *to,
		 const struct product *of, struct product *part);
size_t inquiry_classes(struct inquiry *inquiry, const struct region *region, struct rank_list ranks,
		       const struct protocols *asked);
const struct box **inquiry_others(struct inquiry *inquiry, const struct region *region,
				  uint8_t l4_proto, struct rank_list ranks, size_t *n);
bool inquiry_begin(struct inquiry *inquiry, const struct region *region,
		   const struct protocol_class *class_, const struct product *part,
		   struct products *products);

#endif /* SHRIKE_REVIEW_INQUIRY_H */
