/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Room in the tables of confirmed flows where nobody has swept them in time (table_scan.h).
 *
 * Included by conntrack.bpf.c alone, which owns the maps.
 */
#ifndef SHRIKE_FLOW_ROOM_H
#define SHRIKE_FLOW_ROOM_H

#include "flow_table.h"
#include "table_scan.h"

/**
 * table_scan_scratch() - The scan of this CPU
 */
__hidden struct table_scan *table_scan_scratch(void)
{
	struct flow_scratch *scratch = flow_scratch();

	return scratch ? &scratch->scan : NULL;
}

static __always_inline bool flow_is_expired(const struct flow *flow, __u64 now_ns)
{
	__u32 state = flow->state;

	if (state >= FLOW_STATE_MAX)
		return true;
	return (__s64)(now_ns - flow->last_seen_ns) > (__s64)config.timeout_ns[state];
}

static __always_inline enum table_scan_class flow_scan_class(const struct flow *flow, __u64 now_ns)
{
	if (flow_is_expired(flow, now_ns))
		return TABLE_SCAN_EXPIRED;
	if (flow->state == FLOW_STATE_TIME_WAIT || flow->state == FLOW_STATE_CLOSED)
		return TABLE_SCAN_CLOSED;
	return flow->flags & FLOW_BY_PEER ? TABLE_SCAN_PEER : TABLE_SCAN_OWN;
}

/* Where the opener's address is in a key, as a union addr. */
static __always_inline void flow_source4(union addr *source, const struct flow_key4 *key,
					 __u8 opener)
{
	source->half[0] = 0;
	source->word[2] = bpf_htonl(0xffff);
	source->word[3] = opener ? key->addr[1] : key->addr[0];
}

static __always_inline void flow_source6(union addr *source, const struct flow_key6 *key,
					 __u8 opener)
{
	*source = opener ? key->addr[1] : key->addr[0];
}

/**
 * flow_is_kept_out() - Whether a flow is to wait, as its source has filled the table alone
 * @key, @flow: the flow; its opener becomes the one who asks for room
 * @now_ns: CLOCK_MONOTONIC
 */
__noinline int flow_is_kept_out(const struct flow_key *key, const struct flow *flow, __u64 now_ns)
{
	struct flow_scratch *scratch = flow_scratch();

	if (!key || !flow || !scratch)
		return false;
	if (!(flow->flags & FLOW_BY_PEER))
		__builtin_memset(&scratch->asker, 0, sizeof(scratch->asker));
	else if (key->ip_version == IP_VERSION_4)
		flow_source4(&scratch->asker, &key->v4, flow->opener);
	else
		flow_source6(&scratch->asker, &key->v6, flow->opener);
	return table_is_kept_from(TABLE_SCAN_FLOWS + flow_table_number(key), &scratch->asker,
				  now_ns);
}

/*
 * Listeners find out that the flows are gone (conntrack/missing_ends.h), as with those of the other
 * tiers.
 */
static long flow4_scan(void *map, const struct flow_key4 *key, const struct flow *flow,
		       struct table_scan_ctx *ctx)
{
	struct table_scan *scan = ctx->scan;

	flow_source4(&scan->source, key, flow->opener);
	if (table_scan_takes(scan, flow_scan_class(flow, scan->now_ns)))
		bpf_map_delete_elem(map, key);
	return table_scan_is_over(scan);
}

static long flow6_scan(void *map, const struct flow_key6 *key, const struct flow *flow,
		       struct table_scan_ctx *ctx)
{
	struct table_scan *scan = ctx->scan;

	flow_source6(&scan->source, key, flow->opener);
	if (table_scan_takes(scan, flow_scan_class(flow, scan->now_ns)))
		bpf_map_delete_elem(map, key);
	return table_scan_is_over(scan);
}

/* A call site for each map, as for look-ups: the helper takes only a map that is known. */
#define FLOW_SCAN(number, map)                                                                     \
	case number:                                                                               \
		seen = number < 4 ? bpf_for_each_map_elem(&map, flow4_scan, &ctx, 0)               \
				  : bpf_for_each_map_elem(&map, flow6_scan, &ctx, 0);              \
		FLOW_CALL_SITE(seen, map);                                                         \
		break;

/**
 * flow_scan() - Look at the flows of the table that is full
 *
 * Return: 0.
 */
__noinline int flow_scan(void)
{
	struct table_scan_ctx ctx = {.scan = table_scan_scratch()};
	long seen;

	if (!ctx.scan)
		return 0;
	switch (ctx.scan->table - TABLE_SCAN_FLOWS) {
		TABLES_OF_TIER(FLOW_SCAN, , other)
	}
	return 0;
}

/**
 * flow_scan_begin() - Report that a table is full, and begin to make room in it
 * @key: of the flow that finds no room, for which flow_is_kept_out() was called
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: whether flow_scan() is to be called.
 */
__noinline int flow_scan_begin(const struct flow_key *key, __u64 now_ns)
{
	struct flow_scratch *scratch = flow_scratch();
	__u32 table;

	if (!key || !scratch)
		return false;
	table = TABLE_SCAN_FLOWS + flow_table_number(key);
	pressure_note(key->l4_proto, key->ip_version, table, now_ns);
	return table_scan_begin(table, &scratch->asker, now_ns);
}

/*
 * Removes flows from the table of a confirmed one; returns whether there is room.  All parts are
 * global, so that the verifier looks at each once, and the one that the scan is below has little on
 * the stack.
 */
static __always_inline bool flow_make_room(const struct flow_key *key, __u64 now_ns)
{
	if (!flow_scan_begin(key, now_ns))
		return false;
	for (int look = 0; look < TABLE_SCAN_LOOKS; look++) {
		flow_scan();
		if (!table_scan_again())
			break;
	}
	return table_scan_end();
}

#endif /* SHRIKE_FLOW_ROOM_H */
