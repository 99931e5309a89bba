/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which addresses are this host's.  Owns the maps of local.h.
 */
#include "local.h"
#include "addr.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LOCAL4_MAX_PAGES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct local4_page);
} local4_v1 SEC(".maps");

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

static __always_inline bool in_bitmap(__u32 addr)
{
	__u32 key = addr >> LOCAL4_PAGE_SHIFT;
	struct local4_page *page = bpf_map_lookup_elem(&local4_v1, &key);

	if (!page)
		return false;
	return page->bits[addr / 64 % LOCAL4_PAGE_WORDS] >> (addr % 64) & 1;
}

/* Of a single address. */
static __always_inline struct local_addr *find_exact(const union addr *addr, __u8 ip_version)
{
	union addr key =
		*addr; /* Linux 6.1: "R2 type=mem expected=fp, pkt, pkt_meta, map_key, map_value" */

	if (ip_version == IP_VERSION_4 && !in_bitmap(addr_ipv4(addr)))
		return NULL;
	return bpf_map_lookup_elem(&local_addr_v1, &key);
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
	struct local_prefix_key key = {.prefix_len = 128};
	struct local_addr *local;

	if (!addr)
		return LOCAL_NONE;
	if (addr_is_loopback(addr, ip_version))
		return LOCAL_HOST;
	local = find_exact(addr, ip_version);
	if (local)
		return local->kind;
	if (addr_is_multicast(addr, ip_version))
		return LOCAL_MULTICAST;
	if (ip_version == IP_VERSION_4 && addr_ipv4(addr) == 0xffffffff)
		return LOCAL_BROADCAST;
	__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	local = bpf_map_lookup_elem(&local_prefix_v1, &key);
	return local ? local->kind : LOCAL_NONE;
}
