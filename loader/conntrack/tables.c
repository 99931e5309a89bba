/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "conntrack/tables.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/filter.h"
#include "kernel/map_batch.h"

#define WALK_BATCH 4096 /* entries per system call: 420 KiB, which makes the call itself cheap */

_Static_assert(sizeof(struct flow_key6) <= MAP_BATCH_KEY_MAX, "keys fit the walk");
_Static_assert(sizeof(struct flow) <= MAP_BATCH_VALUE_MAX, "values fit the walk");

#define NEW	  .confirmed = false
#define OWN	  .confirmed = false, .own = true
#define CONFIRMED .confirmed = true

const struct conntrack_map conntrack_maps[] = {
#define TABLE(map, l4_proto, ip_version, tier) {#map, l4_proto, ip_version, tier},
	FLOW_TABLES(TABLE)
#undef TABLE
};
#define TABLE(...) +1
_Static_assert(0 FLOW_TABLES(TABLE) == CONNTRACK_TABLES, "each protocol has its tables");
#undef TABLE

/**
 * conntrack_table_init() - Describe an opened table
 * @table: to fill
 * @map: its entry in conntrack_maps
 * @fd: the map; stays the caller's
 * @max_entries: of the map
 */
void conntrack_table_init(struct conntrack_table *table, const struct conntrack_map *map, int fd,
			  uint32_t max_entries)
{
	*table = (struct conntrack_table){
		.fd = fd,
		.l4_proto = map->l4_proto,
		.ip_version = map->ip_version,
		.confirmed = map->confirmed,
		.max_entries = max_entries,
	};
}

/**
 * conntrack_open() - The connection tables among a generation's maps
 * @maps: they stay owned by the set
 * @conntrack: is filled
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int conntrack_open(const struct map_set *maps, struct conntrack *conntrack, struct error *error)
{
	conntrack->n = 0;
	for (size_t i = 0; i < CONNTRACK_TABLES; i++) {
		const struct map_entry *map = map_set_require(maps, conntrack_maps[i].name,
							      sizeof(struct flow), error);

		if (!map)
			return -error->code;
		conntrack_table_init(&conntrack->tables[conntrack->n++], &conntrack_maps[i],
				     map->fd, map->max_entries);
	}
	return 0;
}

/**
 * conntrack_key_size() - Bytes of a table's keys
 * @table: any table
 */
uint32_t conntrack_key_size(const struct conntrack_table *table)
{
	return table->ip_version == IP_VERSION_4 ? sizeof(struct flow_key4)
						 : sizeof(struct flow_key6);
}

static void end_address(uint8_t ip_version, const void *key, unsigned int end, union addr *addr)
{
	if (ip_version == IP_VERSION_6) {
		*addr = ((const struct flow_key6 *)key)->addr[end];
		return;
	}
	memset(addr, 0, sizeof(*addr));
	addr->word[2] = htonl(0xffff);
	addr->word[3] = ((const struct flow_key4 *)key)->addr[end];
}

/**
 * conntrack_opener() - The address of the end that has opened a flow
 * @table: its table
 * @key, @flow: the flow
 * @addr: set to the address, IPv4 v4-mapped
 */
void conntrack_opener(const struct conntrack_table *table, const void *key, const struct flow *flow,
		      union addr *addr)
{
	end_address(table->ip_version, key, flow->opener & 1, addr);
}

/**
 * conntrack_confirmed() - The table that holds a protocol's confirmed flows
 * @conntrack: the tables
 * @l4_proto: number of the protocol
 * @ip_version: 4 or 6
 *
 * Return: its index; @conntrack->n: there is none.
 */
size_t conntrack_confirmed(const struct conntrack *conntrack, uint8_t l4_proto, uint8_t ip_version)
{
	uint8_t wanted = flow_table_protocol(l4_proto, ip_version);
	size_t t;

	for (t = 0; t < conntrack->n; t++) {
		const struct conntrack_table *table = &conntrack->tables[t];

		if (table->confirmed && table->ip_version == ip_version &&
		    table->l4_proto == wanted)
			break;
	}
	return t;
}

/* Set addresses and ports of a view, the opener first. */
static void view_ends(struct flow_view *view, const void *key, unsigned int opener)
{
	__be16 port[2];

	for (unsigned int end = 0; end < 2; end++)
		end_address(view->ip_version, key, end, &view->addr[end == opener ? 0 : 1]);
	if (view->ip_version == IP_VERSION_4)
		memcpy(port, ((const struct flow_key4 *)key)->port, sizeof(port));
	else
		memcpy(port, ((const struct flow_key6 *)key)->port, sizeof(port));
	if (l4_has_ports(view->l4_proto)) {
		view->port[0] = ntohs(port[opener]);
		view->port[1] = ntohs(port[!opener]);
		view->icmp_id = 0;
	} else {
		view->port[0] = 0;
		view->port[1] = 0;
		view->icmp_id = ntohs(port[0]); /* 0 for protocols that are no ICMP */
	}
}

/**
 * conntrack_view() - Look at an entry of a table
 * @view: to fill; refers to @flow
 * @table: where the entry comes from
 * @key: struct flow_key4 or flow_key6, as the table has it, aligned like it
 * @flow: the entry's value
 * @clock: what it is timed against
 */
void conntrack_view(struct flow_view *view, const struct conntrack_table *table, const void *key,
		    const struct flow *flow, const struct flow_clock *clock)
{
	int64_t overdue_ns = flow_overdue_ns(flow, clock);
	int64_t idle_ns = (int64_t)(clock->now_ns - flow->last_seen_ns);

	view->flow = flow;
	view->ip_version = table->ip_version;
	view->l4_proto = table->ip_version == IP_VERSION_4
				 ? ((const struct flow_key4 *)key)->l4_proto
				 : ((const struct flow_key6 *)key)->l4_proto;
	view->confirmed = table->confirmed;
	view->rule = flow->rule;
	view->state = flow->state < FLOW_STATE_MAX ? flow->state : FLOW_STATE_NONE;
	view_ends(view, key, flow->opener ? 1 : 0);

	view->idle_ns = idle_ns > 0 ? idle_ns : 0;
	view->expired = overdue_ns > 0;
	view->remaining_ns = view->expired ? 0 : -overdue_ns;
}

/*
 * Reads all tables the filter may match and hands over every matching entry, expired ones
 * included, with its table and key.
 */
typedef int (*entry_visit)(void *arg, const struct conntrack_table *table, const void *key,
			   const struct flow_view *view, struct error *error);
/* Called after each batch, while its keys can still be dealt with together. */
typedef int (*batch_visit)(void *arg, const struct conntrack_table *table, struct error *error);

struct walk {
	entry_visit entry;
	batch_visit batch_end; /* NULL: not needed */
	void *arg;
	const struct flow_clock *clock;
	const struct filter *filter; /* NULL: all */
};

/* Visit the entries of a batch that the filter lets through. */
static int walk_batch(const struct walk *walk, const struct conntrack_table *table,
		      const struct map_batch *batch, struct error *error)
{
	uint32_t key_size = conntrack_key_size(table);
	const struct flow *flows = (const struct flow *)batch->values;
	struct flow_view view;
	uint32_t i;
	int ret;

	for (i = 0; i < batch->count; i++) {
		const void *key = batch->keys + (size_t)i * key_size;

		conntrack_view(&view, table, key, &flows[i], walk->clock);
		if (walk->filter && !filter_match_flow(walk->filter, &view))
			continue;
		ret = walk->entry(walk->arg, table, key, &view, error);
		if (ret)
			return ret;
	}
	return walk->batch_end ? walk->batch_end(walk->arg, table, error) : 0;
}

/* Visit the entries of all tables. */
static int walk_tables(const struct walk *walk, const struct conntrack *conntrack,
		       struct error *error)
{
	const struct filter *filter = walk->filter;
	struct map_batch batch;
	size_t t;
	int ret;

	ret = map_batch_init(&batch, WALK_BATCH, error);
	if (ret)
		return ret;
	for (t = 0; t < conntrack->n; t++) {
		const struct conntrack_table *table = &conntrack->tables[t];

		if (filter && !filter_match_table(filter, table->ip_version, table->l4_proto))
			continue;
		map_batch_rewind(&batch, table->fd, conntrack_key_size(table), sizeof(struct flow));
		while (!batch.done) {
			ret = map_batch_next(&batch, WALK_BATCH, error);
			if (!ret)
				ret = walk_batch(walk, table, &batch, error);
			if (ret)
				goto out;
		}
	}
out:
	map_batch_free(&batch);
	return ret;
}

struct alive_visit {
	flow_visit visit;
	void *arg;
};

static int visit_alive(void *arg, const struct conntrack_table *table, const void *key,
		       const struct flow_view *view, struct error *error)
{
	const struct alive_visit *alive = arg;

	(void)table;
	(void)key;
	(void)error;
	return view->expired ? 0 : alive->visit(alive->arg, view);
}

/**
 * conntrack_walk() - Visit the flows that are alive
 * @conntrack: the tables
 * @clock: now and the timeouts
 * @filter: which flows, NULL: all
 * @visit: called for each; a result other than 0 ends the walk
 * @arg: for @visit
 * @error: set on failure of the walk itself
 *
 * Return: 0, the result of @visit that ended the walk, or the negative errno of the kernel.
 */
int conntrack_walk(const struct conntrack *conntrack, const struct flow_clock *clock,
		   const struct filter *filter, flow_visit visit, void *arg, struct error *error)
{
	struct alive_visit alive = {visit, arg};
	struct walk walk = {.entry = visit_alive, .arg = &alive, .clock = clock, .filter = filter};

	return walk_tables(&walk, conntrack, error);
}

static int visit_count(void *arg, const struct flow_view *view)
{
	(void)view;
	++*(uint64_t *)arg;
	return 0;
}

/**
 * conntrack_count() - Count the flows that are alive
 * @conntrack: the tables
 * @clock: now and the timeouts
 * @filter: which flows, NULL: all
 * @count: where to store the number
 * @error: set on failure
 *
 * Return: 0 or the negative errno of the kernel.
 */
int conntrack_count(const struct conntrack *conntrack, const struct flow_clock *clock,
		    const struct filter *filter, uint64_t *count, struct error *error)
{
	uint64_t n = 0;
	int err = conntrack_walk(conntrack, clock, filter, visit_count, &n, error);

	if (!err)
		*count = n;
	return err;
}

#define FLUSH_BATCH 1024

struct flush {
	uint8_t keys[FLUSH_BATCH * MAP_BATCH_KEY_MAX];
	bool live[FLUSH_BATCH];
	bool deleted[FLUSH_BATCH];
	uint32_t n;
	uint64_t flushed;
};

/* Delete the entries gathered so far. */
static int flush_keys(void *arg, const struct conntrack_table *table, struct error *error)
{
	struct flush *flush = arg;
	uint32_t i;
	int err;

	if (!flush->n)
		return 0;
	err = map_delete_keys(table->fd,
			      &(struct map_keys){flush->keys, conntrack_key_size(table), flush->n},
			      flush->deleted, error);
	if (err)
		return err;
	for (i = 0; i < flush->n; i++)
		flush->flushed += flush->deleted[i] && flush->live[i];
	flush->n = 0;
	return 0;
}

static int flush_entry(void *arg, const struct conntrack_table *table, const void *key,
		       const struct flow_view *view, struct error *error)
{
	struct flush *flush = arg;
	uint32_t key_size = conntrack_key_size(table);

	memcpy(flush->keys + (size_t)flush->n * key_size, key, key_size);
	flush->live[flush->n++] = !view->expired;
	return flush->n < FLUSH_BATCH ? 0 : flush_keys(flush, table, error);
}

/**
 * conntrack_flush() - Delete flows
 * @conntrack: the tables
 * @clock: now and the timeouts
 * @filter: which flows, NULL: all
 * @flushed: where to store how many of them were alive
 * @error: set on failure; some flows may be deleted then
 *
 * Expired entries are deleted too: a longer timeout must not bring them back.
 *
 * Return: 0 or the negative errno of the kernel.
 */
int conntrack_flush(const struct conntrack *conntrack, const struct flow_clock *clock,
		    const struct filter *filter, uint64_t *flushed, struct error *error)
{
	struct flush *flush = calloc(1, sizeof(*flush));
	struct walk walk = {.entry = flush_entry,
			    .batch_end = flush_keys,
			    .arg = flush,
			    .clock = clock,
			    .filter = filter};
	int err;

	if (!flush)
		return error_set(error, ENOMEM, "deleting connections: %s", strerror(ENOMEM));
	err = walk_tables(&walk, conntrack, error);
	if (!err)
		*flushed = flush->flushed;
	free(flush);
	return err;
}
