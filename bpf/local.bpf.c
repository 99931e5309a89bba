/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which addresses are this host's.  Owns the maps of local.h.
 */
#include "local.h"
#include "addr.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOCAL_FILTER_PREFIXES + 1);
	__type(key, __u32);
	__type(value, struct local_filter);
} local_filter_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LOCAL_ADDR_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, union addr);
	__type(value, struct local_addr);
} local_addr_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, LOCAL_PREFIX_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct local_prefix_key);
	__type(value, struct local_addr);
} local_prefix_v1 SEC(".maps");

/* Whether it may be a single address of this host. */
static __always_inline bool passes_filter(const union addr *addr)
{
	__u32 bit = local_filter_bit(addr), key = bit / LOCAL_FILTER_PAGE;
	struct local_filter *page = bpf_map_lookup_elem(&local_filter_v1, &key);

	return page && page->bits[bit / 64 % LOCAL_FILTER_WORDS] >> (bit % 64) & 1;
}

static __always_inline bool has_prefixes(void)
{
	__u32 key = LOCAL_FILTER_PREFIXES;
	struct local_filter *page = bpf_map_lookup_elem(&local_filter_v1, &key);

	return page && page->bits[0];
}

/* Of a single address. */
static __always_inline struct local_addr *find_exact(const union addr *addr)
{
	union addr key =
		*addr; /* Linux 6.1: "R2 type=mem expected=fp, pkt, pkt_meta, map_key, map_value" */

	return bpf_map_lookup_elem(&local_addr_v1, &key);
}

static __always_inline struct local_addr *find_prefix(const union addr *addr)
{
	struct local_prefix_key key = {.prefix_len = 128};

	__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	return bpf_map_lookup_elem(&local_prefix_v1, &key);
}

/**
 * local_lookup() - Is an address one that the kernel delivers here?
 * @addr: address
 * @ip_version: its family
 *
 * Loopback addresses count as addresses of the host.
 *
 * Return: enum local_kind.
 */
int local_lookup(const union addr *addr, __u8 ip_version)
{
	struct local_addr *local = NULL;

	if (!addr)
		return LOCAL_NONE;
	if (addr_is_loopback(addr, ip_version))
		return LOCAL_HOST;
	if (passes_filter(addr))
		local = find_exact(addr);
	if (local)
		return local->kind;
	if (addr_is_multicast(addr, ip_version))
		return LOCAL_MULTICAST;
	if (ip_version == IP_VERSION_4 && addr_ipv4(addr) == 0xffffffff)
		return LOCAL_BROADCAST;
	if (has_prefixes())
		local = find_prefix(addr);
	return local ? local->kind : LOCAL_NONE;
}
