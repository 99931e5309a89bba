/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packets that a rule decides about: its box, less those of the rules before it.
 */
#ifndef SHRIKE_REVIEW_SHARE_H
#define SHRIKE_REVIEW_SHARE_H

#include "review/inquiry.h"

#define SHARE_NO_RULE UINT32_MAX /* instead of a rank: what the kernel's router decides about */

/*
 * struct share - packets of one region and protocol class that a rule decides about
 * @box: the rule; NULL: all that is
 * @part: what it matches there
 * @products: those of @part that no rule before it decides about
 * @at_most: which those are took too long to find out, and @products is all of @part
 */
struct share {
	const struct region *region;
	const struct protocol_class *class_;
	const struct box *box;
	const struct product *part;
	struct products *products;
	bool at_most;
};

/* Takes a share; valid during the call.  Return: 0, or what ends the walk. */
typedef int (*share_fn)(void *arg, const struct share *share);

/*
 * struct share_walk - which packets are looked for
 * @exact: of two allowing rules the first one decides; else denials alone are taken away
 * @work_max: ranges that may be looked at for a class of one rule; 0: no other rule is looked at, and
 *	the first one apart, shares are "at most"
 */
struct share_walk {
	struct inquiry *inquiry;
	const struct traffic *traffic;
	bool exact;
	uint64_t work_max;
	share_fn on_share;
	void *arg;
};

int share_visit(const struct share_walk *walk, enum acl acl, uint32_t rank);
void share_protocols(const struct policy_rule *rule, uint8_t ip_version, struct protocols *set);

#endif /* SHRIKE_REVIEW_SHARE_H */
