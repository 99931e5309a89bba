/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which addresses are this host's.  Owns the maps of local.h.
 */
#include "packet.h"

#include "addr.h"
#include "route.h"

#define LOOPBACK_IFINDEX 1 /* in every network namespace */

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

/* What an address is by itself, without the prefixes. */
static __always_inline enum local_kind single_kind(const union addr *addr, __u8 ip_version)
{
	struct local_addr *local = NULL;

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
	return LOCAL_NONE;
}

/**
 * local_lookup() - Is an address one that the kernel may deliver here?
 * @addr: address
 * @ip_version: its family
 *
 * Loopback addresses count as addresses of the host, and so do prefixes of every routing table.
 *
 * Return: enum local_kind.
 */
int local_lookup(const union addr *addr, __u8 ip_version)
{
	struct local_addr *local = NULL;
	enum local_kind kind;

	if (!addr)
		return LOCAL_NONE;
	kind = single_kind(addr, ip_version);
	if (kind == LOCAL_NONE && has_prefixes())
		local = find_prefix(addr);
	return local ? local->kind : kind;
}

/* The type of service, by which routing rules may choose a table. */
static __always_inline void set_tos(struct bpf_fib_lookup *fib, const struct frame *f,
				    const struct packet *p)
{
	const __be32 *first = f->data;

	if ((void *)(first + 1) > f->data_end)
		return;
	if (p->ip_version == IP_VERSION_4)
		fib->tos = bpf_ntohl(*first) >> 16;
	else
		fib->flowinfo = *first & bpf_htonl(0x0fffffff);
}

/*
 * Whether the kernel forwards the packet, says its routing without a mark: marks come later, if at
 * all.  A kernel that forwards nothing delivers what it takes in.
 */
static __noinline bool is_forwarded(const struct frame *f, const struct packet *p)
{
	struct bpf_fib_lookup fib = {.ifindex = config.ifindex};
	long answer;

	route_query_set(&fib, p);
	set_tos(&fib, f, p);
	answer = bpf_fib_lookup(f->ctx, &fib, sizeof(fib), 0);
	/* IPv6 is forwarded by the switch for all devices: the helper looks at the device's own */
	if (answer == BPF_FIB_LKUP_RET_FWD_DISABLED && p->ip_version == IP_VERSION_6) {
		fib.ifindex = LOOPBACK_IFINDEX;
		answer = bpf_fib_lookup(f->ctx, &fib, sizeof(fib), 0);
	}
	return answer == BPF_FIB_LKUP_RET_SUCCESS || answer == BPF_FIB_LKUP_RET_UNSUPP_LWT ||
	       answer == BPF_FIB_LKUP_RET_NO_NEIGH || answer == BPF_FIB_LKUP_RET_FRAG_NEEDED;
}

/**
 * local_destination() - Does the kernel deliver an inbound packet here?
 * @f, @p: packet
 *
 * Which table is asked depends on rules, and which of its routes on all others there: where it is a
 * prefix that makes the destination local, the kernel is asked.  Under a virtual clock there is no
 * device to ask for, and the prefix decides.
 *
 * Return: enum local_kind; LOCAL_NONE where it is routed.
 */
__hidden enum local_kind local_destination(struct frame *f, struct packet *p)
{
	enum local_kind kind = local_lookup(&p->daddr, p->ip_version);

	if (kind == LOCAL_NONE || config.virtual_clock || !has_prefixes() ||
	    single_kind(&p->daddr, p->ip_version) != LOCAL_NONE)
		return kind;
	return is_forwarded(f, p) ? LOCAL_NONE : kind;
}
