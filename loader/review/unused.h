/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of a policy in force nothing needs: rules without hits and connections, rules that others cover,
 * sets without members.
 *
 * A rule's hits are counted from when its id came into the policy, or from when the interface was
 * attached.  Both are known from the history.  Where they are not, and for NetBird's rules, of which
 * there is no history, it is only known that the generation in force counts them.
 */
#ifndef SHRIKE_REVIEW_UNUSED_H
#define SHRIKE_REVIEW_UNUSED_H

#include "dataplane/attached.h"
#include "policy/policy.h"

/*
 * struct unused_rule - one rule of a policy, used or not
 * @number: as connections have it
 * @counted_ns: since when hits have been counted for sure, CLOCK_REALTIME
 * @last_hit_ns: of the last hit, CLOCK_REALTIME; 0: none
 * @last_use_ns: of the last packet of a connection that it has let in and that is there still; 0: none
 * @packets: hits
 * @why: what `policy check` says of a rule that decides about nothing; NULL: it may
 */
struct unused_rule {
	const struct policy_rule *rule;
	enum acl acl;
	uint32_t number;
	uint64_t counted_ns;
	uint64_t last_hit_ns;
	uint64_t last_use_ns;
	uint64_t packets;
	char *why;
};

/*
 * struct unused - a policy, rule by rule
 * @counted_ns: since when the hits of any rule are counted
 */
struct unused {
	struct unused_rule *rules; /* peer_acl's, then route_acl's, in the order of the file */
	size_t n;
	uint64_t counted_ns;
};

int unused_find(const char *ifname, const struct attached *attached, const struct policy *policy,
		struct unused *unused, struct error *error);
bool unused_is(const struct unused_rule *rule, uint64_t since_ns);
void unused_free(struct unused *unused);

#endif /* SHRIKE_REVIEW_UNUSED_H */
