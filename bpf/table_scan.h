/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Making room in a hash table that is full: a look at some thousand of its entries.
 *
 * Entries are spread by a hash, so those that a scan meets are a sample of the table.  What has
 * expired goes.  If nothing has, the scan counts entries by class and by source, and a second scan
 * over the same entries removes some: of the closed ones; else of the source that has most; else,
 * where this host has opened all, one of these.
 *
 * The user of a table supplies a callback of bpf_for_each_map_elem(), which asks table_scan_takes()
 * about the entry and returns table_scan_is_over().  Its context, struct table_scan_ctx, has to be
 * on the stack; the scan itself is not.  Were its counters there, Linux 6.12 and later would walk
 * the callback once for each value of theirs: "The sequence of 8193 jumps is too complex".
 */
#ifndef SHRIKE_TABLE_SCAN_H
#define SHRIKE_TABLE_SCAN_H

#include "packet.h"

#define E2BIG 7 /* what the kernel says of a hash map that is full */

#define TABLE_SCAN_ENTRIES  4096 /* a scan looks at */
#define TABLE_SCAN_SKIP	    8192 /* and passes over before, so that not the same ones go every time */
#define TABLE_SCAN_REMOVED  64	 /* and removes, at most */
#define TABLE_SCAN_OF_ASKER 8	 /* where who asks for room is the one to give way */
#define TABLE_SCAN_SMALL    64	 /* fewer entries than that say little, and cost nothing */
#define TABLE_SCAN_LOOKS    3	 /* at a table, at most */
#define TABLE_SCAN_CELLS    1024

/* A scan pauses the next one for that long per entry: a few percent of a CPU, at most. */
#define TABLE_SCAN_PAUSE_NS 1000

/* What an entry is worth, the least first. */
enum table_scan_class {
	TABLE_SCAN_EXPIRED,
	TABLE_SCAN_CLOSED,
	TABLE_SCAN_PEER, /* opened by a peer, the source */
	TABLE_SCAN_OWN,	 /* opened by this host */
	TABLE_SCAN_CLASSES,
};

/* The tables that table_scan_begin() knows. */
#define TABLE_SCAN_FLOWS     0 /* and seven more: see flow_table_number() */
#define TABLE_SCAN_FRAGMENTS 8
#define TABLE_SCAN_TABLES    16 /* a power of two */

/*
 * struct table_scan - a scan of one table; scratch of the CPU
 * @cell: by a hash of the source: the scan's tag, the count (16 bits each) and the hash of the source
 *	that is counted there.  Each entry of another source in that cell takes one from the count, and
 *	at zero it takes the cell (Boyer and Moore's majority vote); the next scan hashes differently.
 */
struct table_scan {
	__u64 now_ns;
	__u32 table;
	__u32 seed;
	__u32 tag;
	__u32 skip;    /* entries to be passed over yet */
	__u32 skipped; /* and in all */
	__u32 left;    /* entries to look at yet */
	__u32 visited; /* entries passed over and looked at, of all looks */
	__u32 removed;
	__u32 takes; /* the second look, which removes */
	__u32 quota; /* this many yet */
	__u32 victim_class;
	union addr asker;  /* who has found no room; all zero: this host */
	union addr victim; /* the greediest source */
	union addr source; /* of the entry that is looked at */
	__u32 count
		[TABLE_SCAN_CLASSES]; /* entries seen; TABLE_SCAN_PEER: of the greediest source */
	__u64 cell[TABLE_SCAN_CELLS];
};

struct table_scan_ctx {
	struct table_scan *scan;
};

__hidden extern struct table_scan *table_scan_scratch(void);
extern int table_scan_begin(__u32 table, const union addr *asker, __u64 now_ns);
extern int table_scan_again(void);
extern int table_scan_end(void);
extern int table_is_kept_from(__u32 table, const union addr *source, __u64 now_ns);
extern int pressure_note(__u8 l4_proto, __u8 ip_version, __u32 table, __u64 now_ns);

static __always_inline __u32 table_scan_hash(const struct table_scan *scan)
{
	__u32 hash = scan->seed;

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ scan->source.word[i]) * 0x9e3779b1;
		hash ^= hash >> 15;
	}
	return hash * 0x85ebca6b;
}

/* Counts an entry of a source, and notes the greediest so far. */
static __always_inline void table_scan_count(struct table_scan *scan)
{
	__u32 hash = table_scan_hash(scan), at = hash >> 22, count = 0;
	__u64 cell = scan->cell[at];

	if (cell >> 48 == scan->tag)
		count = cell >> 32 & 0xffff;
	if (count && (__u32)cell != hash) {
		scan->cell[at] = cell - (1ull << 32);
		return;
	}
	count++;
	scan->cell[at] = (__u64)scan->tag << 48 | (__u64)count << 32 | hash;
	if (count <= scan->count[TABLE_SCAN_PEER])
		return;
	scan->count[TABLE_SCAN_PEER] = count;
	scan->victim = scan->source;
}

static __always_inline bool table_scan_is_victim(const struct table_scan *scan, __u32 entry_class)
{
	if (entry_class != scan->victim_class)
		return false;
	return entry_class != TABLE_SCAN_PEER || addr_equal(&scan->source, &scan->victim);
}

/**
 * table_scan_takes() - Look at an entry
 * @scan: the scan; its source is that of the entry
 * @entry_class: of the entry
 *
 * Return: whether the caller is to delete it.
 */
static __always_inline bool table_scan_takes(struct table_scan *scan,
					     enum table_scan_class entry_class)
{
	bool takes = entry_class == TABLE_SCAN_EXPIRED;

	scan->visited++;
	if (scan->skip) {
		scan->skip--;
		return false;
	}
	scan->left--;
	if (scan->takes) {
		takes = table_scan_is_victim(scan, entry_class);
		scan->quota -= takes;
	} else if (entry_class == TABLE_SCAN_PEER) {
		table_scan_count(scan);
	} else {
		scan->count[entry_class]++;
	}
	scan->removed += takes;
	return takes;
}

/**
 * table_scan_is_over() - What the callback returns: whether no further entry is to be looked at
 */
static __always_inline long table_scan_is_over(const struct table_scan *scan)
{
	if (scan->takes)
		return !scan->left || !scan->quota;
	return !scan->left || scan->removed == TABLE_SCAN_REMOVED;
}

#endif /* SHRIKE_TABLE_SCAN_H */
