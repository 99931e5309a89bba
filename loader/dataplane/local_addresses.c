/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/local_addresses.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/netlink.h"

/*
 * Contents of a map, held or wanted: entries sorted by the bytes of their keys, each the key
 * followed by the value.
 */
struct table {
	size_t key_size;
	size_t value_size;
	size_t count;
	uint8_t *entries;
};

/* A map, what it holds, and what it is to hold. */
struct map_sync {
	const char *what; /* its entries, for errors */
	int fd;
	uint32_t max_entries;
	struct table held;
	struct table wanted;
};

/* The maps in the order of the invariant: added to in this order, removed from in the other. */
enum {
	SYNC_ADDR,
	SYNC_FILTER,
	SYNC_PREFIX,
	SYNC_MAX,
};

struct addr_entry {
	union addr addr;
	struct local_addr value;
};

struct page_entry {
	uint32_t page;
	struct local_filter value;
} __attribute__((packed));

struct prefix_entry {
	struct local_prefix_key key;
	struct local_addr value;
} __attribute__((packed));

_Static_assert(sizeof(struct addr_entry) == sizeof(union addr) + sizeof(struct local_addr) &&
		       sizeof(struct page_entry) ==
			       sizeof(uint32_t) + sizeof(struct local_filter) &&
		       sizeof(struct prefix_entry) ==
			       sizeof(struct local_prefix_key) + sizeof(struct local_addr),
	       "a table's entry is its key followed by its value");

static size_t entry_size(const struct table *table)
{
	return table->key_size + table->value_size;
}

static uint8_t *entry_at(const struct table *table, size_t i)
{
	return table->entries + i * entry_size(table);
}

static int compare_keys(const void *a, const void *b, void *key_size)
{
	return memcmp(a, b, *(size_t *)key_size);
}

static void table_sort(struct table *table)
{
	if (table->count)
		qsort_r(table->entries, table->count, entry_size(table), compare_keys,
			&table->key_size);
}

static int out_of_memory(struct error *error)
{
	return error_no_memory_for(error, "local addresses");
}

/* Check that @fd is the map it should be, and read its size. */
static int map_sync_open(struct map_sync *sync, int fd, struct error *error)
{
	size_t key_size = sync->wanted.key_size, value_size = sync->wanted.value_size;
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return error_set(error, errno, "map of %s: %s", sync->what, strerror(errno));
	if (info.key_size != key_size || info.value_size != value_size)
		return error_set(error, EINVAL,
				 "map of %s: it has keys of %u and values of %u bytes, not %zu and "
				 "%zu",
				 sync->what, info.key_size, info.value_size, key_size, value_size);
	sync->fd = fd;
	sync->max_entries = info.max_entries;
	sync->held.key_size = key_size;
	sync->held.value_size = value_size;
	return 0;
}

/* Read the whole map in one call: a buffer of max_entries cannot be too small for any bucket. */
static int map_sync_read(struct map_sync *sync, struct error *error)
{
	struct table *held = &sync->held;
	uint8_t *keys = calloc(sync->max_entries, held->key_size);
	uint8_t *values = calloc(sync->max_entries, held->value_size);
	uint8_t next[sizeof(struct local_prefix_key)]; /* a trie's position is a key */
	__u32 count = sync->max_entries, i;
	int err = 0;

	if (!keys || !values) {
		err = out_of_memory(error);
		goto out;
	}
	if (bpf_map_lookup_batch(sync->fd, NULL, next, keys, values, &count, NULL) &&
	    errno != ENOENT) {
		err = error_set(error, errno, "map of %s: cannot be read: %s", sync->what,
				strerror(errno));
		goto out;
	}
	held->entries = calloc(count + 1, entry_size(held));
	if (!held->entries) {
		err = out_of_memory(error);
		goto out;
	}
	held->count = count;
	for (i = 0; i < count; i++) {
		memcpy(entry_at(held, i), keys + i * held->key_size, held->key_size);
		memcpy(entry_at(held, i) + held->key_size, values + i * held->value_size,
		       held->value_size);
	}
	table_sort(held);
out:
	free(keys);
	free(values);
	return err;
}

static bool is_loopback(const struct prefix *prefix)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (prefix->ip_version == IP_VERSION_4)
		return prefix->addr.bytes[12] == 127;
	return prefix->len == prefix_bits(prefix->ip_version) &&
	       !memcmp(prefix->addr.bytes, loopback6, sizeof(loopback6));
}

/*
 * Whether the prefix has an entry.  Loopback is implied, and v4-mapped addresses never arrive as
 * IPv6.  A default route of type local catches what a rule marks for a transparent proxy: it makes
 * no address one of this host's.
 */
static bool is_stored(const struct prefix *prefix)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_mapped = !memcmp(prefix->addr.bytes, mapped, sizeof(mapped));

	return prefix->len && is_mapped == (prefix->ip_version == IP_VERSION_4) &&
	       !is_loopback(prefix);
}

/* Of two kinds of one address, the one that says more of it. */
static uint8_t stronger(uint8_t a, uint8_t b)
{
	static const uint8_t rank[] = {
		[LOCAL_BROADCAST] = 1, [LOCAL_HOST] = 2, [LOCAL_OVERLAY] = 3};

	return rank[a] > rank[b] ? a : b;
}

/* Sorts, and makes several entries with one key one; @kind_off is where an entry has its kind. */
static void merge_duplicates(struct table *table)
{
	size_t kind_off = table->key_size + offsetof(struct local_addr, kind);
	uint8_t *last, *entry;
	size_t i, kept = 0;

	table_sort(table);
	for (i = 0; i < table->count; i++) {
		entry = entry_at(table, i);
		last = kept ? entry_at(table, kept - 1) : NULL;
		if (last && !memcmp(last, entry, table->key_size))
			last[kind_off] = stronger(last[kind_off], entry[kind_off]);
		else
			memmove(entry_at(table, kept++), entry, entry_size(table));
	}
	table->count = kept;
}

/* Want an address or a prefix in the map it belongs to. */
static void want_one(struct table *addrs, struct table *prefixes, const struct local_address *local)
{
	const struct prefix *prefix = &local->prefix;
	struct local_addr value = {.kind = local->kind};
	struct prefix_entry *shorter;
	struct addr_entry *single;

	if (prefix->len == prefix_bits(prefix->ip_version)) {
		single = (struct addr_entry *)entry_at(addrs, addrs->count++);
		*single = (struct addr_entry){prefix->addr, value};
		return;
	}
	shorter = (struct prefix_entry *)entry_at(prefixes, prefixes->count++);
	*shorter = (struct prefix_entry){.value = value};
	shorter->key.prefix_len = prefix->len + (prefix->ip_version == IP_VERSION_4 ? 96 : 0);
	memcpy(shorter->key.addr, prefix->addr.bytes, sizeof(shorter->key.addr));
}

/* Want the given addresses; of one given twice, overlay wins. */
static int want_addresses(struct map_sync *syncs, const struct local_address *list, size_t count,
			  struct error *error)
{
	struct table *addrs = &syncs[SYNC_ADDR].wanted, *prefixes = &syncs[SYNC_PREFIX].wanted;
	size_t i;

	addrs->entries = calloc(count + 1, entry_size(addrs));
	prefixes->entries = calloc(count + 1, entry_size(prefixes));
	if (!addrs->entries || !prefixes->entries)
		return out_of_memory(error);
	for (i = 0; i < count; i++)
		if (is_stored(&list[i].prefix))
			want_one(addrs, prefixes, &list[i]);
	merge_duplicates(addrs);
	merge_duplicates(prefixes);
	return 0;
}

/* The filter of what is wanted in the other two maps. */
static int want_filter(struct map_sync *syncs, struct error *error)
{
	const struct table *addrs = &syncs[SYNC_ADDR].wanted;
	struct table *pages = &syncs[SYNC_FILTER].wanted;
	const struct addr_entry *entries = (const struct addr_entry *)addrs->entries;
	struct page_entry *page;
	uint32_t bit;

	pages->count = LOCAL_FILTER_PREFIXES + 1;
	pages->entries = calloc(pages->count, sizeof(struct page_entry));
	if (!pages->entries)
		return out_of_memory(error);
	page = (struct page_entry *)pages->entries;
	for (size_t i = 0; i < pages->count; i++)
		page[i].page = i;
	for (size_t i = 0; i < addrs->count; i++) {
		bit = local_filter_bit(&entries[i].addr);
		page[bit / LOCAL_FILTER_PAGE].value.bits[bit % LOCAL_FILTER_PAGE / 64] |=
			1ULL << (bit % 64);
	}
	page[LOCAL_FILTER_PREFIXES].value.bits[0] = syncs[SYNC_PREFIX].wanted.count != 0;
	table_sort(pages);
	return 0;
}

/* The entry with a key, or NULL. */
static const uint8_t *table_find(const struct table *table, const uint8_t *key)
{
	size_t first = 0, end = table->count, middle;
	int order;

	while (first < end) {
		middle = first + (end - first) / 2;
		order = memcmp(key, entry_at(table, middle), table->key_size);
		if (!order)
			return entry_at(table, middle);
		if (order < 0)
			end = middle;
		else
			first = middle + 1;
	}
	return NULL;
}

/* Entries that the map holds while the wanted ones are in and the others not yet out. */
static size_t map_sync_peak(const struct map_sync *sync)
{
	size_t i, peak = sync->wanted.count;

	for (i = 0; i < sync->held.count; i++)
		peak += !table_find(&sync->wanted, entry_at(&sync->held, i));
	return peak;
}

static int check_room(const struct map_sync *syncs, struct error *error)
{
	int s;

	for (s = 0; s < SYNC_MAX; s++)
		if (syncs[s].wanted.count > syncs[s].max_entries)
			return error_set(
				error, E2BIG, "%s: this host has %zu, the table takes at most %u",
				syncs[s].what, syncs[s].wanted.count, syncs[s].max_entries);
	return 0;
}

/* Add the entries that are missing or different. */
static int map_sync_add(const struct map_sync *sync, size_t *changes, struct error *error)
{
	const struct table *wanted = &sync->wanted;
	const uint8_t *entry, *old;
	size_t i;

	for (i = 0; i < wanted->count; i++) {
		entry = entry_at(wanted, i);
		old = table_find(&sync->held, entry);
		if (old && !memcmp(old, entry, entry_size(wanted)))
			continue;
		if (bpf_map_update_elem(sync->fd, entry, entry + wanted->key_size, BPF_ANY))
			return error_set(error, errno, "map of %s: cannot add to %zu of %u: %s",
					 sync->what, sync->held.count, sync->max_entries,
					 strerror(errno));
		(*changes)++;
	}
	return 0;
}

/* Remove the entries that are not wanted. */
static int map_sync_remove(const struct map_sync *sync, size_t *changes, struct error *error)
{
	const uint8_t *entry;
	size_t i;

	for (i = 0; i < sync->held.count; i++) {
		entry = entry_at(&sync->held, i);
		if (table_find(&sync->wanted, entry))
			continue;
		if (bpf_map_delete_elem(sync->fd, entry) && errno != ENOENT)
			return error_set(error, errno, "map of %s: cannot remove: %s", sync->what,
					 strerror(errno));
		(*changes)++;
	}
	return 0;
}

/* The filter follows from the other two maps, so its changes do not count. */
static int syncs_change(const struct map_sync *syncs, size_t *changes, struct error *error)
{
	size_t pages = 0;
	int s, err = 0;

	for (s = 0; s < SYNC_MAX && !err; s++)
		err = map_sync_add(&syncs[s], s == SYNC_FILTER ? &pages : changes, error);
	for (s = SYNC_MAX - 1; s >= 0 && !err; s--)
		err = map_sync_remove(&syncs[s], changes, error);
	return err;
}

/* Open and read all maps. */
static int syncs_open(struct map_sync *syncs, const struct local_maps *maps, struct error *error)
{
	const int fds[SYNC_MAX] = {maps->addr_fd, maps->filter_fd, maps->prefix_fd};
	int err = 0;

	for (int s = 0; s < SYNC_MAX && !err; s++)
		err = map_sync_open(&syncs[s], fds[s], error);
	for (int s = 0; s < SYNC_MAX && !err; s++)
		err = map_sync_read(&syncs[s], error);
	return err;
}

static void syncs_close(struct map_sync *syncs)
{
	for (int s = 0; s < SYNC_MAX; s++) {
		free(syncs[s].held.entries);
		free(syncs[s].wanted.entries);
	}
}

/* Want no more than what is held already. */
static void keep_held(struct map_sync *sync)
{
	struct table *wanted = &sync->wanted;
	size_t i, kept = 0;

	for (i = 0; i < wanted->count; i++)
		if (table_find(&sync->held, entry_at(wanted, i)))
			memmove(entry_at(wanted, kept++), entry_at(wanted, i), entry_size(wanted));
	wanted->count = kept;
}

/*
 * struct sync_request - one pass over the maps
 * @shrink: want only addresses that are held already, so that nothing but room comes of it
 * @tight: set if adding first would need more room than there is; nothing was changed then
 * @changes: counts entries added, replaced and removed
 */
struct sync_request {
	const struct local_maps *maps;
	const struct local_address *list;
	size_t count;
	bool shrink;
	bool tight;
	size_t changes;
};

static int sync_pass(struct sync_request *request, struct error *error)
{
	struct map_sync syncs[SYNC_MAX] = {
		[SYNC_ADDR] = {.what = "local addresses",
			       .wanted = {sizeof(union addr), sizeof(struct local_addr)}},
		[SYNC_FILTER] = {.what = "filter of local addresses",
				 .wanted = {sizeof(uint32_t), sizeof(struct local_filter)}},
		[SYNC_PREFIX] = {.what = "local prefixes",
				 .wanted = {sizeof(struct local_prefix_key),
					    sizeof(struct local_addr)}},
	};
	int s, err;

	request->tight = false;
	err = syncs_open(syncs, request->maps, error);
	if (!err)
		err = want_addresses(syncs, request->list, request->count, error);
	if (err)
		goto out;
	if (request->shrink) {
		keep_held(&syncs[SYNC_ADDR]);
		keep_held(&syncs[SYNC_PREFIX]);
	}
	err = want_filter(syncs, error);
	if (!err)
		err = check_room(syncs, error);
	if (err)
		goto out;
	for (s = 0; s < SYNC_MAX && !request->shrink; s++)
		request->tight |= map_sync_peak(&syncs[s]) > syncs[s].max_entries;
	if (!request->tight)
		err = syncs_change(syncs, &request->changes, error);
out:
	syncs_close(syncs);
	return err;
}

static int advance_epoch(int fd, struct error *error)
{
	uint32_t zero = 0, epoch = 0;
	int err = bpf_map_lookup_elem(fd, &zero, &epoch);

	epoch++;
	if (!err)
		err = bpf_map_update_elem(fd, &zero, &epoch, BPF_ANY);
	if (err)
		return error_set(error, errno, "epoch of the local addresses: %s", strerror(errno));
	return 0;
}

/**
 * addresses_sync_list() - Make the maps hold exactly the given addresses
 * @maps: where they are held
 * @list: addresses in any order; of one given twice, overlay wins; 127.0.0.0/8 and ::1 may be
 *	among them and are not stored
 * @count: length of @list
 * @changes: set to the number of entries added, replaced and removed, may be NULL
 * @error: set on failure
 *
 * Only differences are written.  New entries go in before old ones go out, unless the tables are
 * too full for both.  A page of the filter is replaced in one go; a bit that is set before and
 * after that is set all the time.
 * The epoch is advanced after a change, so that peers' flows are judged again.
 *
 * Return: 0; -E2BIG: more than a table takes, nothing was changed; another -errno: the maps could
 * not be read or written, and calling again mends them.
 */
int addresses_sync_list(const struct local_maps *maps, const struct local_address *list,
			size_t count, size_t *changes, struct error *error)
{
	struct sync_request request = {.maps = maps, .list = list, .count = count};
	struct error ignored;
	int err, failed = 0;

	err = sync_pass(&request, error);
	if (!err && request.tight) {
		request.shrink = true;
		err = sync_pass(&request, error);
		request.shrink = false;
		if (!err)
			err = sync_pass(&request, error);
	}
	/* even if it has failed half-way */
	if (request.changes && maps->epoch_fd >= 0)
		failed = advance_epoch(maps->epoch_fd, err ? &ignored : error);
	if (!err)
		err = failed;
	if (!err && changes)
		*changes = request.changes;
	return err;
}

/**
 * addresses_sync() - Make the maps hold what the kernel delivers in the caller's network namespace
 * @maps: where it is held
 * @ifindex: the protected interface, whose addresses are LOCAL_OVERLAY
 * @changes: as in addresses_sync_list()
 * @error: set on failure
 *
 * Return: as addresses_sync_list(), or -errno where addresses or routes cannot be read.
 */
int addresses_sync(const struct local_maps *maps, int ifindex, size_t *changes, struct error *error)
{
	struct interface_address *addresses = NULL;
	struct local_route *routes = NULL;
	struct local_address *list = NULL;
	size_t i, n_addresses = 0, n_routes = 0, n = 0;
	int err;

	err = netlink_read_addresses(&addresses, &n_addresses, error);
	if (!err)
		err = netlink_read_local_routes(&routes, &n_routes, error);
	if (err)
		goto out;
	list = calloc(n_addresses + n_routes + 1, sizeof(*list));
	if (!list) {
		err = out_of_memory(error);
		goto out;
	}
	for (i = 0; i < n_addresses; i++, n++) {
		list[n].prefix = (struct prefix){
			.addr = addresses[i].addr,
			.ip_version = addresses[i].ip_version,
			.len = prefix_bits(addresses[i].ip_version),
		};
		list[n].kind = addresses[i].ifindex == ifindex ? LOCAL_OVERLAY : LOCAL_HOST;
	}
	for (i = 0; i < n_routes; i++, n++) {
		list[n].prefix = routes[i].prefix;
		list[n].kind = routes[i].is_broadcast ? LOCAL_BROADCAST : LOCAL_HOST;
	}
	err = addresses_sync_list(maps, list, n, changes, error);
out:
	free(list);
	free(routes);
	free(addresses);
	return err;
}

static bool has_prefix(const struct prefix *prefixes, size_t count, const struct prefix *prefix)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (prefixes[i].ip_version == prefix->ip_version &&
		    prefixes[i].len == prefix->len &&
		    !memcmp(&prefixes[i].addr, &prefix->addr, sizeof(prefix->addr)))
			return true;
	return false;
}

/**
 * addresses_overlay_prefixes() - The networks that the protected interface is connected to
 * @ifindex: the interface
 * @prefixes: set to an array that the caller frees, each network once and without host bits
 *	(100.64.0.0/16), in the order of the kernel; NULL for none; untouched on failure
 * @count: its length
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int addresses_overlay_prefixes(int ifindex, struct prefix **prefixes, size_t *count,
			       struct error *error)
{
	struct interface_address *addresses = NULL;
	struct prefix *array = NULL;
	size_t i, n_addresses, n = 0;
	int err;

	err = netlink_read_addresses(&addresses, &n_addresses, error);
	if (err)
		return err;
	for (i = 0; i < n_addresses; i++)
		n += addresses[i].ifindex == ifindex;
	if (n) {
		array = calloc(n, sizeof(*array));
		if (!array) {
			err = out_of_memory(error);
			goto out;
		}
	}
	for (i = 0, n = 0; i < n_addresses; i++)
		if (addresses[i].ifindex == ifindex &&
		    !has_prefix(array, n, &addresses[i].connected))
			array[n++] = addresses[i].connected;
	*prefixes = array;
	*count = n;
out:
	free(addresses);
	return err;
}
