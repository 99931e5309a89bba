/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 6: the ACLs.  Owns rules_v1 and rule_hits_v1 (rule.h).
 *
 * classify() finds the first rule that matches, in the order denies before allows; this stage
 * turns it into a verdict and counts it.  Established connections never come here.
 */
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rule);
} rules_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rule_hits);
} rule_hits_v1 SEC(".maps");

static __always_inline void count(const struct packet *p, __u32 index)
{
	struct rule_hits *hits;

	if (config.dry_run)
		return;
	hits = bpf_map_lookup_elem(&rule_hits_v1, &index);
	if (!hits)
		return;
	hits->packets++;
	hits->bytes += p->ip_len;
	hits->last_hit_ns = p->now_ns;
}

static __always_inline void note_acl(struct packet *p, enum acl acl, bool allowed)
{
	if (acl == ACL_PEER)
		trace_note(p, STAGE_PEER_ACL,
			   allowed ? MESSAGE_PEER_ALLOWED : MESSAGE_PEER_BLOCKED);
	else
		trace_note(p, STAGE_ROUTE_ACL, allowed ? MESSAGE_ACL_ALLOWED : MESSAGE_ACL_BLOCKED);
	if (!allowed)
		trace_note(p, STAGE_COMPLETED, MESSAGE_DONE_ACL);
}

/**
 * acl_judge() - Ask one of the ACLs
 * @p: packet; the number of the deciding rule is noted in it
 * @acl: which of them
 *
 * Return: VERDICT_PASS if a rule allows it, else VERDICT_DROP; with the reason.
 */
int acl_judge(struct packet *p, int acl)
{
	bool peer = acl == ACL_PEER;
	struct rule *rule;
	__u32 found, index;

	if (!p)
		return VERDICT_DROP;
	found = classify(p, acl);
	if (!found) {
		note_acl(p, acl, false);
		return drop(p, peer ? REASON_PEER_ACL_DEFAULT : REASON_ROUTE_ACL_DEFAULT);
	}
	index = found - 1;
	rule = bpf_map_lookup_elem(&rules_v1, &index);
	if (!rule)
		return drop(p, REASON_INTERNAL);
	count(p, index);
	p->rule = rule->number;
	note_acl(p, acl, rule->flags & RULE_ALLOW);
	if (rule->flags & RULE_ALLOW)
		return pass(p, peer ? REASON_PEER_ACL_ALLOWED : REASON_ROUTE_ACL_ALLOWED);
	if (rule->flags & RULE_BUILTIN)
		return drop(p, REASON_OVERLAY_BLOCKED);
	return drop(p, peer ? REASON_PEER_ACL_DENIED : REASON_ROUTE_ACL_DENIED);
}
