/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 2: fragments.  Owns fragments_v2 (fragment.h).
 *
 * Only the first fragment shows ports, so it alone is judged, and its verdict holds for the
 * others.  They never wait for it: a later fragment without a verdict drops.  Addresses of the
 * key are those on the wire, before translation.
 */
#include "packet.h"

#include "fragment.h"

/*
 * Entries looked at for an expired one when the table is full.  A variable, because Linux 6.18
 * walks a callback with a counter that it knows until the end of the count, and gives up: "The
 * sequence of 8193 jumps is too complex".
 */
__u32 fragment_evict_scan = 64;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments_v2 SEC(".maps");

static __always_inline void key_set(struct fragment_key *key, const struct packet *p)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->saddr = p->direction == DIR_INGRESS ? p->wire_addr : p->saddr;
	key->daddr = p->direction == DIR_INGRESS ? p->daddr : p->wire_addr;
	key->id = p->frag_id;
	key->l4_proto = p->l4_proto;
	key->ip_version = p->ip_version;
}

static __always_inline bool expired(const struct fragment *fragment, __u64 now_ns)
{
	return (__s64)(now_ns - fragment->created_ns) > (__s64)config.fragment_timeout_ns;
}

/**
 * fragment_lookup() - Judge a later fragment by what was decided on the first
 * @p: packet that is FRAGMENT_LATER
 *
 * A fragment that begins before the first one's end drops, and the whole datagram with it
 * (RFC 1858, RFC 5722).
 *
 * Return: the verdict of the first fragment; VERDICT_DROP; or VERDICT_CONTINUE with ports where the
 * datagram has to be judged again.
 */
int fragment_lookup(struct packet *p)
{
	struct fragment_key key;
	struct fragment *fragment;

	if (!p)
		return VERDICT_DROP;
	key_set(&key, p);
	fragment = bpf_map_lookup_elem(&fragments_v2, &key);
	if (!fragment || expired(fragment, p->now_ns))
		return drop(p, REASON_FRAGMENT_UNKNOWN);
	if (fragment->verdict == VERDICT_DROP)
		return drop(p, REASON_FRAGMENT_OVERLAP);
	if (p->frag_off < fragment->first_end) {
		if (!config.dry_run)
			fragment->verdict = VERDICT_DROP;
		return drop(p, REASON_FRAGMENT_OVERLAP);
	}
	p->epoch = conntrack_epoch();
	if (!fragment->is_reply &&
	    (fragment->generation != config.generation || fragment->epoch != p->epoch)) {
		p->sport = fragment->sport;
		p->dport = fragment->dport;
		p->icmp_type = fragment->icmp_type;
		p->icmp_code = fragment->icmp_code;
		return VERDICT_CONTINUE;
	}
	p->rule = fragment->rule;
	if (fragment->verdict == VERDICT_FORWARD)
		return forward(p, REASON_FRAGMENT_ALLOWED);
	return pass(p, REASON_FRAGMENT_ALLOWED);
}

/**
 * fragment_judged() - A datagram has been judged again
 * @p: packet for which fragment_lookup() returned VERDICT_CONTINUE
 * @verdict: of the ACLs
 *
 * Return: 0.
 */
int fragment_judged(struct packet *p, int verdict)
{
	struct fragment_key key;
	struct fragment *fragment;

	if (!p || config.dry_run)
		return 0;
	key_set(&key, p);
	fragment = bpf_map_lookup_elem(&fragments_v2, &key);
	if (!fragment)
		return 0;
	if (verdict == VERDICT_DROP) {
		bpf_map_delete_elem(&fragments_v2, &key);
		return 0;
	}
	fragment->verdict = verdict;
	fragment->rule = p->rule;
	fragment->generation = config.generation;
	fragment->epoch = p->epoch;
	return 0;
}

/**
 * fragment_forget() - A first fragment has come: what was decided before holds no more
 * @p: packet that is FRAGMENT_FIRST
 */
int fragment_forget(struct packet *p)
{
	struct fragment_key key;

	if (!p || config.dry_run)
		return 0;
	key_set(&key, p);
	bpf_map_delete_elem(&fragments_v2, &key);
	return 0;
}

struct evict {
	__u64 now_ns;
	__u32 left;
};

static long evict_expired(void *map, const struct fragment_key *key, struct fragment *fragment,
			  struct evict *evict)
{
	if (!expired(fragment, evict->now_ns))
		return --evict->left == 0;
	bpf_map_delete_elem(map, key);
	return 1;
}

/**
 * fragment_record() - Remember the verdict on a first fragment for the later ones
 * @p: packet that is FRAGMENT_FIRST
 * @verdict: VERDICT_PASS or VERDICT_FORWARD; a drop needs no record
 *
 * A full table makes room only if an expired entry turns up soon; else the later fragments drop.
 */
int fragment_record(struct packet *p, int verdict)
{
	struct fragment fragment = {.verdict = verdict};
	struct fragment_key key;
	struct evict evict = {.left = fragment_evict_scan};

	if (!p || config.dry_run)
		return 0;
	fragment.created_ns = evict.now_ns = p->now_ns;
	fragment.first_end = p->ip_len - p->l4_off;
	fragment.rule = p->rule;
	fragment.generation = config.generation;
	fragment.epoch = conntrack_epoch();
	fragment.sport = p->sport;
	fragment.dport = p->dport;
	fragment.icmp_type = p->icmp_type;
	fragment.icmp_code = p->icmp_code;
	fragment.is_reply = p->flow_match == FLOW_MATCH_REPLY;
	key_set(&key, p);
	if (!bpf_map_update_elem(&fragments_v2, &key, &fragment, BPF_ANY))
		return 0;
	bpf_for_each_map_elem(&fragments_v2, evict_expired, &evict, 0);
	bpf_map_update_elem(&fragments_v2, &key, &fragment, BPF_ANY);
	return 0;
}
