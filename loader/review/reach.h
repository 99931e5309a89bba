/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can reach what: for each rule the packets that it lets in.
 */
#ifndef SHRIKE_REVIEW_REACH_H
#define SHRIKE_REVIEW_REACH_H

#include "base/error.h"
#include "review/inquiry.h"

/*
 * struct reach_box - packets that are let in: from any of the sources to any of the destinations of
 * the same family, by any of the protocols
 * @named: what the question and the rule name of sources and of destinations; the product has it
 *	less what rules before decide about
 * @protocols: without ICMP, which is @icmp
 * @everything: all protocols that can arrive
 * @has_ports: the first two dimensions say which ports or, with @icmp alone, which types
 */
struct reach_box {
	struct product product;
	struct ranges named[2];
	struct protocols protocols;
	uint8_t families;
	bool icmp;
	bool everything;
	bool has_ports;
};

/*
 * struct reach_rule - what one rule lets in
 * @rule: NULL: no rule is asked, the kernel's router decides
 * @at_most: which of these packets rules before it decide about took too long to find out
 */
struct reach_rule {
	const struct policy_rule *rule;
	enum acl acl;
	struct reach_box *boxes;
	size_t n;
	bool at_most;
};

/* Takes what a rule lets in; valid during the call.  Return: 0 or -errno, which ends it. */
typedef int (*reach_fn)(void *arg, const struct reach_rule *rule);

int reach_visit(struct inquiry *inquiry, const struct traffic *traffic, reach_fn on_rule,
		void *arg);

#endif /* SHRIKE_REVIEW_REACH_H */
