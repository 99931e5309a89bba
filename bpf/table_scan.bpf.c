/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables that are full: when they are scanned (table_scan.h), who is kept out of them meanwhile,
 * and reporting that to `shrike run`.  Owns ct_pressure_v1 (pressure.h).
 */
#include "table_scan.h"

#include "pressure.h"

#define BPF_RB_FORCE_WAKEUP 2
#define TABLE_MASK	    (TABLE_SCAN_TABLES - 1)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ct_pressure_v1 SEC(".maps");

/*
 * What is known of a table beyond a scan.  CPUs that race may scan or note twice, or keep out half
 * an address, which is nobody's.
 */
static struct {
	__u64 scan_ns; /* not scanned again before */
	__u64 note_ns; /* not noted again before */
	union addr greediest;
} tables[TABLE_SCAN_TABLES];

static __always_inline bool is_due(__u64 due_ns, __u64 now_ns)
{
	return (__s64)(now_ns - due_ns) >= 0;
}

/* Nobody, this host that is, is never the same. */
static __always_inline bool is_same_peer(const union addr *a, const union addr *b)
{
	return addr_equal(a, b) && (a->half[0] || a->half[1]);
}

static __always_inline void look(struct table_scan *scan, __u32 skip)
{
	scan->skipped = scan->skip = skip;
	scan->left = TABLE_SCAN_ENTRIES;
}

/**
 * table_scan_begin() - Begin to make room in a table
 * @table: TABLE_SCAN_FLOWS and up, TABLE_SCAN_FRAGMENTS
 * @asker: the source for which there is no room; all zero: this host
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: whether it is to be looked at; not if that was done a moment ago.
 */
int table_scan_begin(__u32 table, const union addr *asker, __u64 now_ns)
{
	struct table_scan *scan = table_scan_scratch();

	if (!scan || !asker || !is_due(tables[table & TABLE_MASK].scan_ns, now_ns))
		return false;
	scan->now_ns = now_ns;
	scan->table = table;
	scan->asker = *asker;
	scan->seed = bpf_get_prandom_u32();
	scan->tag = (scan->tag + 1) & 0xffff;
	scan->visited = scan->removed = scan->takes = scan->quota = 0;
	__builtin_memset(scan->count, 0, sizeof(scan->count));
	look(scan, bpf_get_prandom_u32() % TABLE_SCAN_SKIP);
	return true;
}

/* How many entries of the greediest source go: some for others, none for the sake of its own. */
static __always_inline __u32 peers_quota(const struct table_scan *scan)
{
	if (!is_same_peer(&scan->asker, &scan->victim))
		return (scan->count[TABLE_SCAN_PEER] + 3) / 4;
	return scan->visited > TABLE_SCAN_SMALL ? TABLE_SCAN_OF_ASKER : 0;
}

/* Which entries are the first to go, and how many of them. */
static __always_inline void choose(struct table_scan *scan)
{
	scan->victim_class = TABLE_SCAN_OWN;
	scan->quota = 1;
	if (scan->count[TABLE_SCAN_CLOSED]) {
		scan->victim_class = TABLE_SCAN_CLOSED;
		scan->quota = scan->count[TABLE_SCAN_CLOSED];
	} else if (scan->count[TABLE_SCAN_PEER]) {
		scan->victim_class = TABLE_SCAN_PEER;
		scan->quota = peers_quota(scan);
	}
	if (scan->quota > TABLE_SCAN_REMOVED)
		scan->quota = TABLE_SCAN_REMOVED;
	scan->takes = 1;
}

/**
 * table_scan_again() - Prepare another look at the table
 *
 * Return: whether another one is needed.
 */
int table_scan_again(void)
{
	struct table_scan *scan = table_scan_scratch();

	if (!scan || scan->removed || scan->takes)
		return false;
	if (scan->skipped && scan->left > TABLE_SCAN_ENTRIES - TABLE_SCAN_SMALL) {
		look(scan, 0); /* nearly all of the table has been passed over */
		return true;
	}
	choose(scan);
	look(scan, scan->skipped);
	return scan->quota > 0;
}

/**
 * table_scan_end() - Room has been made, or not
 *
 * A source that had to give way is kept from the table until the next scan may begin, so that the
 * room is others'.
 *
 * Return: whether there is room for who has asked.
 */
int table_scan_end(void)
{
	struct table_scan *scan = table_scan_scratch();
	const union addr nobody = {};
	union addr greediest;
	__u32 table;

	if (!scan)
		return false;
	table = scan->table & TABLE_MASK;
	greediest = scan->takes && scan->victim_class == TABLE_SCAN_PEER ? scan->victim : nobody;
	if (scan->visited > TABLE_SCAN_SMALL) {
		tables[table].scan_ns = scan->now_ns + (__u64)scan->visited * TABLE_SCAN_PAUSE_NS;
		tables[table].greediest = greediest;
	}
	return scan->removed && !is_same_peer(&scan->asker, &greediest);
}

/**
 * table_is_kept_from() - Whether a source is to wait, because it has filled a table alone
 * @table: as in table_scan_begin()
 * @source: who is to have an entry
 * @now_ns: CLOCK_MONOTONIC
 */
int table_is_kept_from(__u32 table, const union addr *source, __u64 now_ns)
{
	table &= TABLE_MASK;
	if (!source || is_due(tables[table].scan_ns, now_ns))
		return false;
	return is_same_peer(source, &tables[table].greediest);
}

/**
 * pressure_note() - Report to `shrike run` that a table has no room for another confirmed flow
 * @l4_proto, @ip_version: of the flow
 * @table: as in table_scan_begin()
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: 0.
 */
int pressure_note(__u8 l4_proto, __u8 ip_version, __u32 table, __u64 now_ns)
{
	struct pressure pressure = {.l4_proto = l4_proto, .ip_version = ip_version};

	table &= TABLE_MASK;
	if (!is_due(tables[table].note_ns, now_ns))
		return 0;
	tables[table].note_ns = now_ns + PRESSURE_NOTE_NS;
	bpf_ringbuf_output(&ct_pressure_v1, &pressure, sizeof(pressure), BPF_RB_FORCE_WAKEUP);
	return 0;
}
