/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Local addresses: what is "this host" to the peer ACL, which is what the kernel delivers here.
 *
 * Map local_addr_v1 (HASH): every single local address of either family (IPv4 v4-mapped) with its
 * kind.  127.0.0.0/8 and ::1 are local by definition and have no entries.
 * Map local_prefix_v1 (LPM_TRIE): struct local_prefix_key -> struct local_addr, shorter prefixes
 * that are local (AnyIP: `ip route add local 10.5.0.0/16 dev lo`) where rules lead to their table:
 * see local_destination().
 * Map local_filter_v1 (ARRAY of struct local_filter): which of the two need not be asked, as nearly
 * all addresses of packets are nobody's here.  A bit for each local_filter_bit() of the addresses in
 * local_addr_v1 (a Bloom filter with one hash), in pages; and a last page, whose first word says
 * whether local_prefix_v1 has entries.
 */
#ifndef SHRIKE_LOCAL_H
#define SHRIKE_LOCAL_H

#include "abi.h"

#define LOCAL_FILTER_SHIFT    17 /* one address in eight finds a bit where the table is full */
#define LOCAL_FILTER_PAGE     4096
#define LOCAL_FILTER_PREFIXES ((1 << LOCAL_FILTER_SHIFT) / LOCAL_FILTER_PAGE) /* the last page */
#define LOCAL_FILTER_WORDS    (LOCAL_FILTER_PAGE / 64)

#define LOCAL_ADDR_MAX	 16384
#define LOCAL_PREFIX_MAX 1024

struct local_filter {
	__u64 bits[LOCAL_FILTER_WORDS]; /* bit (number % 64) of word (number % 4096) / 64 */
};
_Static_assert(sizeof(struct local_filter) == 512, "struct local_filter is ABI");

/* The number of an address's bit (Knuth, TAOCP vol. 3, 6.4: multiplicative hashing). */
static inline __u32 local_filter_bit(const union addr *addr)
{
	const __u64 golden = 0x9e3779b97f4a7c15;

	return (addr->half[1] ^ addr->half[0] * golden) * golden >> (64 - LOCAL_FILTER_SHIFT);
}

enum local_kind {
	LOCAL_NONE = 0,
	LOCAL_HOST = 1,	     /* another interface's address, or any that the kernel delivers here */
	LOCAL_OVERLAY = 2,   /* an address of the protected interface itself */
	LOCAL_BROADCAST = 3, /* a broadcast address of one of the networks, or 255.255.255.255 */
	LOCAL_MULTICAST = 4, /* never in the maps: known by the address */
};

struct local_addr {
	__u8 kind; /* enum local_kind */
	__u8 pad[7];
};
_Static_assert(sizeof(struct local_addr) == 8, "struct local_addr is ABI");

struct local_prefix_key {
	__u32 prefix_len; /* of the v4-mapped address: 96 more than IPv4's */
	__u8 addr[16];
};
_Static_assert(sizeof(struct local_prefix_key) == 20, "struct local_prefix_key is ABI");

#endif /* SHRIKE_LOCAL_H */
