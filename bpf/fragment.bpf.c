/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 2: fragments.  Owns fragments_v2 (fragment.h).
 *
 * Only the first fragment shows ports, so it alone is judged, and its verdict holds for the
 * others.  They never wait for it: a later fragment without a verdict drops.  Addresses of the
 * key are those on the wire, before translation.
 *
 * An answer's fragments come in by an uplink in the same way: the first one's ports lead to the peer.
 * One that comes before it cannot be told from this host's, which gets it; fragment_hold.bpf.c keeps a
 * copy.
 */
#include "table_scan.h"

#include "fragment_key.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments_v2 SEC(".maps");

static __always_inline bool expired(const struct fragment *fragment, __u64 now_ns)
{
	return (__s64)(now_ns - fragment->created_ns) > (__s64)config.fragment_timeout_ns;
}

/* What is known of a later fragment's datagram; NULL: nothing, or too long ago. */
static __always_inline struct fragment *fragment_find(const struct packet *p)
{
	struct fragment_key key;
	struct fragment *fragment;

	fragment_key_set(&key, p);
	fragment = bpf_map_lookup_elem(&fragments_v2, &key);
	return fragment && !expired(fragment, p->now_ns) ? fragment : NULL;
}

/* Whether a fragment overlaps the first one, or another of its datagram has. */
static __always_inline bool overlaps(const struct packet *p, struct fragment *fragment)
{
	if (fragment->verdict != VERDICT_DROP && p->frag_off >= fragment->first_end)
		return false;
	if (!config.dry_run)
		fragment->verdict = VERDICT_DROP;
	return true;
}

/* What the transport header of the datagram says. */
static __always_inline void show_header(struct packet *p, const struct fragment *fragment)
{
	p->sport = fragment->sport;
	p->dport = fragment->dport;
	p->icmp_type = fragment->icmp_type;
	p->icmp_code = fragment->icmp_code;
}

/**
 * fragment_lookup() - Judge a later fragment by what was decided on the first
 * @p: packet that is FRAGMENT_LATER
 *
 * A fragment that begins before the first one's end drops, and the whole datagram with it
 * (RFC 1858, RFC 5722).
 *
 * Return: the verdict of the first fragment, with ports where that has left by an uplink; VERDICT_DROP;
 * or VERDICT_CONTINUE with ports where the datagram has to be judged again.
 */
int fragment_lookup(struct packet *p)
{
	struct fragment *fragment;

	if (!p)
		return VERDICT_DROP;
	fragment = fragment_find(p);
	if (!fragment)
		return drop(p, REASON_FRAGMENT_UNKNOWN);
	if (overlaps(p, fragment))
		return drop(p, REASON_FRAGMENT_OVERLAP);
	p->epoch = conntrack_epoch();
	if (config.routing == ROUTING_NAT && fragment->by_nat) {
		show_header(p, fragment);
		p->sender = SENDER_MASQUERADE;
	}
	if (fragment->match != FLOW_MATCH_REPLY &&
	    (fragment->generation != config.generation || fragment->epoch != p->epoch)) {
		show_header(p, fragment);
		if (fragment->match == FLOW_MATCH_ANSWER)
			p->flow_match = FLOW_MATCH_STALE_REPLY;
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
	fragment_key_set(&key, p);
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
 * fragment_by_nat() - A first fragment leaves by an uplink: the later ones are to follow
 * @p: the fragment
 *
 * Return: 0.
 */
int fragment_by_nat(struct packet *p)
{
	struct fragment *fragment;

	if (!p || config.dry_run)
		return 0;
	fragment = fragment_find(p);
	if (fragment)
		fragment->by_nat = true;
	return 0;
}

/**
 * fragment_answer() - Whether a later fragment that has come in by an uplink is of an answer
 * @p: packet that is FRAGMENT_LATER
 *
 * Return: VERDICT_CONTINUE with ports; VERDICT_DROP for an overlap; VERDICT_PASS: it is none, or has
 * come before its first.
 */
int fragment_answer(struct packet *p)
{
	struct fragment *fragment;

	if (!p)
		return VERDICT_DROP;
	fragment = fragment_find(p);
	if (!fragment)
		return VERDICT_PASS;
	show_header(p, fragment);
	return overlaps(p, fragment) ? drop(p, REASON_FRAGMENT_OVERLAP) : VERDICT_CONTINUE;
}

/**
 * fragment_drop_verdict() - Drop what an earlier first fragment of the same id has decided
 * @p: packet that is FRAGMENT_FIRST
 */
int fragment_drop_verdict(struct packet *p)
{
	struct fragment_key key;

	if (!p || config.dry_run)
		return 0;
	fragment_key_set(&key, p);
	bpf_map_delete_elem(&fragments_v2, &key);
	return 0;
}

static long fragment_scan(void *map, const struct fragment_key *key,
			  const struct fragment *fragment, struct table_scan_ctx *ctx)
{
	struct table_scan *scan = ctx->scan;
	bool is_dead = expired(fragment, scan->now_ns);

	scan->source = key->saddr;
	if (table_scan_takes(scan, is_dead ? TABLE_SCAN_EXPIRED : TABLE_SCAN_PEER))
		bpf_map_delete_elem(map, key);
	return table_scan_is_over(scan);
}

/* Remove some entries; returns whether there is room for a datagram of @source. */
static __noinline int make_room(const union addr *source, __u64 now_ns)
{
	struct table_scan_ctx ctx = {.scan = table_scan_scratch()};

	if (!ctx.scan || !table_scan_begin(TABLE_SCAN_FRAGMENTS, source, now_ns))
		return false;
	for (int look = 0; look < TABLE_SCAN_LOOKS; look++) {
		bpf_for_each_map_elem(&fragments_v2, fragment_scan, &ctx, 0);
		if (!table_scan_again())
			break;
	}
	return table_scan_end();
}

/**
 * fragment_record() - Remember the verdict on a first fragment for the later ones
 * @p: packet that is FRAGMENT_FIRST
 * @verdict: VERDICT_PASS or VERDICT_FORWARD; a drop needs no record
 *
 * A full table makes room at the cost of the source that has most of it.  Where there is none, the
 * later fragments drop.
 */
int fragment_record(struct packet *p, int verdict)
{
	struct fragment fragment = {.verdict = verdict};
	struct fragment_key key;
	int err;

	if (!p || config.dry_run)
		return 0;
	fragment.created_ns = p->now_ns;
	fragment.first_end = p->ip_len - p->l4_off;
	fragment.rule = p->rule;
	fragment.generation = config.generation;
	fragment.epoch = conntrack_epoch();
	fragment.sport = p->sport;
	fragment.dport = p->dport;
	fragment.icmp_type = p->icmp_type;
	fragment.icmp_code = p->icmp_code;
	fragment.match = p->flow_match == FLOW_MATCH_STALE_REPLY ? FLOW_MATCH_ANSWER
								 : p->flow_match;
	fragment_key_set(&key, p);
	if (table_is_kept_from(TABLE_SCAN_FRAGMENTS, &key.saddr, p->now_ns))
		return 0;
	/* before Linux 6.4 the upper half of the result is not the sign's */
	err = bpf_map_update_elem(&fragments_v2, &key, &fragment, BPF_ANY);
	if (err == -E2BIG && make_room(&key.saddr, p->now_ns))
		bpf_map_update_elem(&fragments_v2, &key, &fragment, BPF_ANY);
	return 0;
}
