/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flight recorder, at the end of the way of packets that were dropped or have opened a flow.  Owns
 * recorder_v1 and recorder (recorder.h).
 *
 * A region has one writer, as programs on one CPU do not interrupt each other.  Whoever reads it
 * meanwhile looks twice.
 */
#include "packet.h"

#include "recorder.h"

const volatile struct recorder_layout recorder = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, union recorder_slot);
} recorder_v1 SEC(".maps");

/* What tells the packet's kind from others, beside what struct packet has. */
struct kind {
	const union addr *saddr;
	__u32 region; /* its first slot */
	__be16 dport;
	__u8 flags;
};

/* Where the index has a kind: in one of two entries, which share a cache line. */
struct index_pair {
	__u32 *newer;
	__u32 *older;
	__u32 tag;
};

static __always_inline union recorder_slot *slot_at(__u32 slot)
{
	return bpf_map_lookup_elem(&recorder_v1, &slot);
}

static __always_inline __u8 record_flags(const struct packet *p, int verdict)
{
	__u8 flags = 0;

	if (verdict == VERDICT_DROP)
		flags |= RECORD_DROP;
	if (verdict == VERDICT_FORWARD)
		flags |= RECORD_FORWARD;
	if (p->direction == DIR_EGRESS)
		flags |= RECORD_EGRESS;
	if (p->direction == DIR_UPLINK)
		flags |= RECORD_UPLINK;
	if (p->ip_version == IP_VERSION_6)
		flags |= RECORD_IP6;
	if (p->frag == FRAGMENT_LATER)
		flags |= RECORD_FRAGMENT;
	if (p->local_kind == LOCAL_BROADCAST)
		flags |= RECORD_BROADCAST;
	return flags;
}

/* The destination port as it was on the wire. */
static __always_inline __be16 kind_port(const struct packet *p)
{
	if (is_icmp(p))
		return bpf_htons(p->icmp_type << 8 | p->icmp_code);
	return p->direction == DIR_INGRESS && p->nat_port ? p->nat_port : p->dport;
}

/*
 * By products that do not wait for each other.  Their lower bits know nothing of higher ones, so the
 * last byte of an address, in which most differ, is turned to the lower end.
 */
static __always_inline __u32 hash_of(const struct packet *p, const struct kind *kind)
{
	__u64 rest = (__u64)p->rule << 32 | (__u32)kind->dport << 16 | p->l4_proto << 8 | p->reason;
	__u64 hash = kind->saddr->half[0] * 0x9e3779b97f4a7c15 +
		     bpf_be64_to_cpu(kind->saddr->half[1]) * 0x243f6a8885a308d3;

	hash ^= p->daddr.half[0] * 0x13198a2e03707345 +
		bpf_be64_to_cpu(p->daddr.half[1]) * 0xa4093822299f31d1;
	hash ^= rest * 0x082efa98ec4e6c89;
	return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15 >> 32;
}

static __always_inline bool is_of_kind(const struct record *record, const struct packet *p,
				       const struct kind *kind)
{
	return record->rule == p->rule && record->dport == kind->dport &&
	       record->l4_proto == p->l4_proto && record->reason == p->reason &&
	       record->flags == kind->flags && record->generation == config.generation &&
	       addr_equal(&record->saddr, kind->saddr) && addr_equal(&record->daddr, &p->daddr);
}

/* Count a packet in a record that is still open; false where it is not. */
static __always_inline bool repeat(struct record *record, __u64 now_ns)
{
	__u64 last = (now_ns - record->time_ns) >> RECORDER_TICK_SHIFT;

	if (last > RECORDER_LONGEST || last - record->last > RECORDER_GAP)
		return false;
	record->count++;
	record->last = last;
	return true;
}

/* Whether a class of senders may have a record of a share's reserve. */
static __always_inline bool class_is_due(struct recorder_head *head, __u64 interval,
					 const struct kind *kind, __u64 now_ns)
{
	__u64 sender = (kind->saddr->half[0] ^ kind->saddr->half[1]) * 0x9e3779b97f4a7c15;
	__u64 at = (sender >> 32) * RECORDER_CLASSES >> 32;
	__u32 ticks = interval >> (RECORDER_TICK_SHIFT - RECORDER_CLASS_SHIFT) ?: 1;
	__u32 burst = ticks > RECORDER_CLASS_BURST ? ticks : RECORDER_CLASS_BURST;
	__u32 from = (now_ns >> RECORDER_TICK_SHIFT) - burst, taken;

	barrier_var(at);
	if (at >= RECORDER_CLASSES) /* which the verifier cannot see */
		return false;
	taken = head->class_due[at] - from;
	if (taken > burst) /* long ago, even a round of the ticks */
		taken = 0;
	if (taken + ticks > burst)
		return false;
	head->class_due[at] = from + taken + ticks;
	return true;
}

/* Whether a share may have another record now. */
static __always_inline bool is_due(struct recorder_head *head, __u32 shift, const struct kind *kind,
				   __u64 now_ns)
{
	__u64 interval = recorder.interval_ns >> shift, due = head->due_ns;
	__u64 burst = interval > RECORDER_BURST_NS ? interval : RECORDER_BURST_NS;

	if ((__s64)(due - now_ns + burst) < 0)
		due = now_ns - burst;
	due += interval;
	if ((__s64)(due - now_ns) > 0)
		return false;
	if ((__s64)(due - now_ns + burst / 2) > 0 && !class_is_due(head, interval, kind, now_ns))
		return false;
	head->due_ns = due;
	return true;
}

/* Read a record that is written next, which brings it into the cache until then. */
static __always_inline void fetch(__u32 slot)
{
	const union recorder_slot *next = slot_at(slot);
	__u32 count = next ? next->record.count : 0;

	asm volatile("" : : "r"(count));
}

/* The oldest record of a share, to be written over: what it has counted is forgotten. */
static __always_inline struct record *take(struct recorder_head *head,
					   const struct recorder_share *share, __u32 region,
					   __u32 *at)
{
	__u32 ring = region + recorder.rings + recorder.unit * share->first;
	__u32 next = head->next + 1;
	union recorder_slot *oldest;

	*at = ring + head->next;
	oldest = slot_at(*at);
	if (!oldest)
		return NULL;
	if (next >= recorder.unit << share->shift)
		next = 0;
	head->next = next;
	head->records++;
	head->forgotten += oldest->record.count;
	fetch(ring + next);
	return &oldest->record;
}

static __always_inline void fill(struct record *record, const struct packet *p,
				 const struct kind *kind)
{
	record->count = 0; /* it is being written */
	barrier();
	record->time_ns = p->now_ns;
	record->saddr = *kind->saddr;
	record->daddr = p->daddr;
	record->rule = p->rule;
	record->generation = config.generation;
	record->sport = p->sport;
	record->dport = kind->dport;
	record->last = 0;
	record->ip_len = p->ip_len;
	record->l4_proto = p->l4_proto;
	record->tcp_flags = p->tcp_flags;
	record->reason = p->reason;
	record->flags = kind->flags;
	barrier();
	record->count = 1;
}

/* A packet of a share that has had its records: count it among the rest. */
static __always_inline void note_rest(struct recorder_head *head,
				      const struct recorder_share *share, const struct packet *p,
				      const struct kind *kind)
{
	union recorder_slot *slot = head->rest ? slot_at(head->rest) : NULL;
	struct record *record;

	head->beyond++;
	if (slot && slot->record.flags & RECORD_REST && repeat(&slot->record, p->now_ns))
		return;
	record = take(head, share, kind->region, &head->rest);
	if (!record)
		return;
	__builtin_memset(record, 0, sizeof(*record));
	record->time_ns = p->now_ns;
	record->generation = config.generation;
	record->reason = p->reason;
	record->flags = RECORD_REST | (kind->flags & (RECORD_DROP | RECORD_EGRESS));
	barrier();
	record->count = 1;
}

/* The first packet of a kind, for now. */
static __always_inline void note_first(const struct packet *p, const struct kind *kind,
				       const struct index_pair *pair)
{
	struct recorder_share share = recorder_share(p->reason, p->direction == DIR_EGRESS);
	union recorder_slot *head = slot_at(kind->region + share.number);
	struct record *record;
	__u32 at;

	if (!head)
		return;
	if (!is_due(&head->head, share.shift, kind, p->now_ns)) {
		note_rest(&head->head, &share, p, kind);
		return;
	}
	record = take(&head->head, &share, kind->region, &at);
	if (!record)
		return;
	fill(record, p, kind);
	*pair->older = *pair->newer;
	*pair->newer = pair->tag << RECORDER_TAG_SHIFT | (at - kind->region);
}

/* Count the packet in the record that an entry of the index leads to; false where it is of another kind. */
static __always_inline bool repeat_at(__u32 entry, __u32 tag, const struct packet *p,
				      const struct kind *kind)
{
	__u32 at = entry & ((1 << RECORDER_TAG_SHIFT) - 1);
	union recorder_slot *slot;

	if (entry >> RECORDER_TAG_SHIFT != tag || at < recorder.rings)
		return false;
	slot = slot_at(kind->region + at);
	return slot && is_of_kind(&slot->record, p, kind) && repeat(&slot->record, p->now_ns);
}

/* Find the entries of a kind in the index. */
static __always_inline bool find_pair(struct index_pair *pair, const struct packet *p,
				      const struct kind *kind)
{
	__u32 hash = hash_of(p, kind), at = hash & recorder.index_mask;
	union recorder_slot *slot =
		slot_at(kind->region + RECORDER_SHARES + (at >> RECORDER_INDEX_SHIFT));

	if (!slot)
		return false;
	at &= (1 << RECORDER_INDEX_SHIFT) - 1;
	pair->newer = &slot->index[at & ~1u];
	pair->older = &slot->index[at | 1];
	pair->tag = hash >> RECORDER_TAG_SHIFT;
	return true;
}

/**
 * recorder_note() - Record a packet that was dropped, or has opened a flow
 * @p: the packet at the end of its way
 * @verdict: what it came to
 *
 * Return: 0.
 */
int recorder_note(struct packet *p, int verdict)
{
	struct index_pair pair;
	struct kind kind;

	if (!p || !recorder.cpu_slots || config.dry_run)
		return 0;
	kind.saddr = p->direction == DIR_INGRESS ? &p->wire_addr : &p->saddr;
	kind.region = bpf_get_smp_processor_id() * recorder.cpu_slots;
	kind.dport = kind_port(p);
	kind.flags = record_flags(p, verdict);
	if (!find_pair(&pair, p, &kind) || repeat_at(*pair.newer, pair.tag, p, &kind) ||
	    repeat_at(*pair.older, pair.tag, p, &kind))
		return 0;
	note_first(p, &kind, &pair);
	return 0;
}
